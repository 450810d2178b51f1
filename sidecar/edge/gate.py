"""How many calls are in flight, whether more may come, and what never became a call."""

from __future__ import annotations

import asyncio

from sidecar.core.faults import Refusal, RefusalReason

SHED_RETRY_S = 1.0


class Gate:
    """Loop-atomic. Counters run since the start."""

    def __init__(self, max_calls: int) -> None:
        self.max_calls = max_calls
        """May change at any time; calls that are in stay in."""
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.in_flight = 0
        self.unauthenticated = 0
        """Those who are known, but may not ask that, too."""
        self.undecodable = 0
        self.shed = 0
        self.replayed = 0
        """Repeats of a request_id that were answered without a call."""

    def enter(self) -> None:
        """Counts a call in; raises Refusal (OVERLOADED, SHUTTING_DOWN). Every entry needs its `leave`."""
        if self._closed:
            self.shed += 1
            raise Refusal(
                "UNAVAILABLE",
                RefusalReason.SHUTTING_DOWN,
                "The sidecar is shutting down; call again when it is back.",
                retry_after_s=SHED_RETRY_S,
            )
        if self.in_flight >= self.max_calls:
            self.shed += 1
            raise Refusal(
                "RESOURCE_EXHAUSTED",
                RefusalReason.OVERLOADED,
                f"{self.in_flight} calls are in flight, the most that TAXIMETER_MAX_CALLS allows. Call again later.",
                {"max_calls": str(self.max_calls)},
                retry_after_s=SHED_RETRY_S,
            )
        self.in_flight += 1
        self._idle.clear()

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self._idle.set()

    def close(self) -> None:
        """No more calls; those in flight go on."""
        self._closed = True

    async def idle(self) -> None:
        """Returns once no call is in flight."""
        await self._idle.wait()
