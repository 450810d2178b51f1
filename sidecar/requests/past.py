"""What is remembered of a request that was answered: 64 bytes, on disk as in memory.

bytes  0-15  key: digest of workspace and request_id
      16-31  digest of the request itself; zeros = not kept (zero retention)
      32-47  ULID of the call that it became
      48-55  when that ended, UTC ms << 8 | Kept
      56-59  zero
      60-63  CRC32C of bytes 0-59
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntFlag
from typing import NamedTuple

import google_crc32c

from sidecar.requests.keys import CALL_BYTES, unpacked

_BODY = struct.Struct("<16s16s16sQI")
_CRC = struct.Struct("<I")
ENTRY_BYTES = _BODY.size + _CRC.size
_NO_CALL = bytes(CALL_BYTES)


class Kept(IntFlag):
    """Why it is remembered."""

    OK = 1
    ABANDONED = 2
    """The sidecar died in the middle of it."""
    MAYBE_BILLED = 4
    """It failed, and has cost something or may have."""


class Past(NamedTuple):
    key: bytes
    digest: bytes
    """Shortened; NO_DIGEST if it was not kept."""
    call: bytes
    """Its ULID's bytes."""
    ended_ms: int
    """UTC."""
    kept: int
    """Of `Kept`."""

    @property
    def call_id(self) -> str:
        return unpacked(self.call)

    def entry(self) -> bytes:
        """ENTRY_BYTES."""
        times = self.ended_ms << 8 | self.kept
        body = _BODY.pack(self.key, self.digest, self.call, times, 0)
        return body + _CRC.pack(google_crc32c.value(body))


def entries(data: bytes) -> Iterator[tuple[Past, bytes]]:
    """All that are whole, in their order, each with its bytes; what is torn or spoilt is passed over."""
    for start in range(0, len(data) - ENTRY_BYTES + 1, ENTRY_BYTES):
        if (found := read(data, start)) is not None:
            yield found, data[start : start + ENTRY_BYTES]


def read(data: bytes | bytearray, start: int) -> Past | None:
    """The entry that stands there; None if none does."""
    body = bytes(data[start : start + _BODY.size])
    if google_crc32c.value(body) != _CRC.unpack_from(data, start + _BODY.size)[0]:
        return None
    key, digest, call, times, zero = _BODY.unpack(body)
    return Past(key, digest, call, times >> 8, times & 255) if call != _NO_CALL and not zero else None
