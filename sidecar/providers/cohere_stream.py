"""Chat streams of Cohere (docs.cohere.com/v2/docs/streaming, docs.cohere.com/reference/chat-stream).

message-start · content-start, -delta, -end (text or thinking) · tool-plan-delta · tool-call-start, -delta, -end ·
citation-start, -end · message-end, which alone tells how it ended and what was used, and after which nothing comes
but the word [DONE].
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.core.faults import ServerError
from sidecar.providers.cohere_messages import TOOL_PLAN, tool_call
from sidecar.providers.cohere_reply import fault_of_reason
from sidecar.providers.cohere_usage import chat_usage
from sidecar.providers.events import EventReader
from sidecar.providers.reading import object_of, text_of
from sidecar.providers.sse import SseParser
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import Reply
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2

_KNOWN = frozenset({"finish_reason", "error"})


class ChatReader(EventReader):
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self) -> None:
        super().__init__(SseParser())
        self._content = False
        self._reason = ""
        self._calls: dict[int, int] = {}
        """Index as the server counts -> index among the tool calls."""
        self._thought: list[str] = []
        self._plan: list[str] = []
        self._citations: list[Any] = []
        self._said: dict[str, Any] = {}
        """Beyond our fields, by the end."""

    def finish(self) -> Reply:
        self.end()
        said = self._said | ({"choices": [{"citations": self._citations}]} if self._citations else {})
        return Reply(
            None,
            self.usage,
            finish_reasons=(self._reason,),
            response_id=self.response_id,
            provider_metadata=to_struct(said) if said else None,
        )

    def take(self, event: dict[str, Any]) -> Iterator[Any]:
        for part in self._parts(event):
            self._content = True
            yield part

    def _parts(self, event: dict[str, Any]) -> Iterator[Any]:
        delta = object_of(event, "delta")
        message = object_of(delta, "message")
        match event.get("type"):
            case "message-start":
                self.response_id = text_of(event, "id")
            case "content-start" | "content-delta":
                yield from self._content_part(object_of(message, "content"))
            case "content-end":
                yield from self._whole(self._thought, "")
            case "tool-plan-delta":
                yield from self._reasoning(text_of(message, "tool_plan"), self._plan)
            case "tool-call-start" | "tool-call-delta" as kind:
                yield from self._whole(self._plan, TOOL_PLAN)
                yield self._tool_call(event, object_of(message, "tool_calls"), begins=kind == "tool-call-start")
            case "citation-start" if cited := message.get("citations"):
                self._citations.append(cited)
            case "message-end":
                yield from self._whole(self._thought, "")
                yield from self._whole(self._plan, TOOL_PLAN)
                self._end(delta)
            case None if "message" in event:
                raise ServerError(text_of(event, "message"))
            case _:
                pass  # ends of citations and calls, debug events: no part of the answer

    def _content_part(self, content: dict[str, Any]) -> Iterator[Any]:
        if text := text_of(content, "text"):
            yield pb.Delta(text=text)
        yield from self._reasoning(text_of(content, "thinking"), self._thought)

    def _reasoning(self, text: str, so_far: list[str]) -> Iterator[Any]:
        if text:
            so_far.append(text)
            yield pb.Delta(reasoning=text)

    def _whole(self, pieces: list[str], block_id: str) -> Iterator[Any]:
        """The block that is whole now, to be given back in the next turn."""
        if pieces:
            yield pb.Delta(reasoning_block=payload_pb2.ReasoningBlock(text="".join(pieces), id=block_id))
            pieces.clear()

    def _tool_call(self, event: dict[str, Any], entry: dict[str, Any], *, begins: bool) -> pb.ToolCallDelta:
        number = event.get("index")
        number = number if isinstance(number, int) else 0
        if begins or number not in self._calls:
            self._calls[number] = len(self._calls)
        call_id, name, arguments = tool_call(entry)
        return pb.ToolCallDelta(tool_index=self._calls[number], id=call_id, name=name, arguments=arguments)

    def _end(self, delta: dict[str, Any]) -> None:
        self.done = True
        self._reason = text_of(delta, "finish_reason")
        self.usage = chat_usage(delta.get("usage"))
        self._said = {name: value for name, value in delta.items() if name not in _KNOWN and value}
        fault = fault_of_reason(self._reason, self._content, self.usage, text_of(delta, "error"))
        if fault is not None:
            raise fault
