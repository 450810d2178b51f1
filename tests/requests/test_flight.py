"""One call and those who wait for it: what each is given, at whose pace, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from sidecar.requests import Ending, Flight, Give, Lagging
from sidecar.requests.held import Answers
from tests.support.asked import Said

ROOM = 1 << 20


class Script:
    """Gives its parts one by one; `given` counts those that somebody took."""

    def __init__(self, *parts: bytes, holding: bool = False) -> None:
        self.parts = parts
        self.given = 0
        self.cancelled = False
        self.let = asyncio.Event()
        if not holding:
            self.let.set()

    async def __call__(self, give: Give) -> Ending:
        try:
            for part in self.parts:
                await give(part)
                self.given += 1
            await self.let.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Said()


def flight(script: Script, room: int = ROOM, *, keep: bool = True) -> Flight:
    return Flight(b"k" * 16, b"d" * 16, "01CALL", script, Answers(room, 60.0, lambda: 0.0), keep=keep)


async def heard(flown: Flight) -> list[bytes]:
    async with aclosing(flown.follow()) as parts:
        return [part async for part in parts]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


async def test_each_is_given_every_part() -> None:
    flown = flight(Script(b"a", b"b", b"c"))
    assert await asyncio.gather(*(heard(flown) for _ in range(5))) == [[b"a", b"b", b"c"]] * 5
    assert flown.ending == Said()


async def test_one_that_comes_when_it_is_over_is_given_every_part() -> None:
    flown = flight(Script(b"a", b"b"))
    assert await heard(flown) == await heard(flown)


async def test_it_goes_at_the_pace_of_its_only_waiter() -> None:
    """A provider is not read on behalf of a caller that does not read."""
    script = Script(*(bytes([number]) for number in range(9)))
    flown = flight(script)
    async with aclosing(flown.follow()) as parts:
        for taken in range(3):
            await anext(parts)
            for _ in range(10):
                await asyncio.sleep(0)
            assert script.given == taken


async def test_it_goes_at_the_pace_of_the_furthest() -> None:
    script = Script(*(bytes([number]) for number in range(9)))
    flown = flight(script)
    async with aclosing(flown.follow()) as slow:
        assert await anext(slow) == b"\0"
        assert len(await heard(flown)) == 9
        assert len([part async for part in slow]) == 8


async def test_it_ends_with_its_last_waiter_and_not_before() -> None:
    script = Script(b"a", holding=True)
    flown = flight(script)
    waiters = [asyncio.create_task(heard(flown)) for _ in range(3)]
    await until(lambda: script.given)
    for waiter in waiters[:2]:
        waiter.cancel()
    await asyncio.wait(waiters[:2])
    assert [script.cancelled, flown.leaving] == [False] * 2
    waiters[2].cancel()
    await asyncio.wait(waiters[2:])
    assert [script.cancelled, flown.leaving, flown.broke] == [True] * 3


async def test_one_that_leaves_at_once_leaves_a_call_that_had_begun() -> None:
    """What was let in has its row: the call gets as far as its first wait."""
    script = Script(b"a", holding=True)
    waiter = asyncio.create_task(heard(flight(script)))
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.wait({waiter})
    assert script.cancelled


async def test_beyond_its_room_it_is_not_recorded_but_given_whole() -> None:
    flown = flight(Script(*[b"x" * 100] * 50), room=1000)
    async with aclosing(flown.follow()) as parts:
        got = [part async for part in parts]
    assert (len(got), flown.recording, flown.joinable, flown.parts) == (50, False, False, ())


async def test_a_waiter_that_lags_beyond_its_room_is_told() -> None:
    flown = flight(Script(*[b"x" * 100] * 50), room=1000)
    async with aclosing(flown.follow()) as slow:
        await anext(slow)
        assert len(await heard(flown)) == 50
        with pytest.raises(Lagging):
            await anext(slow)


async def test_one_that_lags_is_given_the_rest_of_what_is_over() -> None:
    """Though there was no room to hold it on."""
    flown = flight(Script(*[b"x" * 100] * 5), room=8000)
    async with aclosing(flown.follow()) as slow:
        await anext(slow)
        assert len(await heard(flown)) == 5
        flown.grow(1 << 20)
        assert not flown.recording
        assert len([part async for part in slow]) == 4


async def test_what_may_not_be_kept_is_not_recorded() -> None:
    flown = flight(Script(b"a", b"b", holding=True), keep=False)
    async with aclosing(flown.follow()) as parts:
        assert flown.joinable
        await anext(parts)
        await anext(parts)
        assert (flown.joinable, flown.recorded_bytes) == (False, 0)


async def test_what_the_call_raises_is_raised_to_each() -> None:
    async def run(_: Give) -> Ending:
        raise ValueError("no")

    flown = Flight(b"k" * 16, b"d" * 16, "01CALL", run, Answers(ROOM, 60.0, lambda: 0.0), keep=True)
    for _ in range(2):
        assert await heard(flown) == []
        with pytest.raises(ValueError, match="no"):
            _ending = flown.ending
