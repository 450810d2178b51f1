"""One call under way, and everybody who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine

from sidecar.core.call import CallRecord
from sidecar.requests.held import Answers, Ending

PART_BYTES = 48
"""What a part weighs beside its own bytes."""


Give = Callable[[bytes], Awaitable[None]]
Run = Callable[[Give], Coroutine[None, None, Ending]]
"""Makes the call: gives its parts, and returns how it ended. Cancelled when nobody waits for it any more."""


class Lagging(Exception):
    """The parts that this waiter lacks are gone: the recording grew too large to be kept."""


class Flight:
    """Runs in a task of its own, at the pace of the waiter that is furthest: with one waiter, at that one's.

    What was given stays for those who come later, until `answers` has no more room for it.
    """

    record: CallRecord | None = None
    """Once the call has left one."""

    def __init__(self, key: bytes, digest: bytes, call_id: str, run: Run, answers: Answers, *, keep: bool) -> None:
        self.key = key
        self.digest = digest
        self.call_id = call_id
        self.keep = keep
        self.recording = keep
        self.recorded_bytes = 0
        self.leaving = False
        """Nobody waits for it: it is being cancelled."""
        self._answers = answers
        self._parts: list[bytes] = []
        self._gone = 0
        """Parts that came before `_parts`."""
        self._taken = 0
        """Parts that some waiter has."""
        self._waiting = 0
        self._changed = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(run(self._give))
        self._task.add_done_callback(lambda _: self._wake())

    @property
    def parts(self) -> tuple[bytes, ...]:
        """As far as they are there."""
        return tuple(self._parts)

    @property
    def joinable(self) -> bool:
        """Whether one that comes now can have everything."""
        return self._gone == 0

    @property
    def ending(self) -> Ending | None:
        """How the call ended; raises what it raised. None if it was cancelled."""
        return None if self._task.cancelled() else self._task.result()

    @property
    def broke(self) -> bool:
        """It was cancelled, or raised."""
        return self._task.cancelled() or self._task.exception() is not None

    def when_over(self, then: Callable[[], None]) -> None:
        self._task.add_done_callback(lambda _: then())

    async def over(self) -> None:
        """Returns once it has ended, however."""
        await asyncio.wait({self._task})

    async def follow(self) -> AsyncGenerator[bytes, None]:
        """Every part, from the first one. Close it to leave. Raises Lagging.

        The last one to leave cancels the call, and stays until its record is written.
        """
        self._waiting += 1
        place = 0
        try:
            while True:
                while place < self._given:
                    if place < self._gone:
                        raise Lagging
                    yield self._parts[place - self._gone]
                    place += 1
                    self._took(place)
                if self._task.done():
                    return
                await self._changed.wait()
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                await self._cancel()

    @property
    def _given(self) -> int:
        return self._gone + len(self._parts)

    async def _give(self, part: bytes) -> None:
        self._parts.append(part)
        self.grow(len(part) + PART_BYTES)
        self._wake()
        while self._taken < self._given:
            await self._changed.wait()

    def grow(self, size_bytes: int) -> None:
        """The recording by so much; or it ends, and what somebody has taken is let go."""
        if not self.recording:
            return
        if self.recorded_bytes + size_bytes <= self._answers.most_each_bytes and self._answers.reserve(size_bytes):
            self.recorded_bytes += size_bytes
            return
        self.recording = False
        self._answers.release(self.hand_over())
        self._trim()

    def hand_over(self) -> int:
        """The bytes that it has reserved, which are the caller's from now on."""
        size_bytes, self.recorded_bytes = self.recorded_bytes, 0
        return size_bytes

    def _took(self, place: int) -> None:
        if place > self._taken:
            self._taken = place
            self._trim()
            self._wake()

    def _trim(self) -> None:
        """While the call is under way: then no more comes, and the last waiter takes it all away."""
        if not self.recording and not self._task.done():
            del self._parts[: self._taken - self._gone]
            self._gone = self._taken

    def _wake(self) -> None:
        self._changed.set()
        self._changed.clear()

    async def _cancel(self) -> None:
        if not self.leaving:
            self.leaving = True
            # Behind the task's first step: a call that was let in leaves a record.
            asyncio.get_running_loop().call_soon(self._task.cancel)
        await self.over()
