"""Decompression that stops in time."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from sidecar.core.faults import Garbled, StreamCut

_STEP_BYTES = 256 * 1024
_ANY_HEADER = 32 + zlib.MAX_WBITS  # gzip or zlib, as the data says


class Inflater:
    """gzip and deflate bodies in small steps, so that a bomb is met by the size limit before it is in memory."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_ANY_HEADER)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, at most 256 KiB at a time. Raises Garbled."""
        try:
            while data:
                if self._member.eof:
                    self._member = zlib.decompressobj(_ANY_HEADER)
                piece = self._member.decompress(data, _STEP_BYTES)
                data = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
                if piece:
                    yield piece
        except zlib.error as error:
            raise Garbled(f"the compressed body is broken: {error}") from error

    def finish(self) -> bytes:
        """What was held back. Raises StreamCut if the data ended too early."""
        rest = self._member.flush()
        if not self._member.eof:
            raise StreamCut("the compressed body ended too early")
        return rest


class Plain:
    """A body that is not compressed."""

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def finish(self) -> bytes:
        return b""


def decoder(content_encoding: str) -> Inflater | Plain:
    """For one `content-encoding`. Raises Garbled for one that was not asked for."""
    match content_encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip" | "deflate":
            return Inflater()
        case other:
            raise Garbled(f"the body is encoded as {other[:40]!r}, which was not asked for")
