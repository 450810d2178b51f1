"""Chat messages and content parts in OpenAI's JSON, both ways."""

from __future__ import annotations

import base64
from typing import Any

from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.openai_dialect import DOCUMENT_URL, THINKING_PART, Dialect
from sidecar.providers.reading import objects, text_of
from sidecar.providers.structs import json_text
from taximeter.v1 import payload_pb2 as pb

BETWEEN_THOUGHTS = "\n\n"
"""Between two blocks of reasoning, which are paragraphs of their own."""
_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "developer",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}


def message_json(message: pb.ChatMessage, dialect: Dialect) -> dict[str, Any]:
    """A message as platform.openai.com/docs/api-reference/chat/create#chat-create-messages has it."""
    role = _ROLES.get(message.role)
    if role is None:
        raise BadRequest("a message has no role")
    if role == "developer" and not dialect.developer_role:
        role = "system"
    body: dict[str, Any] = {"role": role, "content": _content(message, dialect)}
    if message.name:
        body["name"] = message.name
    if message.tool_call_id:
        body["tool_call_id"] = message.tool_call_id
    if message.refusal:
        body["refusal"] = message.refusal
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if thoughts := thoughts_of(message):
        _give_back_reasoning(body, thoughts, dialect)
    return body


def thoughts_of(message: pb.ChatMessage) -> str:
    """Its reasoning as text, told as such or in blocks only."""
    return message.reasoning or BETWEEN_THOUGHTS.join(block.text for block in message.reasoning_blocks if block.text)


def part_json(part: pb.ContentPart, dialect: Dialect) -> dict[str, Any]:
    body = _part(part, dialect)
    if dialect.cache_control and part.HasField("cache_point"):
        ttl = {"ttl": part.cache_point.ttl} if part.cache_point.ttl else {}
        body["cache_control"] = {"type": "ephemeral", **ttl}
    return body


def _part(part: pb.ContentPart, dialect: Dialect) -> dict[str, Any]:
    match part.WhichOneof("part"):
        case "text":
            return {"type": "text", "text": part.text}
        case "image":
            return {"type": "image_url", "image_url": _image(part.image)}
        case "audio":
            audio = {"data": base64.b64encode(part.audio.data).decode(), "format": part.audio.format}
            return {"type": "input_audio", "input_audio": audio}
        case "file":
            return (
                _document(part.file)
                if dialect.file_part == DOCUMENT_URL
                else {"type": "file", "file": _file(part.file)}
            )
        case _:
            raise BadRequest("a content part is empty")


def split_content(content: Any) -> tuple[str, str]:
    """(text, reasoning) of an answer's `content`: text, or parts where the server sends parts.

    Mistral: parts of type "text" and "thinking", the latter with parts of its own
    (docs.mistral.ai/capabilities/reasoning).
    """
    if isinstance(content, str):
        return content, ""
    text, reasoning = "", ""
    for part in objects(content):
        if part.get("type") == "thinking":
            thought = part.get("thinking")
            reasoning += thought if isinstance(thought, str) else "".join(text_of(t, "text") for t in objects(thought))
        else:
            text += text_of(part, "text")
    return text, reasoning


def tool_call(entry: dict[str, Any]) -> tuple[str, str, str]:
    """(id, name, arguments) of one entry of `tool_calls`, whole or a piece; empty where absent.

    A "custom" tool's input stands where a function's arguments do. Arguments that a server sends as an object
    (some compatible ones) are written as JSON text.
    """
    called = entry.get("function") or entry.get("custom")
    if not isinstance(called, dict):
        return text_of(entry, "id"), "", ""
    arguments = called.get("arguments", called.get("input"))
    if arguments is not None and not isinstance(arguments, str):
        arguments = json_text(arguments)
    return text_of(entry, "id"), text_of(called, "name"), arguments or ""


def _content(message: pb.ChatMessage, dialect: Dialect) -> Any:
    if message.parts:
        first = [{"type": "text", "text": message.text}] if message.HasField("text") else []
        return [*first, *(part_json(part, dialect) for part in message.parts)]
    if message.HasField("text"):
        return message.text
    # Only an assistant that called tools or refused may have said nothing.
    return None if message.role == pb.ROLE_ASSISTANT else ""


def _give_back_reasoning(body: dict[str, Any], reasoning: str, dialect: Dialect) -> None:
    if dialect.reasoning == THINKING_PART:
        said = body["content"]
        rest = said if isinstance(said, list) else [{"type": "text", "text": said}] if said else []
        body["content"] = [{"type": "thinking", "thinking": [{"type": "text", "text": reasoning}]}, *rest]
    elif dialect.reasoning:
        body[dialect.reasoning] = reasoning


def _image(image: pb.ImagePart) -> dict[str, Any]:
    match image.WhichOneof("source"):
        case "url":
            body = {"url": image.url}
        case "data":
            body = {"url": data_url(image.data, image.media_type)}
        case _:
            raise BadRequest("an image part has neither url nor data")
    return {**body, "detail": image.detail} if image.detail else body


def _file(file: pb.FilePart) -> dict[str, Any]:
    if file.file_id:
        return {"file_id": file.file_id}
    if file.url:
        raise Unsupported("files are taken as data or by id here, not by URL")
    body = {"file_data": data_url(file.data, file.media_type)}
    return {"filename": file.filename, **body} if file.filename else body


def _document(file: pb.FilePart) -> dict[str, Any]:
    """docs.mistral.ai/capabilities/document_ai/document_qna; a file that was uploaded is a part of its own."""
    if file.file_id:
        return {"type": "file", "file_id": file.file_id}
    body = {"type": "document_url", "document_url": file.url or data_url(file.data, file.media_type)}
    return body | {"document_name": file.filename} if file.filename else body


def data_url(data: bytes, media_type: str) -> str:
    if not media_type:
        raise BadRequest("data without media_type")
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
