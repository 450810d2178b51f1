from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.core.clock import Clock
from sidecar.journal import JournalFailed, JournalFull, JournalPolicy, Tail, backlog_bytes, mark_ingested, recover
from sidecar.journal.segments import numbers, path_of
from taximeter.journal.v1 import journal_pb2
from tests.support.journal import SIDECAR, TINY, a_record, a_start, drain, entries, finishes, kinds, open_journal

Refuse = Callable[[], None]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Once called, nothing more can be allocated."""

    def no_space(fd: int, offset: int, size: int) -> None:
        if os.fstat(fd).st_size < size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(os, "posix_fallocate", no_space)


def failing_sync(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """From now on `fdatasync` fails; the descriptors that it was asked for."""
    asked: list[int] = []

    def fail(fd: int) -> None:
        asked.append(fd)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", fail)
    return asked


async def test_a_call_leaves_its_start_and_its_record(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    seq = journal.begin()
    journal.started(a_start(seq))
    await journal.finished(a_record(seq))
    assert kinds(entries(tmp_path / SIDECAR)) == ["snapshot", "started", "finished"]
    await journal.close()


async def test_frames_can_be_read_before_they_are_durable(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    seq = journal.begin()
    journal.started(a_start(seq))
    done = journal.finished(a_record(seq))
    assert (finishes(entries(tmp_path / SIDECAR)), done.done()) == ([(seq, "ok")], False)
    await done
    await journal.close()


async def test_a_finish_is_done_only_after_a_sync_that_began_behind_its_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    sync, log = os.fdatasync, list[str]()

    def logged(fd: int) -> None:
        log.append("sync")
        sync(fd)

    monkeypatch.setattr(os, "fdatasync", logged)
    done = journal.finished(a_record(journal.begin()))
    done.add_done_callback(lambda _: log.append("done"))
    log.append("written")
    await done
    await journal.close()
    assert log[log.index("written") :][:2] == ["written", "sync"]
    assert "done" in log


async def test_seqs_begin_at_1_and_rise(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert [journal.begin() for _ in range(3)] == [1, 2, 3]
    await journal.close()


async def test_a_call_cannot_finish_twice(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    seq = journal.begin()
    await journal.finished(a_record(seq))
    with pytest.raises(KeyError):
        journal.finished(a_record(seq))
    await journal.close()


async def test_segments_turn_and_every_one_begins_with_what_is_open(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    left_open = journal.begin()
    journal.started(a_start(left_open, alias="long"))
    for _ in range(200):
        seq = journal.begin()
        journal.started(a_start(seq))
        await journal.finished(a_record(seq))
    await journal.finished(a_record(left_open))
    await journal.close()
    found = entries(tmp_path / SIDECAR)
    snapshots = [entry.frame.snapshot for entry in found if entry.frame.HasField("snapshot")]
    assert len(snapshots) > 3
    assert all([call.seq for call in snapshot.open_calls][:1] == [left_open] for snapshot in snapshots[1:])
    assert sorted(seq for seq, _ in finishes(found)) == list(range(1, 202))
    assert [snapshot.segment for snapshot in snapshots] == numbers(tmp_path / SIDECAR)


async def test_an_ended_journal_ends_with_closed_and_takes_no_more_room_than_it_needs(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.finished(a_record(journal.begin()))
    await journal.close()
    found = entries(tmp_path / SIDECAR)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / SIDECAR).iterdir()}
    assert (kinds(found)[-1], sizes) == ("closed", {"0000000001.journal": found[-1].position.offset})


async def test_with_a_call_open_the_book_is_not_closed(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.started(a_start(journal.begin()))
    await journal.close()
    assert kinds(entries(tmp_path / SIDECAR))[-1] == "started"


async def test_after_the_end_nothing_begins(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.close()
    with pytest.raises(JournalFailed, match="closed"):
        journal.begin()


async def test_state_is_written(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    journal.state(journal_pb2.State(in_flight=4))
    assert entries(tmp_path / SIDECAR)[-1].frame.state.in_flight == 4
    await journal.close()


async def test_files_are_for_their_owner_only(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal")
    modes = [path.stat().st_mode & 0o777 for path in [tmp_path / "journal" / SIDECAR, *tmp_path.glob("*/*/*")]]
    assert modes == [0o700, 0o600, 0o600]
    await journal.close()


async def test_a_full_disk_refuses_a_call_before_it_begins_and_lets_the_open_ones_finish(
    tmp_path: Path, full_disk: Refuse
) -> None:
    journal = open_journal(tmp_path, JournalPolicy(segment_bytes=64 * 1024))
    full_disk()
    opened: list[int] = []

    def begin_without_end() -> None:
        while True:
            opened.append(journal.begin())
            journal.started(a_start(opened[-1]))

    with pytest.raises(JournalFull, match=r"No space left on device\): free disk space"):
        begin_without_end()
    for seq in opened:
        await journal.finished(a_record(seq, alias="x" * 5000))
    assert journal.healthy
    assert [seq for seq, _ in finishes(entries(tmp_path / SIDECAR))] == opened
    assert len(opened) >= 4
    await journal.close()


async def test_a_full_disk_that_lasts_refuses_without_end_and_calls_go_on_when_there_is_room(
    tmp_path: Path, full_disk: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal(tmp_path)
    full_disk()
    served = refused = 0
    for _ in range(300):
        try:
            seq = journal.begin()
            journal.started(a_start(seq))
        except JournalFull:
            refused += 1
        else:
            await journal.finished(a_record(seq))
            served += 1
    assert served > 0
    assert refused > 0
    monkeypatch.undo()
    await journal.finished(a_record(journal.begin()))
    await journal.close()
    assert len(finishes(entries(tmp_path / SIDECAR))) == served + 1


async def test_without_room_a_second_attempt_is_refused_and_the_call_still_finishes(
    tmp_path: Path, full_disk: Refuse
) -> None:
    journal = open_journal(tmp_path)
    seq = journal.begin()
    full_disk()

    def try_without_end() -> None:
        while True:
            journal.started(a_start(seq))

    with pytest.raises(JournalFull):
        try_without_end()
    await journal.finished(a_record(seq))
    await journal.close()
    assert finishes(entries(tmp_path / SIDECAR)) == [(seq, "ok")]


async def test_a_journal_that_finds_no_room_says_so_at_once(tmp_path: Path, full_disk: Refuse) -> None:
    full_disk()
    with pytest.raises(JournalFull, match="free disk space there"):
        open_journal(tmp_path)


async def test_many_open_calls_grow_the_next_segment(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    opened = [journal.begin() for _ in range(100)]
    for seq in opened:
        journal.started(a_start(seq))
    await asyncio.gather(*(journal.finished(a_record(seq, alias="y" * 7000)) for seq in opened))
    await journal.close()
    assert [seq for seq, _ in finishes(entries(tmp_path / SIDECAR))] == opened


async def test_a_failed_sync_fails_all_who_wait_once_and_is_never_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[BaseException] = []
    journal = open_journal(tmp_path, on_failure=failures.append)
    await journal.finished(a_record(journal.begin()))
    asked = failing_sync(monkeypatch)
    waiting = [journal.finished(a_record(journal.begin())) for _ in range(5)]
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(reason, JournalFailed) and "Input/output error" in str(reason) for reason in told)
    with pytest.raises(JournalFailed):
        journal.begin()
    await journal.close()
    assert (len(failures), len(asked), journal.healthy) == (1, 1, False)


async def test_after_a_failed_sync_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = open_journal(tmp_path)
    seq, other = journal.begin(), journal.begin()
    failing_sync(monkeypatch)
    with pytest.raises(JournalFailed):
        await journal.finished(a_record(seq))
    before = entries(tmp_path / SIDECAR)
    with pytest.raises(JournalFailed):
        await journal.finished(a_record(other))
    with pytest.raises(JournalFailed):
        journal.started(a_start(other))
    journal.state(journal_pb2.State())
    await journal.close()
    assert entries(tmp_path / SIDECAR) == before


async def test_a_failed_write_of_a_finish_fails_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[BaseException] = []
    journal = open_journal(tmp_path, on_failure=failures.append)
    seq = journal.begin()

    def fail(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pwrite", fail)
    with pytest.raises(JournalFailed):
        await journal.finished(a_record(seq))
    assert (len(failures), journal.healthy) == (1, False)
    await journal.close()


async def test_a_caller_who_stops_waiting_does_not_disturb_the_others(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    gone, staying = (journal.finished(a_record(journal.begin())) for _ in range(2))
    gone.cancel()
    await staying
    await journal.close()
    assert len(finishes(entries(tmp_path / SIDECAR))) == 2


async def test_at_the_backlogs_ceiling_calls_are_refused_until_the_bookkeeper_has_caught_up(tmp_path: Path) -> None:
    now_ns = 0
    clock = Clock(monotonic_ns=lambda: now_ns)
    journal = open_journal(tmp_path, JournalPolicy(16 * 1024, backlog_max_bytes=20_000), clock=clock)

    async def call_without_end() -> None:
        while True:
            await journal.finished(a_record(journal.begin()))

    with pytest.raises(JournalFull, match="is the bookkeeper running"):
        await call_without_end()
    assert backlog_bytes(tmp_path) > 20_000
    tail = Tail(tmp_path / SIDECAR)
    drain(tail)
    mark_ingested(tmp_path, SIDECAR, tail.position)
    now_ns += 2_000_000_000
    await journal.finished(a_record(journal.begin()))
    assert tail.backlog_bytes() == backlog_bytes(tmp_path) < 1000
    await journal.close()


async def test_what_earlier_incarnations_left_counts_to_the_backlog(tmp_path: Path) -> None:
    first = open_journal(tmp_path, sidecar_id="A")
    for _ in range(100):
        await first.finished(a_record(first.begin(), sidecar_id="A"))
    await first.close()
    second = open_journal(tmp_path, JournalPolicy(16 * 1024, backlog_max_bytes=10_000), sidecar_id="B")
    with pytest.raises(JournalFull, match="backlog"):
        second.begin()
    await second.close()


async def test_a_journal_is_never_opened_twice(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    with pytest.raises(FileExistsError):
        open_journal(tmp_path)
    await journal.close()


async def test_a_full_disk_still_lets_a_dead_sidecars_calls_be_recovered(tmp_path: Path, full_disk: Refuse) -> None:
    """The blank segment that stood ready is where their finishes go."""
    journal = open_journal(tmp_path, TINY)
    opened = [journal.begin() for _ in range(3)]
    for seq in opened:
        journal.started(a_start(seq))
    full_disk()
    await journal.close()
    assert recover(tmp_path, Clock(), lambda record: record) == 3
    assert len(finishes(entries(tmp_path / SIDECAR))) == 3
    assert path_of(tmp_path / SIDECAR, 2).stat().st_size < 16 * 1024
