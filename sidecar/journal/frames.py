"""A frame: how one message stands in a segment, and how it is found again.

    bytes  0-3   magic "TXMJ"
           4-5   format version, little-endian like all that follows
           6-7   zero
           8-11  length of the payload
          12-15  CRC32C of bytes 0-11 and the payload
          16-    payload, a serialized `taximeter.journal.v1.Frame`

These sixteen bytes mean the same in every format version, so an older reader can tell a newer frame from a
broken one.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, auto

import google_crc32c

MAGIC = b"TXMJ"
FORMAT_VERSION = 1
_HEAD = struct.Struct("<4sHHI")
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEAD.size + _CRC.size
MAX_PAYLOAD_BYTES = 64 * 1024 * 1024


class Stop(Enum):
    """Why no frame follows."""

    END = auto()
    """The buffer is used up to its last byte."""
    CUT = auto()
    """A plausible header, whose payload goes past the buffer; or not even room for a header."""
    BLANK = auto()
    """Zeros: nothing has been written here yet."""
    BAD = auto()
    """Neither a frame nor nothing."""
    NEWER = auto()
    """A whole frame of a newer format: not for us to read."""


@dataclass(frozen=True, slots=True)
class Run:
    """Frames that follow one another from a place in a buffer, and what ended the row."""

    frames: tuple[tuple[bytes, int], ...]
    """(payload, offset in the buffer just behind it)."""
    end: int
    stop: Stop
    missing: int = 0
    """With CUT: bytes that the buffer lacks, as far as known."""


def encode(payload: bytes) -> bytes:
    head = _HEAD.pack(MAGIC, FORMAT_VERSION, 0, len(payload))
    return b"".join((head, _CRC.pack(google_crc32c.extend(google_crc32c.value(head), payload)), payload))


def scan(buffer: bytes, start: int = 0) -> Run:
    """All whole frames from `start` on."""
    frames: list[tuple[bytes, int]] = []
    at = start
    while True:
        payload, stop, missing = _frame_at(buffer, at)
        if payload is None:
            return Run(tuple(frames), at, stop, missing)
        at += HEADER_BYTES + len(payload)
        frames.append((payload, at))


def find(buffer: bytes, start: int = 0) -> int | None:
    """Where the first whole frame, of whatever version, at or behind `start` begins."""
    at = buffer.find(MAGIC, start)
    while at >= 0:
        payload, stop, _ = _frame_at(buffer, at)
        if payload is not None or stop is Stop.NEWER:
            return at
        at = buffer.find(MAGIC, at + 1)
    return None


def _frame_at(buffer: bytes, at: int) -> tuple[bytes | None, Stop, int]:
    """(payload if whole and ours, why not, bytes missing)."""
    left = len(buffer) - at
    if left < HEADER_BYTES:
        return None, _short(buffer[at:]), HEADER_BYTES - left
    magic, version, _, length = _HEAD.unpack_from(buffer, at)
    if magic != MAGIC or length > MAX_PAYLOAD_BYTES:
        return None, Stop.BAD if any(buffer[at : at + HEADER_BYTES]) else Stop.BLANK, 0
    if left < HEADER_BYTES + length:
        return None, Stop.CUT, HEADER_BYTES + length - left
    payload = buffer[at + HEADER_BYTES : at + HEADER_BYTES + length]
    crc = google_crc32c.extend(google_crc32c.value(buffer[at : at + _HEAD.size]), payload)
    if (crc,) != _CRC.unpack_from(buffer, at + _HEAD.size):
        return None, Stop.BAD, 0
    return (None, Stop.NEWER, 0) if version > FORMAT_VERSION else (payload, Stop.END, 0)


def _short(rest: bytes) -> Stop:
    if not rest:
        return Stop.END
    return Stop.CUT if any(rest) else Stop.BLANK
