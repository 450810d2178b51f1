"""Streams of the Messages API (platform.claude.com/docs/en/build-with-claude/streaming).

message_start, then each content block as content_block_start, …_delta and …_stop, then message_delta with the stop
reason and the usage, then message_stop; ping and events yet to be invented may come anywhere, and an error event too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.core.faults import Garbled, StreamCut
from sidecar.providers.anthropic_fault import fault_of_error
from sidecar.providers.anthropic_reply import REFUSAL, arguments_of, filtered, reasoning_block
from sidecar.providers.anthropic_usage import merged, usage_of
from sidecar.providers.events import EventReader
from sidecar.providers.reading import object_of, text_of
from sidecar.providers.sse import SseParser
from sidecar.providers.wire import Reply
from taximeter.v1 import invocation_pb2 as pb


class StreamReader(EventReader):
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self) -> None:
        super().__init__(SseParser())
        self._blocks = Blocks()
        self._reported: dict[str, Any] = {}
        self._stop_reason = ""
        self._stop_details: Any = None
        self._started = False

    def finish(self) -> Reply:
        self.end()
        if not self._started:
            raise Garbled("the stream held no message")
        if not self._stop_reason and (self.usage is None or self.usage.output is None):
            raise StreamCut("the stream ended without a stop reason")
        if self._stop_reason == REFUSAL and not self._blocks.answered:
            raise filtered(self._stop_details, self.usage)
        if self.usage is not None and self.usage.output is None:
            self.usage = None  # a whole answer whose output no one counted: not what it can be billed by
        return Reply(None, self.usage, self.model, (self._stop_reason,), self.response_id)

    @property
    def complete(self) -> bool:
        return self.done or bool(self._stop_reason)

    def take(self, event: dict[str, Any]) -> Iterator[Any]:
        match event.get("type"):
            case "content_block_delta":
                yield from self._blocks.delta(_index(event), object_of(event, "delta"))
            case "content_block_start":
                yield from self._blocks.start(_index(event), object_of(event, "content_block"))
            case "content_block_stop":
                yield from self._blocks.stop(_index(event))
            case "message_start":
                self._begin(object_of(event, "message"))
            case "message_delta":
                self._end(object_of(event, "delta"), event.get("usage"))
            case "message_stop":
                self.done = True
            case "error":
                raise fault_of_error(event, 0)
            case None if "error" in event:
                raise fault_of_error(event, 0)

    def _begin(self, message: dict[str, Any]) -> None:
        if self._started:
            # An intermediary may send the beginning twice, and that does no harm; but where it lost its upstream and
            # asked again, another message follows on half of the first (github.com/vercel/ai/issues/18331).
            if text_of(message, "id") != self.response_id:
                raise StreamCut("the server broke off its answer and began another")
            return
        self._started = True
        self.model = text_of(message, "model")
        self.response_id = text_of(message, "id")
        usage = {name: value for name, value in object_of(message, "usage").items() if name != "output_tokens"}
        self._report(usage)

    def _end(self, delta: dict[str, Any], usage: Any) -> None:
        self._stop_reason = text_of(delta, "stop_reason") or self._stop_reason
        self._stop_details = delta.get("stop_details") or self._stop_details
        self._report(usage)

    def _report(self, usage: Any) -> None:
        self._reported = merged(self._reported, usage)
        self.usage = usage_of(self._reported)


class Blocks:
    """The content blocks that are being written, by their index."""

    def __init__(self) -> None:
        self._open: dict[int, _Block] = {}
        self._tools = 0
        self.answered = False
        """Text or a tool call has come."""

    def start(self, index: int, begun: dict[str, Any]) -> Iterator[Any]:
        block = self._open[index] = _Block(begun)
        if block.kind == "tool_use":
            block.tool_index = self._tools
            self._tools += 1
            self.answered = True
            yield pb.ToolCallDelta(tool_index=block.tool_index, id=text_of(begun, "id"), name=text_of(begun, "name"))
        elif text := text_of(begun, "text"):
            yield from self._text(text)
        elif thought := text_of(begun, "thinking"):
            yield pb.Delta(reasoning=thought)

    def delta(self, index: int, delta: dict[str, Any]) -> Iterator[Any]:
        block = self._open.get(index)
        match delta.get("type"):
            case "text_delta":
                yield from self._text(text_of(delta, "text"))
            case "thinking_delta" if thought := text_of(delta, "thinking"):
                if block:
                    block.thinking.append(thought)
                yield pb.Delta(reasoning=thought)
            case "signature_delta" if block:
                block.signature += text_of(delta, "signature")
            case "input_json_delta" if block and block.kind == "tool_use":
                # Server tools write their input in the same way: that is no call of the caller's tools.
                if arguments := text_of(delta, "partial_json"):
                    block.has_input = True
                    yield pb.ToolCallDelta(tool_index=block.tool_index, arguments=arguments)

    def stop(self, index: int) -> Iterator[Any]:
        block = self._open.pop(index, None)
        if block is None:
            return
        if block.kind == "tool_use" and not block.has_input:
            yield pb.ToolCallDelta(tool_index=block.tool_index, arguments=arguments_of(block.begun))
        elif block.kind in ("thinking", "redacted_thinking") and (whole := reasoning_block(block.whole())):
            yield pb.Delta(reasoning_block=whole)

    def _text(self, text: str) -> Iterator[Any]:
        if text:
            self.answered = True
            yield pb.Delta(text=text)


class _Block:
    __slots__ = ("begun", "has_input", "kind", "signature", "thinking", "tool_index")

    def __init__(self, begun: dict[str, Any]) -> None:
        self.begun = begun
        self.kind = text_of(begun, "type")
        self.thinking = [text_of(begun, "thinking")]
        self.signature = text_of(begun, "signature")
        self.tool_index = 0
        self.has_input = False

    def whole(self) -> dict[str, Any]:
        return {**self.begun, "thinking": "".join(self.thinking), "signature": self.signature}


def _index(event: dict[str, Any]) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0
