"""Chat messages as input items of the Responses API (developers.openai.com/api/reference/resources/responses).

A message of ours becomes up to three kinds of items, in the order in which the model made them: its reasoning, what it
said, the functions it called.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.openai_dialect import Dialect
from sidecar.providers.openai_messages import data_url
from sidecar.providers.reading import GEMINIS
from taximeter.v1 import payload_pb2 as pb

_ROLES = {pb.ROLE_SYSTEM: "system", pb.ROLE_DEVELOPER: "developer", pb.ROLE_USER: "user"}


def input_items(request: pb.ChatRequest, dialect: Dialect) -> list[dict[str, Any]]:
    """Raises BadRequest for what is no message, Unsupported for what no item can say."""
    items = [item for message in request.messages for item in _items(message, dialect)]
    if request.prompt:
        items.append({"role": "user", "content": request.prompt})
    return items


def _items(message: pb.ChatMessage, dialect: Dialect) -> Iterator[dict[str, Any]]:
    if message.name:
        raise Unsupported("the Responses API knows no names of participants")
    if message.role == pb.ROLE_ASSISTANT:
        yield from _assistant(message, dialect)
    elif message.role == pb.ROLE_TOOL:
        yield {"type": "function_call_output", "call_id": message.tool_call_id, "output": _said(message)}
    elif message.role in _ROLES:
        role = _ROLES[message.role]
        yield {
            "role": "system" if role == "developer" and not dialect.developer_role else role,
            "content": _said(message),
        }
    else:
        raise BadRequest("a message has no role")


def _assistant(message: pb.ChatMessage, dialect: Dialect) -> Iterator[dict[str, Any]]:
    yield from _reasoning(message, dialect)
    parts = [{"type": "output_text", "text": part.text} for part in _texts(message)]
    if message.refusal:
        parts.append({"type": "refusal", "refusal": message.refusal})
    if parts:
        yield {"role": "assistant", "content": parts}
    elif message.text or not (message.tool_calls or message.reasoning or message.reasoning_blocks):
        yield {"role": "assistant", "content": message.text}
    for call in message.tool_calls:
        yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}


def _texts(message: pb.ChatMessage) -> Iterator[pb.ContentPart]:
    """The parts of what an assistant said, if a plain text does not say it all."""
    if message.text and (message.parts or message.refusal):
        yield pb.ContentPart(text=message.text)
    for part in message.parts:
        if part.WhichOneof("part") != "text":
            raise Unsupported("the Responses API takes only text as what an assistant said")
        yield part


def _reasoning(message: pb.ChatMessage, dialect: Dialect) -> Iterator[dict[str, Any]]:
    """Encrypted content opens its reasoning by itself; without it only a server that reads plain reasoning (DeepSeek,
    the open servers) has any use of it. An id alone would name what was not stored."""
    plainly = bool(dialect.reasoning) and not dialect.encrypted_reasoning
    for block in message.reasoning_blocks:
        if block.id.startswith(GEMINIS):
            continue
        if block.signature:
            summary = [{"type": "summary_text", "text": block.text}] if block.text else []
            yield _named(block) | {"summary": summary, "encrypted_content": block.signature}
        elif block.text and plainly:
            yield _named(block) | _plain(block.text)
    if message.reasoning and not message.reasoning_blocks and plainly:
        yield {"type": "reasoning", **_plain(message.reasoning)}


def _named(block: pb.ReasoningBlock) -> dict[str, Any]:
    return {"type": "reasoning", "id": block.id} if block.id else {"type": "reasoning"}


def _plain(text: str) -> dict[str, Any]:
    return {"summary": [], "content": [{"type": "reasoning_text", "text": text}]}


def _said(message: pb.ChatMessage) -> Any:
    if not message.parts:
        return message.text
    first = [{"type": "input_text", "text": message.text}] if message.text else []
    return [*first, *(_part(part) for part in message.parts)]


def _part(part: pb.ContentPart) -> dict[str, Any]:
    match part.WhichOneof("part"):
        case "text":
            return {"type": "input_text", "text": part.text}
        case "image":
            return _image(part.image)
        case "file":
            return _file(part.file)
        case "audio":
            raise Unsupported("the Responses API takes no audio")
        case _:
            raise BadRequest("a content part is empty")


def _image(image: pb.ImagePart) -> dict[str, Any]:
    match image.WhichOneof("source"):
        case "url":
            url = image.url
        case "data":
            url = data_url(image.data, image.media_type)
        case _:
            raise BadRequest("an image part has neither url nor data")
    body = {"type": "input_image", "image_url": url}
    return {**body, "detail": image.detail} if image.detail else body


def _file(file: pb.FilePart) -> dict[str, Any]:
    if file.file_id:
        return {"type": "input_file", "file_id": file.file_id}
    if file.url:
        return {"type": "input_file", "file_url": file.url}
    body = {"type": "input_file", "file_data": data_url(file.data, file.media_type)}
    return {**body, "filename": file.filename} if file.filename else body
