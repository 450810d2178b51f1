"""One account's use of its configured limits, and leave to send one request to it."""

from __future__ import annotations

import asyncio

from sidecar.core.catalog import NO_LIMITS, RateLimits
from sidecar.core.clock import Clock
from sidecar.limits.bucket import REQUESTS, TOKENS, Bucket

MINUTE_S = 60.0


class Use:
    """Changes only between two awaits of its callers."""

    __slots__ = ("buckets", "in_flight", "limits", "waiting")

    def __init__(self) -> None:
        self.limits = NO_LIMITS
        self.in_flight = 0
        self.buckets: dict[str, Bucket] = {}
        self.waiting: dict[asyncio.Future[Use], None] = {}
        """For a place in flight, in the order in which they came."""

    def configure(self, limits: RateLimits, minute_s: float, now: float) -> None:
        """What was used of a limit that stays the same stays used. Places that come by it go to those who wait."""
        before, self.limits, self.buckets = self.buckets, limits, {}
        for held, most in {REQUESTS: limits.requests_per_minute, TOKENS: limits.tokens_per_minute}.items():
            if most is not None:
                known = before.get(held)
                same = known is not None and (known.capacity, known.per_s) == (most, most / minute_s)
                self.buckets[held] = known if known and same else Bucket(most, most / minute_s, now)
        while self.waiting and not self.full:
            self.in_flight += 1
            self.leave()

    @property
    def full(self) -> bool:
        most = self.limits.max_concurrent
        return most is not None and self.in_flight >= most

    def leave(self) -> None:
        """A place is free again: it passes to whoever has waited longest."""
        most = self.limits.max_concurrent
        while self.waiting and (most is None or self.in_flight <= most):  # more are in flight after some reloads
            first = next(iter(self.waiting))
            del self.waiting[first]
            if not first.done():
                first.set_result(self)
                return
        self.in_flight -= 1


class Permit:
    """Leave to send one request after `wait_s`. Released once, however the request ends; again does nothing."""

    __slots__ = ("_clock", "_released", "_tokens", "_use", "wait_s")

    def __init__(self, use: Use, tokens: float, wait_s: float, clock: Clock) -> None:
        self._use = use
        self._tokens = tokens
        self._clock = clock
        self._released = False
        self.wait_s = wait_s

    def release(self, tokens: int | None) -> None:
        """`tokens`: what the request has used; None: not known, so that what was reserved counts as used."""
        if self._released:
            return
        self._released = True
        bucket = self._use.buckets.get(TOKENS)
        if bucket is not None and tokens is not None:
            bucket.take(tokens - self._tokens, self._clock.monotonic_s())
        self._use.leave()

    def unused(self) -> None:
        """Nothing was sent: nothing counts."""
        bucket = self._use.buckets.get(REQUESTS)
        if bucket is not None and not self._released:
            bucket.take(-1, self._clock.monotonic_s())
        self.release(0)
