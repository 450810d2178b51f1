"""One call, from plan to record."""

from sidecar.invoker.abandon import abandoning
from sidecar.invoker.events import CallFailed, Outcome, StreamEvent, StreamRestarted, StreamStarted
from sidecar.invoker.invoker import Invoker
from sidecar.invoker.planner import Explained, Explanation, Planner

__all__ = (
    "CallFailed",
    "Explained",
    "Explanation",
    "Invoker",
    "Outcome",
    "Planner",
    "StreamEvent",
    "StreamRestarted",
    "StreamStarted",
    "abandoning",
)
