"""Streams of JSON events: what the readers of all such wires share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Protocol

from sidecar.core.call import Usage
from sidecar.core.faults import StreamCut
from sidecar.providers.reading import json_object
from sidecar.providers.sse import Event

DONE = b"[DONE]"


class Parser(Protocol):
    """Events out of bytes: `SseParser`, `LineParser`."""

    def feed(self, data: bytes) -> list[Event]: ...

    def flush(self) -> list[Event]: ...


class EventReader(ABC):
    """Most of a `sidecar.providers.wire.Reader`. What an event means, and what it came to, says each wire's own."""

    def __init__(self, parser: Parser) -> None:
        self._parser = parser
        self.done = False
        self.events = 0
        self.malformed = 0
        self.model = ""
        self.response_id = ""
        self.usage: Usage | None = None

    @property
    def complete(self) -> bool:
        """The terminal event alone tells, unless a wire knows earlier."""
        return self.done

    def feed(self, data: bytes) -> Iterator[Any]:
        for event in self._parser.feed(data):
            yield from self._read(event.data)

    def end(self) -> None:
        """After the last byte. Raises StreamCut if the stream is not whole."""
        # A last event may lack its end, but content can no longer be passed on from here.
        if any(True for event in self._parser.flush() for _ in self._read(event.data)):
            raise StreamCut("the stream ended within an event")
        if not self.done and not self.complete:
            raise StreamCut("the stream ended before its end was told")

    @abstractmethod
    def take(self, event: dict[str, Any]) -> Iterator[Any]:
        """The parts in an event. Raises the fault that it tells."""

    def told_done(self) -> None:  # noqa: B027 - most wires have an end of their own
        """[DONE] came."""

    def _read(self, data: bytes) -> Iterator[Any]:
        if self.done:
            return
        if data == DONE:
            self.events += 1
            self.told_done()
            return
        event = json_object(data)
        if event is None:
            self.malformed += 1
            return
        self.events += 1
        yield from self.take(event)
