"""What is remembered across restarts: every whole entry, and nothing that was never written."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from sidecar.core.call import Call
from sidecar.requests import Past, Requests, key_of
from sidecar.requests.past import ENTRY_BYTES, Kept, entries
from tests.support.asked import DIGEST, Times, asked, ended, requests
from tests.support.rig import Notes

HOUR_S = 3600.0


async def again(room: Requests, folder: Path, times: Times | None = None, **bounds: Any) -> Requests:
    await room.close()
    new = requests(folder, times, **bounds)
    new.load()
    return new


def finish(room: Requests, call: Call, times: Times | None = None, **changes: Any) -> None:
    durable = asyncio.get_running_loop().create_future()
    durable.set_result(None)
    room.finished(ended(call, times, **changes), durable)


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "requests").iterdir())


async def test_it_is_remembered_by_the_next(tmp_path: Path) -> None:
    room, call = requests(tmp_path), asked()
    finish(room, call)
    room = await again(room, tmp_path)
    found = await room.find(call, DIGEST)
    assert isinstance(found, Past)
    assert (found.call_id, found.kept) == (call.call_id, Kept.OK)
    await room.close()


async def test_it_is_written_only_once_it_is_durable(tmp_path: Path) -> None:
    room, call = requests(tmp_path), asked()
    durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    room.finished(ended(call), durable)
    assert isinstance(await room.find(call, DIGEST), Past)
    await asyncio.sleep(0)
    assert not (tmp_path / "requests").exists()
    durable.set_exception(OSError("the disk is gone"))
    room = await again(room, tmp_path)
    assert await room.find(call, DIGEST) is None
    await room.close()


async def test_an_hour_a_file_for_a_day(tmp_path: Path) -> None:
    times = Times()
    room = requests(tmp_path, times)
    calls = []
    for _ in range(30):
        calls.append(asked())
        finish(room, calls[-1], times)
        await asyncio.sleep(0)
        times.pass_s(HOUR_S)
    room = await again(room, tmp_path, times)
    known = [isinstance(await room.find(call, DIGEST), Past) for call in calls]
    assert known == [False] * 7 + [True] * 23
    assert len(files(tmp_path)) <= 25
    assert (tmp_path / "requests").stat().st_mode & 0o777 == 0o700
    await room.close()


async def test_what_was_written_by_one_is_added_to_by_the_next(tmp_path: Path) -> None:
    calls = [asked() for _ in range(5)]
    room = requests(tmp_path)
    for call in calls:
        finish(room, call)
        room = await again(room, tmp_path)
    assert [isinstance(await room.find(call, DIGEST), Past) for call in calls] == [True] * 5
    assert len(files(tmp_path)) == 1
    await room.close()


async def test_a_torn_end_is_written_over(tmp_path: Path) -> None:
    room, first, second = requests(tmp_path), asked(), asked()
    finish(room, first)
    await room.close()
    (name,) = files(tmp_path)
    path = tmp_path / "requests" / name
    path.write_bytes(path.read_bytes() + b"torn")
    room = await again(room, tmp_path)
    finish(room, second)
    room = await again(room, tmp_path)
    assert [isinstance(await room.find(call, DIGEST), Past) for call in (first, second)] == [True, True]
    await room.close()


async def test_a_disk_that_takes_nothing_fails_no_call_and_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("in the way")
    notes = Notes()
    room = requests(tmp_path, notes=notes)
    calls = [asked() for _ in range(3)]
    for call in calls:
        finish(room, call)
        await asyncio.sleep(0)
        assert isinstance(await room.find(call, DIGEST), Past)
    assert [event for event, _ in notes.lines] == ["requests_not_kept"]
    await room.close()


async def test_a_full_disk_leaves_whole_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The half that fitted is written over by the next."""
    room, lost, kept = requests(tmp_path), asked(), asked()
    whole = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: whole(fd, data[:20], at))
    finish(room, lost)
    await asyncio.sleep(0)
    monkeypatch.setattr(os, "pwrite", whole)
    finish(room, kept)
    room = await again(room, tmp_path)
    assert await room.find(lost, DIGEST) is None
    assert isinstance(await room.find(kept, DIGEST), Past)
    await room.close()


async def test_the_oldest_are_forgotten_beyond_the_bound(tmp_path: Path) -> None:
    notes = Notes()
    room = requests(tmp_path, notes=notes, remembered=160)
    calls = [asked() for _ in range(500)]
    for call in calls:
        finish(room, call)
        assert len(room) <= 160
    assert len(room) >= 150
    known = [isinstance(await room.find(call, DIGEST), Past) for call in calls]
    assert known == sorted(known)
    assert known[-150:] == [True] * 150
    assert [event for event, _ in notes.lines] == ["requests_forgotten"]
    await room.close()


async def test_a_clock_that_went_back_forgets_nothing(tmp_path: Path) -> None:
    times, call = Times(), asked()
    room = requests(tmp_path, times)
    finish(room, call, times)
    times.pass_s(-5 * HOUR_S)
    room = await again(room, tmp_path, times)
    assert isinstance(await room.find(call, DIGEST), Past)
    await room.close()


WRITTEN = [ended(asked()) for _ in range(8)]
KEYS = {key_of(record.workspace, record.request_id): record.call_id for record in WRITTEN}


def data() -> bytes:
    from sidecar.requests.requests import past_of

    return b"".join(past_of(record).entry() for record in WRITTEN)


@given(keep=some.integers(0, 8 * ENTRY_BYTES), more=some.binary(max_size=200))
def test_any_end_gives_the_whole_entries_before_it(keep: int, more: bytes) -> None:
    found = [past.call_id for past, _ in entries(data()[:keep] + more)]
    assert found[: keep // ENTRY_BYTES] == [record.call_id for record in WRITTEN][: keep // ENTRY_BYTES]
    assert set(found) <= set(KEYS.values())


@given(changes=some.lists(some.tuples(some.integers(0, 8 * ENTRY_BYTES - 1), some.integers(0, 255)), max_size=20))
def test_spoilt_bytes_never_make_an_entry(changes: list[tuple[int, int]]) -> None:
    """Each entry that is found is one that was written, in all its parts."""
    spoilt = bytearray(data())
    for place, value in changes:
        spoilt[place] = value
    for past, _ in entries(bytes(spoilt)):
        assert KEYS[past.key] == past.call_id
        assert past.digest == DIGEST[:16]


@given(junk=some.binary(max_size=20 * ENTRY_BYTES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_junk_is_nothing(junk: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "requests"
    folder.mkdir(exist_ok=True)
    for name in (f"{Times().wall_ns // (3600 * 10**9)}.log", "x.log", "-1.log", "99999999999999999999.log"):
        (folder / name).write_bytes(junk)
    room = requests(tmp_path)
    room.load()
    assert len(room) == 0
