"""Where a call can go, and in which order. Pure: configuration, health and chance are handed in."""

from sidecar.routing.places import Supports
from sidecar.routing.plan import Blocked, Plan, View, plan, waited_for
from sidecar.routing.pool import Planned, Pool, models_for, pool_of, timeouts_for
from sidecar.routing.refusals import nothing_left
from sidecar.routing.why import reasons, summary

__all__ = (
    "Blocked",
    "Plan",
    "Planned",
    "Pool",
    "Supports",
    "View",
    "models_for",
    "nothing_left",
    "plan",
    "pool_of",
    "reasons",
    "summary",
    "timeouts_for",
    "waited_for",
)
