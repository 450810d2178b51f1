"""Streams of ConverseStream: messages of AWS's event stream encoding, whose checksums botocore verifies.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html: messageStart; of each block
contentBlockStart (tool use only), contentBlockDelta, contentBlockStop; messageStop with the reason; metadata with the
usage, last. An exception may come in the place of any.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from botocore.eventstream import EventStreamBuffer, ParserError

from sidecar.core.call import Usage
from sidecar.core.faults import Garbled, StreamCut
from sidecar.providers.bedrock_fault import fault_of_event
from sidecar.providers.bedrock_reply import SERVER_TOOL, beyond_our_fields, check_filtered, model_of
from sidecar.providers.bedrock_usage import usage_of
from sidecar.providers.reading import json_object, text_of
from sidecar.providers.structs import to_struct
from sidecar.providers.wire import Reply
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2

Part = pb.Delta | pb.ToolCallDelta


class StreamReader:
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self) -> None:
        self._buffer = EventStreamBuffer()
        self._tools: dict[int, int] = {}
        """Content block -> which of the answer's tool calls it is."""
        self._unwritten: set[int] = set()
        """Tool calls whose arguments have not begun."""
        self._reasoning: dict[int, payload_pb2.ReasoningBlock] = {}
        """Content block -> what has come of it."""
        self._content = False
        self._reason = ""
        self._metadata = False
        self._beyond: dict[str, Any] = {}
        """What the last events said beyond our fields."""
        self.events = 0
        self.malformed = 0
        self.model = ""
        self.response_id = ""
        self.usage: Usage | None = None

    @property
    def complete(self) -> bool:
        return bool(self._reason)

    @property
    def done(self) -> bool:
        return self.complete and self._metadata

    def feed(self, data: bytes) -> Iterator[Part]:
        self._buffer.add_data(data)
        while (message := self._next()) is not None:
            headers, payload = message
            kind = headers.get(":message-type")
            if kind == "exception":
                raise fault_of_event(str(headers.get(":exception-type", "")), payload)
            if kind == "error":
                raise fault_of_event(str(headers.get(":error-code", "")), b"", str(headers.get(":error-message", "")))
            yield from self._read(str(headers.get(":event-type", "")), payload)

    def finish(self) -> Reply:
        if not self.complete:
            raise StreamCut("the stream ended before its end was told")
        if not self._content:
            check_filtered(self._reason, self.usage)
        metadata = to_struct(self._beyond) if self._beyond else None
        return Reply(None, self.usage, self.model, (self._reason,), provider_metadata=metadata)

    def _next(self) -> tuple[dict[str, Any], bytes] | None:
        """The next message that is whole. Raises Garbled for one that is damaged: what follows cannot be found."""
        try:
            message = next(self._buffer, None)
        except (ParserError, ValueError, KeyError, struct.error) as error:
            raise Garbled(f"the stream is damaged: {type(error).__name__}") from error
        return None if message is None else (message.headers, message.payload)

    def _read(self, kind: str, payload: bytes) -> Iterator[Part]:
        said = json_object(payload)
        if said is None:
            self.malformed += 1
            return
        self.events += 1
        number = said.get("contentBlockIndex")
        block = number if isinstance(number, int) else 0
        match kind, said:
            case "contentBlockStart", {"start": {"toolUse": dict(use)}}:
                yield from self._begin_tool(block, use)
            case "contentBlockDelta", {"delta": dict(delta)}:
                yield from self._delta(block, delta)
            case "contentBlockStop", _:
                yield from self._end_block(block)
            case "messageStop", {"stopReason": str(reason)}:
                self._reason = reason
                self._beyond |= beyond_our_fields(said)
            case "metadata", _:
                self._metadata = True
                self.usage = usage_of(said.get("usage")) or self.usage
                self.model = model_of(said)
                self._beyond |= beyond_our_fields(said)

    def _begin_tool(self, block: int, use: dict[str, Any]) -> Iterator[Part]:
        if use.get("type") == SERVER_TOOL:
            return
        self._content = True
        self._tools[block] = len(self._tools)
        self._unwritten.add(block)
        yield pb.ToolCallDelta(tool_index=self._tools[block], id=text_of(use, "toolUseId"), name=text_of(use, "name"))

    def _delta(self, block: int, delta: dict[str, Any]) -> Iterator[Part]:
        match delta:
            case {"text": str(text)} if text:
                self._content = True
                yield pb.Delta(text=text)
            case {"toolUse": {"input": str(arguments)}} if arguments and block in self._tools:
                self._unwritten.discard(block)
                yield pb.ToolCallDelta(tool_index=self._tools[block], arguments=arguments)
            case {"reasoningContent": dict(piece)}:
                yield from self._reason_on(block, piece)

    def _end_block(self, block: int) -> Iterator[Part]:
        if reasoning := self._reasoning.pop(block, None):
            yield pb.Delta(reasoning_block=reasoning)
        if block in self._unwritten:  # a call without arguments is told without a word of JSON
            self._unwritten.discard(block)
            yield pb.ToolCallDelta(tool_index=self._tools[block], arguments="{}")

    def _reason_on(self, block: int, piece: dict[str, Any]) -> Iterator[Part]:
        whole = self._reasoning.setdefault(block, payload_pb2.ReasoningBlock())
        whole.text += text_of(piece, "text")
        whole.signature += text_of(piece, "signature")
        whole.redacted += text_of(piece, "redactedContent")
        if text := text_of(piece, "text"):
            self._content = True
            yield pb.Delta(reasoning=text)
