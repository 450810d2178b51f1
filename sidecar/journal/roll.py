"""The roll that a meter prints on: the segment being written, and the next one, standing ready."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sidecar.journal.segments import JournalFull, Position, extend, path_of, preallocate, write_all
from sidecar.journal.syncer import Sync, Syncer


@dataclass(slots=True)
class _Segment:
    number: int
    fd: int
    size: int
    used: int = 0


class Roll:
    """Appends frames, segment after segment. Every segment begins with the frame that `head(number)` gives."""

    def __init__(self, directory: Path, segment_bytes: int, syncer: Syncer, head: Callable[[int], bytes]) -> None:
        """Makes the first segment and the next. Raises JournalFull."""
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._syncer = syncer
        self._head = head
        self._directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.written_bytes = 0
        self._current = self._make(1, 0)
        self._next: _Segment | None = None
        self._write(head(1))
        self.hold(0)

    @property
    def ready(self) -> bool:
        """Whether a next segment stands ready; without it there is room for what is open, and no more."""
        return self._next is not None

    @property
    def position(self) -> Position:
        """Just behind the last frame."""
        return Position(self._current.number, self._current.used)

    def hold(self, need: int) -> None:
        """Has the next segment ready, with room for `need` bytes. Raises JournalFull."""
        if self._next is None:
            self._next = self._make(self._current.number + 1, need)
        elif self._next.size < need:
            extend(self._next.fd, need, path_of(self._directory, self._next.number))
            self._next.size = need

    def append(self, frame: bytes) -> int:
        """Into the page cache. Gives the descriptor that has to be synced to make it durable."""
        if self._current.used + len(frame) > self._current.size:
            self._turn(len(frame))
        self._write(frame)
        return self._current.fd

    def end(self, keep_next: bool) -> None:
        """Nothing follows. The blank next segment is left for a recovery to write in, if there will be one."""
        self._seal(self._current)
        if self._next is not None and not keep_next:
            path_of(self._directory, self._next.number).unlink()

    def close(self) -> None:
        """After the last sync."""
        os.close(self._directory_fd)
        if self._next is not None:
            os.close(self._next.fd)

    def _turn(self, need: int) -> None:
        """Goes on in the next segment. Its head is written first: it tells readers that this one is complete."""
        full = self._current
        head = self._head(full.number + 1)
        self.hold(len(head) + need)
        self._current, self._next = self._next or full, None
        self._write(head)
        self._seal(full)
        try:
            self.hold(0)
        except JournalFull:
            return  # what is open fits here; the next call to begin asks again, and is told

    def _make(self, number: int, need: int) -> _Segment:
        size = max(need, self._segment_bytes)
        segment = _Segment(number, preallocate(path_of(self._directory, number), size), size)
        self._syncer.put(Sync(self._directory_fd))
        return segment

    def _seal(self, segment: _Segment) -> None:
        """A sealed segment is as long as what stands in it."""
        os.ftruncate(segment.fd, segment.used)
        self._syncer.put(Sync(segment.fd, close=True))

    def _write(self, frame: bytes) -> None:
        write_all(self._current.fd, frame, self._current.used)
        self._current.used += len(frame)
        self.written_bytes += len(frame)
