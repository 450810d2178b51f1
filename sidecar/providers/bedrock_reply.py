"""Whole answers of Converse (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered
from sidecar.providers.bedrock_usage import usage_of
from sidecar.providers.http import provider_request_id
from sidecar.providers.reading import answer_of, garbled, object_of, text_of
from sidecar.providers.structs import json_text, to_struct
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import payload_pb2 as pb

_FILTERED = frozenset({"content_filtered", "guardrail_intervened"})
_KNOWN = frozenset({"output", "stopReason", "usage", "p"})
"""`p` is padding, so that nobody can tell words by their lengths."""
_NOTHING: Mapping[str, Any] = {}
SERVER_TOOL = "server_tool_use"
"""A tool that Bedrock itself runs: no call of the caller's."""


def decode_chat(response: HttpResponse) -> Reply:
    body = answer_of(response)
    message = object_of(object_of(body, "output"), "message")
    content, reason = message.get("content"), body.get("stopReason")
    if not isinstance(content, list) or not isinstance(reason, str):
        raise garbled("the answer has no message", response)
    said, beyond = _message(content)
    usage = usage_of(body.get("usage"))
    if not (said.text or said.tool_calls or beyond):
        check_filtered(reason, usage)
    payload = pb.ChatResponse(id=provider_request_id(response.headers), model=model_of(body))
    payload.choices.add(index=0, message=said, finish_reason=reason)
    metadata = beyond_our_fields(body)
    if beyond:
        metadata["choices"] = [{"content": beyond}]
    if metadata:
        payload.provider_metadata.CopyFrom(to_struct(metadata))
    return Reply(payload, usage, payload.model, (reason,), payload.id)


def beyond_our_fields(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name not in _KNOWN and value not in (None, {}, [])}


def check_filtered(reason: str, usage: Usage | None) -> None:
    """Of an answer without content. Raises ContentFiltered."""
    if reason in _FILTERED:
        raise ContentFiltered("AWS Bedrock withheld the answer: " + reason.replace("_", " "), usage=usage)


def model_of(said: Mapping[str, Any]) -> str:
    """Told by prompt routers only: which model they chose."""
    chosen = object_of(object_of(said, "trace"), "promptRouter").get("invokedModelId")
    return chosen if isinstance(chosen, str) else ""


def _message(content: list[Any]) -> tuple[pb.ChatMessage, list[dict[str, Any]]]:
    """(message, the blocks that it has no place for)."""
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    beyond = []
    for block in content:
        match block:
            case {"text": str(text)}:
                message.text += text
            case {"citationsContent": {"content": list(pieces)}}:
                message.text += "".join(text_of(piece, "text") for piece in pieces if isinstance(piece, dict))
                beyond.append(block)
            case {"toolUse": {"type": "server_tool_use"}}:
                beyond.append(block)
            case {"toolUse": dict(use)}:
                arguments = json_text(use.get("input", {}))
                message.tool_calls.add(id=text_of(use, "toolUseId"), name=text_of(use, "name"), arguments=arguments)
            case {"reasoningContent": dict(reasoning)}:
                message.reasoning_blocks.append(_reasoning(reasoning))
                message.reasoning += message.reasoning_blocks[-1].text
            case dict():
                beyond.append(block)
    return message, beyond


def _reasoning(said: Mapping[str, Any]) -> pb.ReasoningBlock:
    text = object_of(said, "reasoningText")
    return pb.ReasoningBlock(
        text=text_of(text, "text"), signature=text_of(text, "signature"), redacted=text_of(said, "redactedContent")
    )
