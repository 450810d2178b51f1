"""Streams of Ollama: a JSON object a line (docs.ollama.com/api/streaming).

The last line has `done` true, with the reason, the counts and the durations. An error in mid-stream is a line
{"error": …} under the status 200 (docs.ollama.com/api/errors); a stream that ends otherwise is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import Usage
from sidecar.core.faults import StreamCut
from sidecar.providers.ollama_fault import fault_of_error
from sidecar.providers.ollama_lines import LineParser
from sidecar.providers.ollama_reply import metadata_of
from sidecar.providers.ollama_usage import usage_of
from sidecar.providers.openai_messages import objects, text_of, tool_call
from sidecar.providers.wire import Reply
from taximeter.v1 import invocation_pb2 as pb

Parts = Callable[[dict[str, Any]], Iterator[Any]]
"""A line -> the Delta and ToolCallDelta messages in it."""


class StreamReader:
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lines = LineParser()
        self._reason = ""
        self._metadata: Struct | None = None
        self.done = False
        self.events = 0
        self.malformed = 0
        self.model = ""
        self.response_id = ""
        self.usage: Usage | None = None

    @property
    def complete(self) -> bool:
        return self.done

    def feed(self, data: bytes) -> Iterator[Any]:
        for line in self._lines.feed(data):
            yield from self._read(line)

    def finish(self) -> Reply:
        # A last line may lack its end, but content can no longer be passed on from here.
        if any(True for line in self._lines.flush() for _ in self._read(line)):
            raise StreamCut("the stream ended within a line")
        if not self.done:
            raise StreamCut("the stream ended before its end was told")
        return Reply(None, self.usage, self.model, (self._reason,), provider_metadata=self._metadata)

    def _read(self, line: bytes) -> Iterator[Any]:
        if self.done:
            return
        try:
            said = orjson.loads(line)
        except orjson.JSONDecodeError:
            said = None
        if not isinstance(said, dict):
            self.malformed += 1
            return
        self.events += 1
        if error := said.get("error"):
            raise fault_of_error(error, 0)
        self.model = self.model or text_of(said, "model")
        self.usage = usage_of(said) or self.usage
        yield from self._parts(said)
        if said.get("done") is True:
            self.done = True
            self._reason = text_of(said, "done_reason")
            self._metadata = metadata_of(said)


class ChatParts:
    """Tool calls come whole, each in some line; they are numbered in the order of their coming."""

    def __init__(self) -> None:
        self._calls = 0

    def __call__(self, said: dict[str, Any]) -> Iterator[Any]:
        message = said.get("message")
        if not isinstance(message, dict):
            return
        text, thought = text_of(message, "content"), text_of(message, "thinking")
        if text or thought:
            yield pb.Delta(text=text, reasoning=thought)
        for entry in objects(message.get("tool_calls")):
            call_id, name, arguments = tool_call(entry)
            yield pb.ToolCallDelta(tool_index=self._calls, id=call_id, name=name, arguments=arguments)
            self._calls += 1


def completion_parts(said: dict[str, Any]) -> Iterator[Any]:
    text, thought = text_of(said, "response"), text_of(said, "thinking")
    if text or thought:
        yield pb.Delta(text=text, reasoning=thought)
