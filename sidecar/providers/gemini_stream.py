"""Streams of streamGenerateContent?alt=sse: answers as whole ones are, each with the parts that are new.

ai.google.dev/api/generate-content#method:-models.streamgeneratecontent. There is no event that ends one: it is whole
once every candidate has its finish reason, and ends when the connection does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from sidecar.core.call import Usage
from sidecar.core.faults import StreamCut
from sidecar.providers.gemini_answer import Answer
from sidecar.providers.gemini_fault import error_in, fault_of_error
from sidecar.providers.reading import objects
from sidecar.providers.sse import SseParser
from sidecar.providers.wire import Reply


class ChatReader:
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self) -> None:
        self._sse = SseParser()
        self._answer = Answer()
        self.events = 0
        self.malformed = 0

    @property
    def done(self) -> bool:
        """Of a blocked prompt only: what was used may come after the last finish reason."""
        return self._answer.blocked

    @property
    def complete(self) -> bool:
        return self._answer.complete

    @property
    def model(self) -> str:
        return self._answer.model

    @property
    def response_id(self) -> str:
        return self._answer.response_id

    @property
    def usage(self) -> Usage | None:
        return self._answer.usage

    def feed(self, data: bytes) -> Iterator[Any]:
        for event in self._sse.feed(data):
            yield from self._read(event.data)

    def finish(self) -> Reply:
        # A last event may lack its blank line, but content can no longer be passed on from here.
        if any(True for event in self._sse.flush() for _ in self._read(event.data)):
            raise StreamCut("the stream ended within an event")
        answer = self._answer
        if not self.complete and not answer.blocked:
            raise StreamCut("the stream ended before its end was told")
        if (fault := answer.fault()) is not None:
            raise fault
        finishes = tuple(candidate.finish for candidate in answer.in_order)
        return Reply(
            None, answer.usage, answer.model, finishes, answer.response_id, provider_metadata=answer.metadata()
        )

    def _read(self, data: bytes) -> Iterator[Any]:
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = None
        if isinstance(event, list):
            event = next(iter(objects(event)), None)
        if not isinstance(event, dict):
            self.malformed += 1
            return
        self.events += 1
        if event.get("error"):
            raise fault_of_error(error_in(event), 0)
        yield from self._answer.read(event)
