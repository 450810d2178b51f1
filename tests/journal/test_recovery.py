from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import pytest

from sidecar.core.call import CallRecord
from sidecar.core.clock import Clock
from sidecar.journal import JournalFull, JournalVersionError, Tail, recover
from sidecar.journal.frames import encode
from sidecar.journal.segments import numbers, path_of
from taximeter.journal.v1 import journal_pb2
from tests.support.journal import SIDECAR, a_record, a_start, abandoned, drain, entries, finishes, kinds, open_journal

CLOCK = Clock(wall_ns=lambda: 1_800_000_000_000_000_000)


@dataclass(frozen=True)
class Dead:
    """The journal of a sidecar that was killed: 1 finished, 2 and 3 open (3 at its second attempt)."""

    directory: Path

    @property
    def own(self) -> Path:
        return self.directory / SIDECAR


@pytest.fixture
async def dead(tmp_path: Path) -> Dead:
    journal = open_journal(tmp_path / "living")
    for seq in (journal.begin(), journal.begin(), journal.begin()):
        journal.started(a_start(seq))
    journal.started(a_start(3, alias="second attempt"))
    journal.begin()
    await journal.finished(a_record(1))
    shutil.copytree(tmp_path / "living", tmp_path / "dead")
    await journal.close()
    return Dead(tmp_path / "dead")


def test_what_was_open_is_finished_under_its_own_key(dead: Dead) -> None:
    assert recover(dead.directory, CLOCK, abandoned) == 2
    assert finishes(entries(dead.own)) == [(1, "ok"), (2, "abandoned"), (3, "abandoned")]


def test_the_latest_start_is_what_is_abandoned(dead: Dead) -> None:
    seen: list[CallRecord] = []

    def abandon(record: CallRecord) -> CallRecord:
        seen.append(record)
        return abandoned(record)

    recover(dead.directory, CLOCK, abandon)
    assert seen == [a_start(2), a_start(3, alias="second attempt")]


def test_the_book_is_closed_and_says_how_many_were_open(dead: Dead) -> None:
    recover(dead.directory, CLOCK, abandoned)
    closed = entries(dead.own)[-1].frame.closed
    assert (closed.recovered, closed.at_ns) == (2, CLOCK.wall_ns())


def test_what_stood_is_not_rewritten_and_the_finishes_go_to_the_segment_that_stood_ready(dead: Dead) -> None:
    before = path_of(dead.own, 1).read_bytes().rstrip(b"\0")
    recover(dead.directory, CLOCK, abandoned)
    assert path_of(dead.own, 1).read_bytes().startswith(before)
    assert numbers(dead.own) == [1, 2]


def test_what_was_preallocated_is_given_back(dead: Dead) -> None:
    recover(dead.directory, CLOCK, abandoned)
    ends = {entry.position.segment: entry.position.offset for entry in entries(dead.own)}
    assert {number: path_of(dead.own, number).stat().st_size for number in ends} == ends


def test_a_second_recovery_finds_nothing_to_do(dead: Dead) -> None:
    recover(dead.directory, CLOCK, abandoned)
    before = entries(dead.own)
    assert recover(dead.directory, CLOCK, abandoned) == 0
    assert entries(dead.own) == before


def test_a_reader_from_before_goes_on_through_the_recovery(dead: Dead) -> None:
    tail = Tail(dead.own)
    first = drain(tail)
    recover(dead.directory, CLOCK, abandoned)
    assert finishes(first + drain(tail)) == [(1, "ok"), (2, "abandoned"), (3, "abandoned")]


@pytest.mark.parametrize("again", [False, True], ids=["killed-once", "killed-twice"])
def test_a_recovery_killed_anywhere_is_finished_by_the_next(dead: Dead, tmp_path: Path, again: bool) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(dead.directory, whole)
    recover(whole, CLOCK, abandoned)
    ending = path_of(whole / SIDECAR, 2).read_bytes()
    for cut in range(0, len(ending), 7):
        copy = tmp_path / f"cut-{cut}"
        shutil.copytree(dead.directory, copy)
        path_of(copy / SIDECAR, 2).write_bytes(ending[:cut] + bytes(len(ending) - cut))
        if again:
            recover(copy, CLOCK, abandoned)
            third = path_of(copy / SIDECAR, 3)
            if third.exists():
                third.write_bytes(third.read_bytes()[: cut // 2])
        recover(copy, CLOCK, abandoned)
        found = entries(copy / SIDECAR)
        assert sorted(finishes(found)) == [(1, "ok"), (2, "abandoned"), (3, "abandoned")], cut
        assert kinds(found)[-1] == "closed"


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        pytest.param(lambda data: data, [(1, "ok"), (2, "abandoned"), (3, "abandoned")], id="none"),
        pytest.param(lambda data: data[:-3], [(1, "abandoned"), (2, "abandoned"), (3, "abandoned")], id="torn-finish"),
        pytest.param(lambda data: data + b"garbage", [(1, "ok"), (2, "abandoned"), (3, "abandoned")], id="garbage"),
        pytest.param(lambda data: b"", [], id="nothing-was-written"),
    ],
)
def test_a_torn_tail(dead: Dead, damage: Callable[[bytes], bytes], expected: list[tuple[int, str]]) -> None:
    first = path_of(dead.own, 1)
    first.write_bytes(damage(first.read_bytes()[: entries(dead.own)[-1].position.offset]) + bytes(999))
    recover(dead.directory, CLOCK, abandoned)
    found = entries(dead.own)
    assert (sorted(finishes(found)), kinds(found)[-1]) == (expected, "closed")


async def test_only_the_newest_segments_are_read(tmp_path: Path) -> None:
    """The snapshot at its head says all that recovery needs of what came before: here, that is destroyed."""
    journal = open_journal(tmp_path)
    left_open = journal.begin()
    journal.started(a_start(left_open))
    while len(numbers(tmp_path / SIDECAR)) < 5:
        await journal.finished(a_record(journal.begin()))
    await journal.close()
    for number in (1, 2, 3):
        path_of(tmp_path / SIDECAR, number).write_bytes(b"lost")
    assert recover(tmp_path, CLOCK, abandoned) == 1
    assert finishes(entries(tmp_path / SIDECAR))[-1] == (left_open, "abandoned")


async def test_a_damaged_snapshot_sends_recovery_one_segment_back(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    left_open = journal.begin()
    journal.started(a_start(left_open))
    while len(numbers(tmp_path / SIDECAR)) < 4:
        await journal.finished(a_record(journal.begin()))
    await journal.close()
    newest = path_of(tmp_path / SIDECAR, 3)
    newest.write_bytes(newest.read_bytes()[:20] + b"?" + newest.read_bytes()[21:])
    assert recover(tmp_path, CLOCK, abandoned) == 1


async def test_every_incarnation_is_recovered(tmp_path: Path) -> None:
    for sidecar_id in ("A", "B", "C"):
        journal = open_journal(tmp_path, sidecar_id=sidecar_id)
        seq = journal.begin()
        journal.started(a_start(seq, sidecar_id=sidecar_id))
        if sidecar_id == "B":
            await journal.finished(a_record(seq, sidecar_id=sidecar_id))
        await journal.close()
    assert recover(tmp_path, CLOCK, abandoned) == 2
    assert [finishes(entries(tmp_path / name)) for name in "ABC"] == [
        [(1, "abandoned")],
        [(1, "ok")],
        [(1, "abandoned")],
    ]


def test_an_incarnation_that_wrote_nothing_is_closed(tmp_path: Path) -> None:
    (tmp_path / "A").mkdir()
    assert recover(tmp_path, CLOCK, abandoned) == 0
    assert kinds(entries(tmp_path / "A")) == ["snapshot", "closed"]


def test_no_journal_at_all(tmp_path: Path) -> None:
    assert recover(tmp_path / "nowhere", CLOCK, abandoned) == 0


def test_a_journal_of_a_newer_version_is_left_alone_and_told(dead: Dead) -> None:
    data = bytearray(encode(journal_pb2.Frame(state=journal_pb2.State()).SerializeToString()))
    first = path_of(dead.own, 1)
    data[4] = 9
    data[12:16] = google_crc32c.value(bytes(data[:12] + data[16:])).to_bytes(4, "little")
    first.write_bytes(bytes(data))
    with pytest.raises(JournalVersionError, match="run that version"):
        recover(dead.directory, CLOCK, abandoned)
    assert first.read_bytes() == data


def test_no_room_for_the_finishes_is_told(dead: Dead, monkeypatch: pytest.MonkeyPatch) -> None:
    path_of(dead.own, 2).unlink()

    def no_space(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", no_space)
    with pytest.raises(JournalFull, match="free disk space"):
        recover(dead.directory, CLOCK, abandoned)
    monkeypatch.undo()
    assert recover(dead.directory, CLOCK, abandoned) == 2
    assert len(finishes(entries(dead.own))) == 3
