"""Streams of the Responses API (developers.openai.com/api/reference/resources/responses/streaming-events).

Every event names its `type`; one of `response.completed`, `response.incomplete` and `response.failed` is the last, and
no [DONE] follows (api-docs.deepseek.com/guides/responses_api says so outright). An event `error` may come before
`response.failed` or in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from sidecar.core.call import Usage
from sidecar.core.faults import StreamCut
from sidecar.providers.openai_reply import filtered
from sidecar.providers.openai_usage import cost_of
from sidecar.providers.reading import objects, text_of
from sidecar.providers.responses_fault import fault_of_failure
from sidecar.providers.responses_output import CONTENT_FILTER, finish_reason
from sidecar.providers.responses_parts import ResponseParts
from sidecar.providers.responses_reply import metadata_of
from sidecar.providers.responses_usage import usage_of
from sidecar.providers.sse import SseParser
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import Reply


class ResponseStream:
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self, parts: ResponseParts | None = None) -> None:
        self._sse = SseParser()
        self._parts = parts or ResponseParts()
        self._finish = ""
        self._cost_picodollars: int | None = None
        self._metadata: dict[str, Any] = {}
        self.done = False
        self.events = 0
        self.malformed = 0
        self.model = ""
        self.response_id = ""
        self.usage: Usage | None = None

    @property
    def complete(self) -> bool:
        """The terminal event alone tells, and it brings the usage."""
        return self.done

    def feed(self, data: bytes) -> Iterator[Any]:
        for event in self._sse.feed(data):
            yield from self._read(event.data)

    def finish(self) -> Reply:
        # A last event may lack its blank line, but content can no longer be passed on from here.
        if any(True for event in self._sse.flush() for _ in self._read(event.data)):
            raise StreamCut("the stream ended within an event")
        if not self.done:
            raise StreamCut("the stream ended before its end was told")
        if self._finish == CONTENT_FILTER and not self._parts.answered:
            raise filtered("", self.usage)
        metadata = to_struct(self._metadata) if self._metadata else None
        return Reply(None, self.usage, self.model, (self._finish,), self.response_id, self._cost_picodollars, metadata)

    def _read(self, data: bytes) -> Iterator[Any]:
        if self.done or data == b"[DONE]":
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            self.malformed += 1
            return
        self.events += 1
        kind = text_of(event, "type")
        if kind == "error" or (kind in ("", "response.failed") and event.get("error")):
            raise fault_of_failure(event.get("error") or event, self.usage)
        if isinstance(event.get("response"), dict):
            yield from self._read_response(kind, event["response"])
        else:
            self._take_usage(event.get("usage"))
            yield from self._parts(event)

    def _take_usage(self, raw: Any) -> None:
        if (usage := usage_of(raw)) is not None:
            self.usage = usage
            self._cost_picodollars = cost_of(raw)

    def _read_response(self, kind: str, response: dict[str, Any]) -> Iterator[Any]:
        """The response itself, as far as it has come."""
        self.model = text_of(response, "model") or self.model
        self.response_id = text_of(response, "id") or self.response_id
        self._take_usage(response.get("usage"))
        if kind in ("response.failed", "response.cancelled") or response.get("error"):
            raise fault_of_failure(response.get("error") or f"the {kind.replace('.', ' ')}", self.usage)
        if kind not in ("response.completed", "response.incomplete"):
            return
        items = objects(response.get("output"))
        yield from self._parts.rest(items)
        self._metadata = metadata_of(response, items)
        self._finish = finish_reason(response) or kind.removeprefix("response.")
        self.done = True
