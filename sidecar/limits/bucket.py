"""Token buckets. Times are monotonic seconds, `now` is handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sidecar.core.clock import Clock

REQUESTS, TOKENS = "requests", "tokens"
"""What buckets hold."""
Need = Callable[[], int]
"""How many tokens a call may use; asked only where a limit on tokens stands."""


class Bucket:
    """Holds up to `capacity` and refills steadily by `per_s`.

    Taking never fails: what is not there yet is owed, and `wait_s` told beforehand when it will have come. So takers
    are served in the order in which they came, and each knows its wait at once.
    """

    __slots__ = ("_at", "_level", "capacity", "per_s", "window_s")

    def __init__(
        self, capacity: float, per_s: float, now: float, level: float | None = None, window_s: float = 60.0
    ) -> None:
        self.capacity = capacity
        self.per_s = per_s
        self.window_s = window_s
        """For which the limit is told."""
        self._level = capacity if level is None else level
        self._at = now

    def level(self, now: float) -> float:
        """What is there; below 0: owed."""
        return min(self.capacity, self._level + max(now - self._at, 0.0) * self.per_s)

    def surely_has(self, need: float) -> bool:
        """Without a look at the clock: what was there at the last look only grows."""
        return self._level >= need

    def wait_s(self, need: float, now: float) -> float:
        """Until `need` is there. More than a bucket can hold is there when the bucket is full."""
        lacking = min(need, self.capacity) - self.level(now)
        return lacking / self.per_s if lacking > 1e-9 else 0.0

    def take(self, amount: float, now: float) -> float:
        """Gives back where `amount` is negative. Never owes more than it holds: whatever a provider reports, no
        account is blocked for longer than its window. Returns what it has less now than before."""
        before = self.level(now)
        self._level = max(min(self.capacity, before - amount), -self.capacity)
        self._at = now
        return before - self._level

    def full_in_s(self, now: float) -> float:
        return (self.capacity - self.level(now)) / self.per_s


Buckets = Mapping[str, Bucket]
"""By what they hold."""


def lacking(buckets: Buckets, need: Need, clock: Clock) -> tuple[str, float] | None:
    """What one more request waits for longest, and for how many seconds; None: there is room."""
    longest, unit = 0.0, ""
    for held, bucket in buckets.items():
        amount = 1 if held == REQUESTS else need()
        if not bucket.surely_has(amount):
            wait_s = bucket.wait_s(amount, clock.monotonic_s())
            if wait_s > longest:
                longest, unit = wait_s, held
    return (unit, longest) if unit else None


def charge(buckets: Buckets, need: Need, now: float) -> float:
    """Takes one request. Returns the tokens taken, which are fewer than needed where the bucket holds fewer."""
    taken = {held: bucket.take(1 if held == REQUESTS else need(), now) for held, bucket in buckets.items()}
    return taken.get(TOKENS, 0.0)
