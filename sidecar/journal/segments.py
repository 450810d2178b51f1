"""Segments on disk: `<home>/journal/<sidecar_id>/<10-digit number>.journal`, numbered from 1.

A segment is preallocated, so most of the newest one is zeros, and the one after it stands ready, all zeros.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".journal"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BLOCK = 256 * 1024


class JournalFull(Exception):
    """No room to write what a call would need; the message says what to do."""


class JournalFailed(Exception):
    """The disk refused a write or a sync: nothing more is written by this process."""


class JournalVersionError(Exception):
    """A whole frame of a newer format: not for us to read."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in one sidecar's journal."""

    segment: int
    offset: int
    """Bytes from the segment's beginning."""


BEGINNING = Position(0, 0)


def path_of(directory: Path, number: int) -> Path:
    return directory / f"{number:010d}{SUFFIX}"


def numbers(directory: Path) -> list[int]:
    """Of all segments of one sidecar, ascending; of a directory that is not there, none."""
    try:
        names = [entry.name for entry in os.scandir(directory)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(int(name.removesuffix(SUFFIX)) for name in names if _is_segment(name))


def _is_segment(name: str) -> bool:
    return name.endswith(SUFFIX) and name.removesuffix(SUFFIX).isdecimal()


def begun(path: Path) -> bool:
    """Whether anything was written to it. If so, every frame of the segments before it had been written."""
    try:
        with path.open("rb", buffering=0) as file:
            return any(file.read(16))
    except FileNotFoundError:
        return False


def written_bytes(path: Path, start: int = 0) -> int:
    """Bytes from `start` to where only zeros follow (the file may be preallocated far beyond)."""
    end = place = 0
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            while solid := len((block := file.read(_BLOCK)).rstrip(b"\0")):
                end = place + solid
                place += len(block)
    except FileNotFoundError:
        return 0
    return end


def unread_bytes(directory: Path, position: Position) -> int:
    """Bytes of one sidecar's journal behind `position`. A sealed segment is as long as its file."""
    ahead = [number for number in numbers(directory) if number >= position.segment]
    while ahead and not begun(path_of(directory, ahead[-1])):
        ahead.pop()
    if not ahead:
        return 0
    starts = {position.segment: position.offset}
    *sealed, newest = ahead
    return written_bytes(path_of(directory, newest), starts.get(newest, 0)) + sum(
        max(0, size_of(path_of(directory, number)) - starts.get(number, 0)) for number in sealed
    )


def size_of(path: Path) -> int:
    """Of a file; 0 if it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def preallocate(path: Path, size: int) -> int:
    """Makes a segment of zeros and gives its descriptor. Raises JournalFull; then nothing of it stays."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        extend(fd, size, path)
    except BaseException:
        os.close(fd)
        path.unlink()
        raise
    return fd


def extend(fd: int, size: int, path: Path) -> None:
    """Makes a blank segment larger. Raises JournalFull."""
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError as error:
        raise full(error, path) from error


def full(error: OSError, path: Path) -> Exception:
    """JournalFull if that is what the error means, else the error."""
    if error.errno not in _FULL:
        return error
    return JournalFull(
        f"no room for the journal in {path.parent} ({error.strerror}): free disk space there, "
        "or let the bookkeeper run so that old segments can go"
    )


def write_all(fd: int, data: bytes, offset: int) -> None:
    """`os.pwrite` until all is written."""
    written = os.pwrite(fd, data, offset)
    while written < len(data):
        written += os.pwrite(fd, data[written:], offset + written)


def sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
