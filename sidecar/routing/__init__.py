"""Where a call can go, and in which order. Pure: configuration, health and chance are handed in."""

from sidecar.routing.plan import Blocked, Plan, View, plan, waited_for
from sidecar.routing.pool import Planned, Pool, Supports, merged, pool_of
from sidecar.routing.refusals import nothing_left

__all__ = (
    "Blocked",
    "Plan",
    "Planned",
    "Pool",
    "Supports",
    "View",
    "merged",
    "nothing_left",
    "plan",
    "pool_of",
    "waited_for",
)
