"""One call, from plan to record."""

from sidecar.invoker.abandon import abandoning
from sidecar.invoker.events import CallFailed, Outcome, StreamEvent, StreamRestarted, StreamStarted
from sidecar.invoker.invoker import Invoker

__all__ = ("CallFailed", "Invoker", "Outcome", "StreamEvent", "StreamRestarted", "StreamStarted", "abandoning")
