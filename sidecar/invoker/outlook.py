"""What one call sees of health and limits: when it is planned, and before each attempt."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.core.call import Call, Target
from sidecar.health import Health
from sidecar.invoker.meter import Estimate, expected
from sidecar.limits import Limits
from sidecar.routing import Blocked, Planned


class Outlook:
    """A `routing.View`."""

    __slots__ = ("_estimate", "_health", "_limits", "_tokens", "call", "key_aside", "typical_s")

    key_aside: Callable[[str], bool]
    typical_s: Callable[[Target, bool], float | None]

    def __init__(self, call: Call, health: Health, limits: Limits, estimate: Estimate) -> None:
        self.call = call
        self._health = health
        self._limits = limits
        self._estimate = estimate
        self._tokens: int | None = None
        self.key_aside = health.key_aside
        self.typical_s = health.typical_s

    def blocked(self, planned: Planned) -> Blocked | None:
        """Why a target should not be tried now: its health, else a limit; None: it may be."""
        target = planned.target
        return self._health.blocked(target) or self._limits.blocked(planned.account, target, self.tokens)

    def tokens(self) -> int:
        """What the call may use, in and out."""
        if self._tokens is None:
            self._tokens = sum(expected(self.call, self._estimate))
        return self._tokens
