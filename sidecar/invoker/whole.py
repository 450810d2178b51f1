"""A whole answer as the parts of a stream: for codecs that do not stream an operation whose answer comes in parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2


def parts_of(payload: Any) -> Iterator[Any]:
    """Delta and ToolCallDelta messages; nothing for an answer that has no parts (vectors, ratings)."""
    match payload:
        case payload_pb2.ChatResponse():
            for choice in payload.choices:
                yield from _message(choice.index, choice.message)
        case payload_pb2.CompletionResponse():
            for said in payload.choices:
                yield pb.Delta(choice_index=said.index, text=said.text)


def in_parts(payload: Any) -> bool:
    return isinstance(payload, (payload_pb2.ChatResponse, payload_pb2.CompletionResponse))


def _message(index: int, said: payload_pb2.ChatMessage) -> Iterator[Any]:
    text = said.text or "".join(part.text for part in said.parts)
    if text or said.reasoning or said.refusal:
        yield pb.Delta(choice_index=index, text=text, reasoning=said.reasoning, refusal=said.refusal)
    for block in said.reasoning_blocks:
        yield pb.Delta(choice_index=index, reasoning_block=block)
    for number, call in enumerate(said.tool_calls):
        yield pb.ToolCallDelta(
            choice_index=index,
            tool_index=number,
            id=call.id,
            name=call.name,
            arguments=call.arguments,
            signature=call.signature,
        )
