"""Whole answers of the Messages API (platform.claude.com/docs/en/api/messages/create#message)."""

from __future__ import annotations

from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered
from sidecar.providers.anthropic_fault import fault_of_error
from sidecar.providers.anthropic_usage import METERED, usage_of
from sidecar.providers.reading import answer_of, garbled, objects, text_of
from sidecar.providers.structs import json_text, to_struct
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import payload_pb2 as pb

REFUSAL = "refusal"
"""The stop reason where a classifier stepped in: .../build-with-claude/handling-stop-reasons."""

_KNOWN = frozenset({"id", "type", "role", "model", "content", "stop_reason", "usage"})
_OURS = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
"""Blocks that our message holds; whatever else there is (server tools and their results, compaction) it cannot."""


def decode_chat(response: HttpResponse) -> Reply:
    body = _object(response)
    content = body.get("content")
    if not isinstance(content, list):
        raise garbled("the answer has no content", response)
    blocks, reason = objects(content), text_of(body, "stop_reason")
    usage = usage_of(body.get("usage"))
    message = _message(blocks)
    if reason == REFUSAL and not (message.text or message.tool_calls):
        raise filtered(body.get("stop_details"), usage)
    payload = pb.ChatResponse(id=text_of(body, "id"), model=text_of(body, "model"))
    payload.choices.add(message=message, finish_reason=reason)
    if extras := _beyond(body, blocks):
        payload.provider_metadata.CopyFrom(to_struct(extras))
    return Reply(payload, usage, payload.model, (reason,), payload.id)


def filtered(details: Any, usage: Usage | None) -> ContentFiltered:
    """`details`: `stop_details` of a refusal. What was used is billed."""
    said = details if isinstance(details, dict) else {}
    words = text_of(said, "explanation") or "the provider's safety classifier withheld the answer"
    return ContentFiltered(words, usage=usage, provider_code=text_of(said, "category"))


def reasoning_block(block: dict[str, Any]) -> pb.ReasoningBlock | None:
    """None for an empty one, which no one will ask back."""
    found = pb.ReasoningBlock(
        text=text_of(block, "thinking"), signature=text_of(block, "signature"), redacted=text_of(block, "data")
    )
    return found if found.ByteSize() else None


def arguments_of(block: dict[str, Any]) -> str:
    """A tool call's input as JSON text. Some servers send text."""
    given = block.get("input")
    return given if isinstance(given, str) else json_text(given or {})


def _message(blocks: list[dict[str, Any]]) -> pb.ChatMessage:
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    texts = []
    for block in blocks:
        match block.get("type"):
            case "text":
                texts.append(text_of(block, "text"))
            case "thinking" | "redacted_thinking":
                message.reasoning += text_of(block, "thinking")
                if found := reasoning_block(block):
                    message.reasoning_blocks.append(found)
            case "tool_use":
                message.tool_calls.add(
                    id=text_of(block, "id"), name=text_of(block, "name"), arguments=arguments_of(block)
                )
    if texts:
        message.text = "".join(texts)
    return message


def _beyond(body: dict[str, Any], blocks: list[dict[str, Any]]) -> dict[str, Any]:
    """What our fields do not hold; the content as it came where some of it is lost (citations, server tools)."""
    extras = {name: value for name, value in body.items() if name not in _KNOWN and value not in (None, [], {}, "")}
    if any(text_of(block, "type") not in _OURS or block.get("citations") for block in blocks):
        extras["content"] = blocks
    usage = body.get("usage")
    if isinstance(usage, dict) and (more := {k: v for k, v in usage.items() if k not in METERED and v is not None}):
        extras["usage"] = more
    return extras


def _object(response: HttpResponse) -> dict[str, Any]:
    """The body. Raises Garbled, or the fault of an error that came under a good status."""
    body = answer_of(response)
    if body.get("type") == "error" or (body.get("error") and "content" not in body):
        raise fault_of_error(body, 0, response.headers)
    return body
