"""Closing the books of incarnations that did not: what they left open is finished as abandoned, once."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.core.call import CallRecord
from sidecar.core.clock import Clock
from sidecar.journal.frames import MAGIC, encode, scan
from sidecar.journal.records import finished_payload, from_proto
from sidecar.journal.segments import (
    BEGINNING,
    Position,
    begun,
    extend,
    numbers,
    path_of,
    sync_directory,
    write_all,
    written_bytes,
)
from sidecar.journal.tail import Tail, sidecars
from taximeter.journal.v1 import journal_pb2

_CLOSED_FRAME_BYTES = 64
"""More than a Closed frame ever takes."""


@dataclass(slots=True)
class _Book:
    """What stands in a journal from its newest snapshot on."""

    open_calls: dict[int, journal_pb2.CallRecord] = field(default_factory=dict)
    next_seq: int = 1
    closed: bool = False
    end: Position = BEGINNING

    def note(self, frame: journal_pb2.Frame) -> None:
        self.closed = False
        match frame.WhichOneof("entry"):
            case "snapshot":
                self.open_calls = {record.seq: record for record in frame.snapshot.open_calls}
                self.next_seq = frame.snapshot.next_seq
            case "started":
                self.open_calls[frame.started.seq] = frame.started
                self.next_seq = max(self.next_seq, frame.started.seq + 1)
            case "finished":
                self.open_calls.pop(frame.finished.seq, None)
                self.next_seq = max(self.next_seq, frame.finished.seq + 1)
            case "closed":
                self.closed = True


def recover(directory: Path, clock: Clock, abandon: Callable[[CallRecord], CallRecord]) -> int:
    """Appends the missing finishes of every incarnation below `directory` that has no Closed frame.

    `abandon` makes the finish of a call out of its latest start; (sidecar_id, seq) stay. Gives the number of
    finishes. May be killed anywhere and run again. No sidecar may be running on this directory: the caller
    holds its lock. Raises JournalFull, and JournalVersionError for a journal from a newer version.
    """
    return sum(_recover(directory / sidecar_id, sidecar_id, clock, abandon) for sidecar_id in sidecars(directory))


def closed(path: Path) -> bool:
    """Whether a segment ends with a Closed frame: seen from its last bytes."""
    with path.open("rb", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _CLOSED_FRAME_BYTES))
        rest = file.read()
    run = scan(rest, max(0, rest.rfind(MAGIC)))
    if not run.frames or run.end != len(rest):
        return False
    return journal_pb2.Frame.FromString(run.frames[-1][0]).HasField("closed")


def _recover(own: Path, sidecar_id: str, clock: Clock, abandon: Callable[[CallRecord], CallRecord]) -> int:
    used, blank = _split(own)
    if used and closed(path_of(own, used[-1])):
        _unlink(own, blank)
        return 0
    book = _read(own, used)
    if book.closed:
        return 0
    number = blank[0] if blank else used[-1] + 1 if used else 1
    finishes = [abandon(from_proto(start)) for start in book.open_calls.values()]
    _write(path_of(own, number), _ending(sidecar_id, number, book, finishes, clock.wall_ns()))
    _unlink(own, blank[1:])
    sync_directory(own)
    if used:
        _trim(path_of(own, used[-1]), book.end.offset)
    return len(finishes)


def _split(own: Path) -> tuple[list[int], list[int]]:
    """Segments that were begun, and those behind them that only stood ready."""
    used = numbers(own)
    blank: list[int] = []
    while used and not begun(path_of(own, used[-1])):
        blank.insert(0, used.pop())
    return used, blank


def _read(own: Path, used: list[int]) -> _Book:
    book = _Book()
    tail = Tail(own, Position(_newest_snapshot(own, used), 0))
    while entries := tail.read():
        for entry in entries:
            book.note(entry.frame)
    book.end = tail.position
    return book


def _newest_snapshot(own: Path, used: list[int]) -> int:
    """The newest segment whose head is whole; the first one if none is."""
    for number in reversed(used):
        head = Tail(own, Position(number, 0)).read(max_bytes=1)
        if head and head[0].position.segment == number and head[0].frame.HasField("snapshot"):
            return number
    return used[0] if used else 0


def _ending(sidecar_id: str, number: int, book: _Book, finishes: list[CallRecord], at_ns: int) -> bytes:
    snapshot = journal_pb2.Snapshot(
        sidecar_id=sidecar_id,
        segment=number,
        at_ns=at_ns,
        next_seq=book.next_seq,
        open_calls=book.open_calls.values(),
    )
    closed_frame = journal_pb2.Frame(closed=journal_pb2.Closed(at_ns=at_ns, recovered=len(finishes)))
    payloads = [
        journal_pb2.Frame(snapshot=snapshot).SerializeToString(),
        *(finished_payload(record) for record in finishes),
        closed_frame.SerializeToString(),
    ]
    return b"".join(encode(payload) for payload in payloads)


def _write(path: Path, data: bytes) -> None:
    """Into a new segment, or into the blank one that the dead incarnation had kept ready for just this."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(fd, len(data))
        extend(fd, len(data), path)
        write_all(fd, data, 0)
        os.fdatasync(fd)
    finally:
        os.close(fd)


def _unlink(own: Path, segments: list[int]) -> None:
    for number in segments:
        path_of(own, number).unlink()


def _trim(path: Path, end: int) -> None:
    """Gives back what was preallocated and never written."""
    if written_bytes(path, end) == 0:
        os.truncate(path, end)
