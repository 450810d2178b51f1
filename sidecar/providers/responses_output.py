"""The output items of a response, and what they are among our fields.

developers.openai.com/api/reference/resources/responses: a `message` holds parts of text and refusal, `reasoning` a
summary or (DeepSeek, gpt-oss) the thoughts themselves, each `function_call` one call. Whatever else there is
(web_search_call, image_generation_call, mcp_call ...) the provider did by itself: it goes to `provider_metadata`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sidecar.providers.openai_messages import BETWEEN_THOUGHTS
from sidecar.providers.reading import objects, text_of
from taximeter.v1 import payload_pb2 as pb

CONTENT_FILTER = "content_filter"
SIGNATURE = "thought_signature"
"""Of a call by a model whose vendor demands it back (Gemini at Perplexity)."""
CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Items that call a tool of the caller's -> the field that says with what."""


def texts(item: dict[str, Any], part_type: str, field: str) -> list[str]:
    """What the parts of that type say, where they say anything."""
    parts = (part for part in objects(item.get("content")) if part.get("type") == part_type)
    return [text for part in parts if (text := text_of(part, field))]


def thoughts(item: dict[str, Any]) -> str:
    """The readable reasoning of a `reasoning` item."""
    summary = [text for part in objects(item.get("summary")) if (text := text_of(part, "text"))]
    return BETWEEN_THOUGHTS.join([*summary, *texts(item, "reasoning_text", "text")])


def reasoning_block(item: dict[str, Any]) -> pb.ReasoningBlock | None:
    """None for reasoning of which nothing is told: its id alone opens nothing that was not stored."""
    text, encrypted = thoughts(item), text_of(item, "encrypted_content")
    if not text and not encrypted:
        return None
    return pb.ReasoningBlock(id=text_of(item, "id"), text=text, signature=encrypted)


def message_of(items: Iterable[dict[str, Any]]) -> pb.ChatMessage:
    """One message out of all items."""
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    for item in items:
        match text_of(item, "type"):
            case "message":
                message.text += "".join(texts(item, "output_text", "text"))
                message.refusal += "".join(texts(item, "refusal", "refusal"))
            case "reasoning":
                if block := reasoning_block(item):
                    message.reasoning_blocks.append(block)
            case kind if kind in CALLS:
                message.tool_calls.add(
                    id=call_id(item),
                    name=text_of(item, "name"),
                    arguments=text_of(item, CALLS[kind]),
                    signature=text_of(item, SIGNATURE),
                )
    message.reasoning = BETWEEN_THOUGHTS.join(block.text for block in message.reasoning_blocks if block.text)
    return message


def call_id(item: dict[str, Any]) -> str:
    """By which its output is told to be its own."""
    return text_of(item, "call_id") or text_of(item, "id")


def finish_reason(response: dict[str, Any]) -> str:
    """As the provider wrote it: why a response is incomplete ("max_output_tokens", "content_filter"), else its status
    ("completed")."""
    details = response.get("incomplete_details")
    return (text_of(details, "reason") if isinstance(details, dict) else "") or text_of(response, "status")
