"""Conversations as Converse has them (docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-call.html).

The system prompt stands apart, user and assistant take turns, and what tools gave is part of the user's turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.bedrock_media import media_block
from sidecar.providers.reading import GEMINIS
from taximeter.v1 import payload_pb2 as pb

_SPEAKERS = {pb.ROLE_USER: "user", pb.ROLE_TOOL: "user", pb.ROLE_ASSISTANT: "assistant"}
_SYSTEM = (pb.ROLE_SYSTEM, pb.ROLE_DEVELOPER)

Block = dict[str, Any]


def system_blocks(messages: Iterable[pb.ChatMessage]) -> list[Block]:
    blocks = [block for message in messages if message.role in _SYSTEM for block in _said(message)]
    if any(block.keys() - {"text", "cachePoint"} for block in blocks):
        raise Unsupported("a system prompt at AWS Bedrock is text")
    return blocks


def turns(request: pb.ChatRequest) -> list[dict[str, Any]]:
    """The messages, neighbours of one speaker joined: a conversation must alternate."""
    found: list[dict[str, Any]] = []
    for message in request.messages:
        if message.role in _SYSTEM:
            continue
        speaker = _SPEAKERS.get(message.role)
        if speaker is None:
            raise BadRequest("a message has no role")
        _add(found, speaker, _content(message))
    if request.prompt:
        _add(found, "user", [{"text": request.prompt}])
    return found


def cache_point(point: pb.CachePoint) -> Block:
    """docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CachePointBlock.html"""
    return {"cachePoint": {"type": "default", **({"ttl": point.ttl} if point.ttl else {})}}


def _add(found: list[dict[str, Any]], speaker: str, content: list[Block]) -> None:
    if found and found[-1]["role"] == speaker:
        found[-1]["content"] += content
    else:
        found.append({"role": speaker, "content": content})


def _content(message: pb.ChatMessage) -> list[Block]:
    if message.name:
        raise Unsupported("AWS Bedrock has no names for participants")
    match message.role:
        case pb.ROLE_TOOL:
            return [_tool_result(message)]
        case pb.ROLE_ASSISTANT:
            refusal = [{"text": message.refusal}] if message.refusal else []
            return [*_reasoning(message), *_said(message), *refusal, *map(_tool_use, message.tool_calls)]
        case _:
            return list(_said(message))


def _said(message: pb.ChatMessage) -> Iterator[Block]:
    """A text block must not be empty."""
    if message.text:
        yield {"text": message.text}
    for part in message.parts:
        if part.WhichOneof("part") != "text":
            yield media_block(part)
        elif part.text:
            yield {"text": part.text}
        if part.HasField("cache_point"):
            yield cache_point(part.cache_point)


def _reasoning(message: pb.ChatMessage) -> Iterator[Block]:
    """Signed, as it came; reasoning as mere text is refused, and therefore left out
    (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningTextBlock.html)."""
    for block in message.reasoning_blocks:
        if block.id.startswith(GEMINIS):
            continue
        if block.redacted:
            yield {"reasoningContent": {"redactedContent": block.redacted}}
        else:
            signed = {"signature": block.signature} if block.signature else {}
            yield {"reasoningContent": {"reasoningText": {"text": block.text, **signed}}}


def _tool_use(call: pb.ToolCall) -> Block:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        raise BadRequest(f"the arguments of the call of {call.name} are not JSON") from None
    return {"toolUse": {"toolUseId": call.id, "name": call.name, "input": arguments}}


def _tool_result(message: pb.ChatMessage) -> Block:
    """`status` is known to some models only; success is what its absence means."""
    said = list(_said(message))
    content = [block for block in said if "cachePoint" not in block]
    result: Block = {"toolUseId": message.tool_call_id, "content": content}
    if message.tool_failed:
        result["status"] = "error"
    if len(content) < len(said):
        raise Unsupported("AWS Bedrock takes no cache point within a tool's result")
    return {"toolResult": result}
