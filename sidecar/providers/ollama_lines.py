"""Newline-delimited JSON out of bytes, in any cut (docs.ollama.com/api/streaming)."""

from __future__ import annotations

from sidecar.core.faults import TooLarge
from sidecar.providers.sse import Event

MAX_LINE_BYTES = 16 * 1024 * 1024


class LineParser:
    """Feed it bytes, take lines, each an event without a name; empty ones are passed over."""

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._pieces: list[bytes] = []
        """Of the line that has not ended yet."""
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """Lines that `data` completes. Raises TooLarge for a line over the limit."""
        *ended, rest = data.split(b"\n")
        if ended:
            ended[0] = b"".join((*self._pieces, ended[0]))
            self._pieces, self._size = [], 0
        self._pieces.append(rest)
        self._size += len(rest)
        if max(self._size, *(len(line) for line in ended), 0) > self._max_line_bytes:
            raise TooLarge(f"a stream event is larger than {self._max_line_bytes} bytes")
        return [Event(line) for line in ended if line.strip()]

    def flush(self) -> list[Event]:
        """After the last byte: the line that its end is missing from, if any."""
        line = b"".join(self._pieces)
        self._pieces = []
        return [Event(line)] if line.strip() else []
