"""A circuit breaker: *closed* (calls go), *open* (none goes before `probe_at`), *half open* (one call decides).

closed ──5 failures in a row, or half of ≥ 10 in 30 s──▶ open ──10 s──▶ half open ──success──▶ closed
                                                          ▲                 │
                                                          └──20 s, 25 s … ──┘ failure
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from sidecar.core.catalog import BreakerPolicy

_BUCKETS = 10


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Of one target. Times are monotonic seconds, `now` is handed in; `scale` multiplies the policy's times.

    Every `begin` that was not answered OPEN is ended by one of `succeeded`, `failed`, `released`, with its answer.
    """

    __slots__ = (
        "_bucket_s",
        "_consecutive",
        "_every_s",
        "_invited",
        "_misled",
        "_open",
        "_policy",
        "_probing",
        "_scale",
        "_window",
        "probe_at",
    )

    def __init__(self, policy: BreakerPolicy, scale: float = 1.0) -> None:
        self._window: deque[list[float]] = deque(maxlen=_BUCKETS)
        """[bucket number, outcomes, failures among them]"""
        self._bucket_s = 0.0
        self.follow(policy, scale)
        self._consecutive = 0
        self._open = self._probing = False
        self._invited = self._misled = False
        """Calls were let in early; they failed then, so that they are not again while the circuit stays open."""
        self._every_s = 0.0
        self.probe_at = 0.0
        """Of an open circuit."""

    def follow(self, policy: BreakerPolicy, scale: float) -> None:
        """From now on by another policy; an open circuit is probed when it was going to be."""
        self._policy, self._scale = policy, scale
        bucket_s = policy.window_s * scale / _BUCKETS
        if bucket_s != self._bucket_s:
            self._bucket_s = bucket_s
            self._window.clear()

    def close(self) -> None:
        """As if nothing had happened yet."""
        self._open = self._probing = self._invited = self._misled = False
        self._consecutive = 0
        self._window.clear()

    def invite(self, now: float) -> bool:
        """There are signs of life: an open circuit lets the next call try. Says whether that is anything new."""
        if not self._open or self._probing or self._misled or now >= self.probe_at:
            return False
        self.probe_at, self._invited = now, True
        return True

    def circuit(self, now: float) -> Circuit:
        if not self._open:
            return Circuit.CLOSED
        return Circuit.OPEN if self._probing or now < self.probe_at else Circuit.HALF_OPEN

    def begin(self, now: float) -> Circuit:
        """OPEN: the call must not go. HALF_OPEN: it goes, as the probe."""
        circuit = self.circuit(now)
        if circuit is Circuit.HALF_OPEN:
            self._probing = True
        return circuit

    def succeeded(self, circuit: Circuit, now: float) -> None:
        if circuit is Circuit.HALF_OPEN:
            self.close()
        self._consecutive = 0
        self._count(now, failed=False)

    def failed(self, circuit: Circuit, now: float) -> None:
        """A failure that counts: not a 400, a filter, a 429 or a cancel."""
        self._consecutive += 1
        self._count(now, failed=True)
        if circuit is Circuit.HALF_OPEN and self._open:
            self._misled = self._misled or self._invited
            self._trip(now, min(self._every_s * 2, self._policy.max_probe_s * self._scale))
        elif not self._open and self._too_many(now):
            self._trip(now, self._policy.first_probe_s * self._scale)

    def released(self, circuit: Circuit) -> None:
        """Nothing was learnt. After a probe, the next call is the probe."""
        if circuit is Circuit.HALF_OPEN:
            self._probing = False

    def _trip(self, now: float, probe_in_s: float) -> None:
        self._open, self._probing, self._invited = True, False, False
        self._every_s = probe_in_s
        self.probe_at = now + probe_in_s

    def _count(self, now: float, *, failed: bool) -> None:
        number = now // self._bucket_s
        if not self._window or self._window[-1][0] != number:
            self._window.append([number, 0, 0])
        self._window[-1][1] += 1
        self._window[-1][2] += failed

    def _too_many(self, now: float) -> bool:
        policy = self._policy
        if self._consecutive >= policy.consecutive_failures:
            return True
        oldest = now // self._bucket_s - _BUCKETS
        recent = [bucket for bucket in self._window if bucket[0] > oldest]
        outcomes, failures = sum(bucket[1] for bucket in recent), sum(bucket[2] for bucket in recent)
        return outcomes >= policy.min_calls and failures >= policy.failure_ratio * outcomes
