"""Calls that carry a `request_id`: each is made once, however often it is asked."""

from sidecar.requests.flight import Flight, Lagging
from sidecar.requests.held import Answer
from sidecar.requests.keys import key_of
from sidecar.requests.past import Past
from sidecar.requests.requests import Requests, Reused, Watched, may_have_cost

__all__ = ("Answer", "Flight", "Lagging", "Past", "Requests", "Reused", "Watched", "key_of", "may_have_cost")
