"""How targets and keys fare: circuit breakers, cooling, statistics. Loop-atomic, bounded in memory."""

from sidecar.health.breaker import Breaker, Circuit
from sidecar.health.health import Blocked, Health
from sidecar.health.recheck import Recheck
from sidecar.health.statistics import TargetHealth

__all__ = ("Blocked", "Breaker", "Circuit", "Health", "Recheck", "TargetHealth")
