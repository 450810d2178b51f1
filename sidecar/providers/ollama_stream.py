"""Streams of Ollama: a JSON object a line (docs.ollama.com/api/streaming).

The last line has `done` true, with the reason, the counts and the durations. An error in mid-stream is a line
{"error": …} under the status 200 (docs.ollama.com/api/errors); a stream that ends otherwise is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.struct_pb2 import Struct

from sidecar.providers.events import EventReader
from sidecar.providers.ollama_fault import fault_of_error
from sidecar.providers.ollama_lines import LineParser
from sidecar.providers.ollama_reply import metadata_of
from sidecar.providers.ollama_usage import usage_of
from sidecar.providers.openai_messages import tool_call
from sidecar.providers.reading import objects, text_of
from sidecar.providers.wire import Reply
from taximeter.v1 import invocation_pb2 as pb

Parts = Callable[[dict[str, Any]], Iterator[Any]]
"""A line -> the Delta and ToolCallDelta messages in it."""


class StreamReader(EventReader):
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(LineParser())
        self._parts = parts
        self._reason = ""
        self._metadata: Struct | None = None

    def finish(self) -> Reply:
        self.end()
        return Reply(None, self.usage, self.model, (self._reason,), provider_metadata=self._metadata)

    def take(self, said: dict[str, Any]) -> Iterator[Any]:
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
