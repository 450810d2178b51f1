"""Reading a journal while it is written, from any process.

What a reader may rely on, and why:
- frames are written in order, so a whole frame means that all before it were written; what was read before
  that was seen may be stale, hence a place is given up as corrupt only after it was read again;
- a segment that has begun means that the one before it is complete; so does the one after it being made ready.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from sidecar.journal.frames import FORMAT_VERSION, HEADER_BYTES, Run, Stop, find, scan
from sidecar.journal.segments import BEGINNING, JournalVersionError, Position, begun, numbers, path_of, unread_bytes
from taximeter.journal.v1 import journal_pb2

_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    frame: journal_pb2.Frame
    position: Position
    """Just behind the frame: where to go on after it."""


class Tail:
    """One sidecar's journal from a position on. Holds no descriptor between reads."""

    def __init__(self, directory: Path, position: Position = BEGINNING) -> None:
        """`directory` is the sidecar's own: `<home>/journal/<sidecar_id>`."""
        self._directory = directory
        self.position = position
        self.corrupt_frames = 0
        """Stretches that were given up, each one frame or more."""

    def read(self, max_bytes: int = 4 << 20) -> list[Entry]:
        """The next whole frames, about `max_bytes` of them; empty = nothing more yet.

        Raises JournalVersionError, once the frames before it have been given out.
        """
        entries: list[Entry] = []
        budget = max_bytes
        while budget > 0:
            before = self.position
            if not self._step(entries, max(HEADER_BYTES, min(budget, _CHUNK))):
                break
            if self.position.segment == before.segment:
                budget -= self.position.offset - before.offset
        return entries

    def backlog_bytes(self) -> int:
        """What was written behind this reader's position."""
        return unread_bytes(self._directory, self.position)

    def _step(self, entries: list[Entry], size: int) -> bool:
        """Takes one chunk's frames, or one step past what is none. False: wait for the writer."""
        with self._segment() as fd:
            if fd is None:
                return self._next_segment()
            run = self._scan(fd, size)
            if run.stop is Stop.CUT and not run.frames:
                run = self._scan(fd, size + run.missing)
            if run.frames:
                self._take(run, entries)
                return True
            if run.stop is Stop.NEWER:
                return self._newer(entries)
            return self._settle(fd, run)

    def _newer(self, entries: list[Entry]) -> bool:
        if entries:
            return False
        raise JournalVersionError(
            f"{path_of(self._directory, self.position.segment)} was written by a newer Taximeter (this one reads "
            f"journals up to format {FORMAT_VERSION}): run that version, or a newer one, on this data directory"
        )

    def _take(self, run: Run, entries: list[Entry]) -> None:
        base = self.position.offset
        for payload, end in run.frames:
            self.position = Position(self.position.segment, base + end)
            try:
                entries.append(Entry(journal_pb2.Frame.FromString(payload), self.position))
            except DecodeError:
                self.corrupt_frames += 1

    def _settle(self, fd: int, run: Run) -> bool:
        """There is no whole frame here. Not yet, or never? True: the position moved, or it is worth another look."""
        complete = self._complete()
        if not complete and run.stop in (Stop.BLANK, Stop.END):
            return False
        rest = _read_all(fd, self.position.offset)
        candidate = find(rest)
        if candidate is not None:
            if candidate > 0 and not self._scan(fd, len(rest)).frames:
                self.corrupt_frames += 1
                self.position = Position(self.position.segment, self.position.offset + candidate)
            return True
        if not complete:
            return False
        self.corrupt_frames += bool(rest.rstrip(b"\0"))
        self.position = Position(self.position.segment + 1, 0)
        return True

    def _scan(self, fd: int, size: int) -> Run:
        return scan(os.pread(fd, size, self.position.offset))

    def _complete(self) -> bool:
        """Whether nothing more can be written to this segment."""
        following = self.position.segment + 1
        return begun(path_of(self._directory, following)) or path_of(self._directory, following + 1).exists()

    def _next_segment(self) -> bool:
        """From a segment that is not there (the beginning, or retired) to the first one behind it."""
        later = [number for number in numbers(self._directory) if number > self.position.segment]
        if later:
            self.position = Position(later[0], 0)
        return bool(later)

    @contextmanager
    def _segment(self) -> Iterator[int | None]:
        try:
            fd = os.open(path_of(self._directory, self.position.segment), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        try:
            yield fd
        finally:
            os.close(fd)


def sidecars(directory: Path) -> list[str]:
    """Who wrote a journal below `<home>/journal`, by name."""
    try:
        return sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    except FileNotFoundError:
        return []


def _read_all(fd: int, offset: int) -> bytes:
    parts = []
    while part := os.pread(fd, 1 << 20, offset):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
