"""Calls that carry a `request_id`: each is made once, however often it is asked."""

from sidecar.requests.flight import Flight, Give, Lagging, Run
from sidecar.requests.held import Answer, Ending
from sidecar.requests.keys import key_of
from sidecar.requests.past import Kept, Past
from sidecar.requests.requests import Requests, Reused, may_have_cost
from sidecar.requests.watched import Watched

__all__ = (
    "Answer",
    "Ending",
    "Flight",
    "Give",
    "Kept",
    "Lagging",
    "Past",
    "Requests",
    "Reused",
    "Run",
    "Watched",
    "key_of",
    "may_have_cost",
)
