"""Who of a call's targets may be tried now; and where none may, who is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sidecar.core.faults import FallbackReason
from sidecar.invoker.outlook import Outlook
from sidecar.invoker.rooms import Rooms
from sidecar.limits import Permit
from sidecar.routing import Blocked, Planned

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Admitted:
    """The target at `place` goes now."""

    place: int
    permit: Permit
    """To be released."""
    before: Sequence[Blocked]
    """Why each of those before it does not."""


@dataclass(frozen=True, slots=True)
class Nobody:
    """None of the targets can go, and there is no use in waiting."""

    why: Sequence[Blocked]
    """Each of them."""


class Admission:
    """All waits of one call together last no longer than `patience_s`."""

    def __init__(self, outlook: Outlook, rooms: Rooms, patience_s: float, waited: Callable[[int], None]) -> None:
        """`waited` is told of each wait, in ns."""
        self._outlook = outlook
        self._health = rooms.health
        self._limits = rooms.limits
        self._clock = rooms.clock
        self._log = rooms.log
        self._explains = rooms.explains
        self._patience_s = patience_s
        self._waited = waited

    async def admit(self, queue: Sequence[Planned], left_s: float) -> Admitted | Nobody:
        """The first of the queue that may be tried now, at once; else the one that may be soonest, by then.

        `left_s`: until the caller's deadline.
        """
        until_s = self._clock.monotonic_s() + left_s
        while True:
            why: list[Blocked] = []
            for place, planned in enumerate(queue):
                blocked = self._outlook.blocked(planned)
                if blocked is None:
                    return Admitted(place, self._take(planned), why)
                why.append(blocked)
            if self._explains():
                told = [f"{planned}: {blocked.detail}" for planned, blocked in zip(queue, why, strict=True)]
                self._log.debug("nobody_free", call_id=self._outlook.call.call_id, why=told)
            patience_s = min(self._patience_s, until_s - self._clock.monotonic_s())
            soonest = _soonest(why, patience_s)
            if soonest is not None:
                found = await self._wait_for(queue, soonest, why)
            elif patience_s > 0 and any(map(_full, why)):
                found = await self._wait_for_a_place(queue, why, patience_s)
            else:
                return self._last_resort(queue, why)
            if found is not None:
                return found

    async def _wait_for(self, queue: Sequence[Planned], place: int, why: Sequence[Blocked]) -> Admitted | None:
        """None: look again. A limit's room is reserved while it is waited for."""
        planned = queue[place]
        if self._health.blocked(planned.target) is not None:
            await self._timed(asyncio.sleep(why[place].wait_s))
            return None
        permit = self._take(planned)
        return await self._ready(Admitted(place, permit, why[:place]), planned, why[place].wait_s)

    async def _wait_for_a_place(
        self, queue: Sequence[Planned], why: Sequence[Blocked], patience_s: float
    ) -> Admitted | None:
        """None: look again."""
        full = [place for place, blocked in enumerate(why) if _full(blocked)]
        among = [(queue[place].account, queue[place].target) for place in full]
        found = await self._timed(self._limits.place(among, self._outlook.tokens, patience_s))
        if found is None:
            return None
        which, permit = found
        place = full[which]
        if permit.wait_s > self._patience_s:
            permit.unused()
            return None
        return await self._ready(Admitted(place, permit, why[:place]), queue[place], permit.wait_s)

    async def _ready(self, admitted: Admitted, planned: Planned, wait_s: float) -> Admitted | None:
        """None: the target's health has changed meanwhile."""
        try:
            if wait_s:
                await self._timed(asyncio.sleep(wait_s))
        except BaseException:
            admitted.permit.unused()
            raise
        if self._health.blocked(planned.target) is None:
            return admitted
        admitted.permit.unused()
        return None

    def _last_resort(self, queue: Sequence[Planned], why: Sequence[Blocked]) -> Admitted | Nobody:
        """Where only a hint speaks against a target, it is asked."""
        place = next((place for place, blocked in enumerate(why) if not blocked.firm), None)
        return Nobody(why) if place is None else Admitted(place, self._take(queue[place]), why[:place])

    def _take(self, planned: Planned) -> Permit:
        return self._limits.take(planned.account, planned.target, self._outlook.tokens)

    async def _timed(self, waiting: Awaitable[T]) -> T:
        before_ns = self._clock.monotonic_ns()
        try:
            return await waiting
        finally:
            passed_ns = self._clock.monotonic_ns() - before_ns
            self._patience_s -= passed_ns / 1e9
            self._waited(passed_ns)


def _full(blocked: Blocked) -> bool:
    """A place in flight is what is missing: nobody knows when one comes."""
    return blocked.reason is FallbackReason.RATE_LIMITED and not blocked.wait_s


def _soonest(why: Sequence[Blocked], within_s: float) -> int | None:
    waits = [
        (blocked.wait_s, place)
        for place, blocked in enumerate(why)
        if blocked.reason is FallbackReason.RATE_LIMITED and 0 < blocked.wait_s <= within_s
    ]
    return min(waits)[1] if waits else None
