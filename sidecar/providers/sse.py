"""Server-sent events out of bytes, in any cut (html.spec.whatwg.org/multipage/server-sent-events.html, 9.2.6)."""

from __future__ import annotations

from typing import NamedTuple

from sidecar.core.faults import TooLarge

MAX_EVENT_BYTES = 16 * 1024 * 1024

_BOM = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """`data` as sent, lines joined by LF, not decoded: a JSON parser takes it as it is."""

    data: bytes
    name: str = ""


class SseParser:
    """Feed it bytes, take events. Lines end in LF, CR or CRLF; comments, `id` and `retry` are passed over."""

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._begun = False
        self._after_cr = False
        self._line: list[bytes] = []
        """Pieces of the line that has not ended yet."""
        self._line_size = 0
        self._data: list[bytes] = []
        self._name = b""
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        """Events that `data` completes. Raises TooLarge for an event over the limit."""
        if not self._begun:
            data = self._begin(data)
        data = self._with_line_feeds(data)
        if b"\n" not in data:
            self._hold(data)
            return []
        lines = data.split(b"\n")
        if self._line:
            self._line.append(lines[0])
            lines[0] = b"".join(self._line)
            self._line, self._line_size = [], 0
        events = self._read(lines[:-1])
        self._hold(lines[-1])
        return events

    def flush(self) -> list[Event]:
        """After the last byte: the event that its blank line is missing from, if any."""
        line = b"".join(self._line)
        self._line = []
        return self._read([line, b""])

    def _begin(self, data: bytes) -> bytes:
        """Takes off the byte order mark, which may itself come in pieces."""
        data = b"".join(self._line) + data
        self._line = []
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._line = [data]
            return b""
        self._begun = True
        return data.removeprefix(_BOM)

    def _with_line_feeds(self, data: bytes) -> bytes:
        if self._after_cr and data:
            self._after_cr = False
            data = data.removeprefix(b"\n")  # the second half of a CRLF that was cut
        if b"\r" in data:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data

    def _read(self, lines: list[bytes]) -> list[Event]:
        events = []
        for line in lines:
            if line.startswith(b"data:"):
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
                self._size += len(line)
                self._check()
            elif not line:
                if self._data:
                    events.append(Event(b"\n".join(self._data), self._name.decode(errors="replace")))
                self._data, self._name, self._size = [], b"", 0
            elif line == b"data":
                self._data.append(b"")
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ")
        return events

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._line.append(piece)
            self._line_size += len(piece)
            self._check()

    def _check(self) -> None:
        if self._size + self._line_size > self._max_event_bytes:
            raise TooLarge(f"a stream event is larger than {self._max_event_bytes} bytes")
