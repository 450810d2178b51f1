"""Answers in memory: bounded in bytes, each and all, and in time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sidecar.core.call import Call
from sidecar.core.clock import Clock
from sidecar.core.control import Control, Workspace
from sidecar.requests import Answer, Ending, Give, Past, Requests
from sidecar.requests.held import ANSWER_BYTES
from tests.support.asked import DIGEST, Said, Times, asked, costless, ended, requests
from tests.support.rig import Notes


async def made(room: Requests, size: int = 10, *, keep: bool = True, cost: bool = True) -> Call:
    """A call through `room`; gives it."""
    call = asked()

    async def run(give: Give) -> Ending:
        await give(b"x" * size)
        durable = asyncio.get_running_loop().create_future()
        durable.set_result(None)
        room.finished(ended(call) if cost else costless(call), durable)
        return Said()

    flown = room.begin(call, DIGEST, run, keep=keep)
    async for _ in flown.follow():
        pass
    await asyncio.sleep(0)
    return call


async def test_an_answer_is_held(tmp_path: Path) -> None:
    room = requests(tmp_path)
    found = await room.find(await made(room), DIGEST)
    assert isinstance(found, Answer)
    assert (found.parts, found.ending) == ((b"x" * 10,), Said())
    await room.close()


async def test_what_cost_nothing_is_forgotten(tmp_path: Path) -> None:
    room = requests(tmp_path)
    assert await room.find(await made(room, cost=False), DIGEST) is None
    assert (room.answers.used_bytes, len(room)) == (0, 0)
    await room.close()


async def test_what_may_not_be_kept_is_only_remembered(tmp_path: Path) -> None:
    room = requests(tmp_path)
    found = await room.find(await made(room, keep=False), DIGEST)
    assert isinstance(found, Past)
    assert room.answers.used_bytes == 0
    await room.close()


@pytest.mark.parametrize("size", [0, 1, 100, 3000, 20_000])
async def test_memory_is_never_more_than_its_bound(size: int, tmp_path: Path) -> None:
    room = requests(tmp_path, replay_bytes=40_000)
    for _ in range(30):
        await made(room, size)
        assert room.answers.used_bytes <= 40_000
    assert 0 < len(room.answers) <= 40_000 // ANSWER_BYTES
    await room.close()


async def test_the_oldest_goes_first(tmp_path: Path) -> None:
    room = requests(tmp_path, replay_bytes=3 * (ANSWER_BYTES + 100))
    calls = [await made(room) for _ in range(5)]
    held = [isinstance(await room.find(call, DIGEST), Answer) for call in calls]
    assert held == [False, False, True, True, True]
    await room.close()


async def test_it_goes_when_its_time_is_over(tmp_path: Path) -> None:
    times = Times()
    room = requests(tmp_path, times, replay_s=60)
    call = await made(room)
    times.pass_s(59)
    assert isinstance(await room.find(call, DIGEST), Answer)
    times.pass_s(2)
    assert isinstance(await room.find(call, DIGEST), Past)
    assert room.answers.used_bytes == 0
    await room.close()


@pytest.mark.parametrize(
    ("workspaces", "expected"),
    [
        pytest.param({"default": Workspace("default")}, Answer, id="another-one-is-gone"),
        pytest.param({"default": Workspace("default", zero_retention=True)}, Past, id="it-is-to-keep-nothing"),
        pytest.param({}, Past, id="it-is-gone"),
    ],
)
async def test_it_goes_with_its_workspace(
    workspaces: dict[str, Workspace], expected: type[object], tmp_path: Path
) -> None:
    room = requests(tmp_path)
    call = await made(room)
    before = {name: Workspace(name) for name in ("default", "other")}
    room.follow(Control(workspaces=before), Control(workspaces=workspaces))
    assert isinstance(await room.find(call, DIGEST), expected)
    room.answers.let_go("default")
    assert room.answers.used_bytes == 0
    await room.close()


async def test_of_a_workspace_that_keeps_nothing_by_now_none_is_held(tmp_path: Path) -> None:
    """It was under way when the workspace changed."""
    room, call = requests(tmp_path), asked()
    keeping = Control(workspaces={"default": Workspace("default")})
    nothing = Control(workspaces={"default": Workspace("default", zero_retention=True)})

    async def run(give: Give) -> Ending:
        room.follow(keeping, nothing)
        await give(b"part")
        durable = asyncio.get_running_loop().create_future()
        durable.set_result(None)
        room.finished(ended(call), durable)
        return Said()

    async for _ in room.begin(call, DIGEST, run, keep=True).follow():
        pass
    await asyncio.sleep(0)
    assert isinstance(await room.find(call, DIGEST), Past)
    assert (len(room.answers), room.answers.used_bytes) == (0, 0)
    await room.close()


async def test_it_goes_even_if_nobody_asks_any_more(tmp_path: Path) -> None:
    room = Requests(tmp_path / "requests", Clock(), Notes(), remembered=10, replay_bytes=1 << 20, replay_s=0.05)
    await made(room)
    async with asyncio.timeout(20):
        while len(room.answers):
            await asyncio.sleep(0.01)
    assert room.answers.used_bytes == 0
    await room.close()
