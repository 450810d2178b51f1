"""Chat messages in Cohere's JSON, both ways (docs.cohere.com/reference/chat)."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.reading import objects, text_of
from taximeter.v1 import payload_pb2 as pb

TOOL_PLAN = "tool_plan"
"""Id of the reasoning block that is the plan which came with tool calls: it goes back into the field of that name."""

_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "system",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}


def message_json(message: pb.ChatMessage) -> dict[str, Any]:
    role = _ROLES.get(message.role)
    if role is None:
        raise BadRequest("a message has no role")
    body: dict[str, Any] = {"role": role}
    if role == "assistant":
        return body | _assistant(message)
    if role == "tool":
        body["tool_call_id"] = message.tool_call_id
    return body | {"content": _parts(message) if message.parts else message.text}


def read_message(said: dict[str, Any]) -> pb.ChatMessage:
    """An answer's message. What stands in no field of ours is left to the caller of this."""
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT)
    for part in objects(said.get("content")):
        message.text += text_of(part, "text")
        if thought := text_of(part, "thinking"):
            message.reasoning_blocks.add(text=thought)
    if plan := text_of(said, "tool_plan"):
        message.reasoning_blocks.add(text=plan, id=TOOL_PLAN)
    message.reasoning = "".join(block.text for block in message.reasoning_blocks)
    for entry in objects(said.get("tool_calls")):
        call_id, name, arguments = tool_call(entry)
        message.tool_calls.add(id=call_id, name=name, arguments=arguments)
    return message


def tool_call(entry: dict[str, Any]) -> tuple[str, str, str]:
    """(id, name, arguments) of a tool call, whole or a piece; empty where absent."""
    function = entry.get("function")
    function = function if isinstance(function, dict) else {}
    return text_of(entry, "id"), text_of(function, "name"), text_of(function, "arguments")


def _assistant(message: pb.ChatMessage) -> dict[str, Any]:
    body: dict[str, Any] = {}
    thoughts, plan = _thoughts(message)
    content = [*({"type": "thinking", "thinking": thought} for thought in thoughts), *_parts(message)]
    if message.refusal:
        content.append({"type": "text", "text": message.refusal})
    if message.HasField("text") and len(content) == 1:
        body["content"] = message.text
    elif content:
        body["content"] = content
    if plan:
        body["tool_plan"] = plan
    if message.tool_calls:
        body["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    return body


def _thoughts(message: pb.ChatMessage) -> tuple[list[str], str]:
    """(thinking, tool plan) to give back. Reasoning of which only the text was kept is the plan of its tool calls."""
    if message.reasoning_blocks:
        plan = "".join(block.text for block in message.reasoning_blocks if block.id == TOOL_PLAN)
        return [block.text for block in message.reasoning_blocks if block.text and block.id != TOOL_PLAN], plan
    if not message.reasoning:
        return [], ""
    return ([], message.reasoning) if message.tool_calls else ([message.reasoning], "")


def _parts(message: pb.ChatMessage) -> list[dict[str, Any]]:
    return list(_all_parts(message))


def _all_parts(message: pb.ChatMessage) -> Iterator[dict[str, Any]]:
    if message.HasField("text"):
        yield {"type": "text", "text": message.text}
    for part in message.parts:
        match part.WhichOneof("part"):
            case "text":
                yield {"type": "text", "text": part.text}
            case "image":
                yield {"type": "image_url", "image_url": _image(part.image)}
            case None:
                raise BadRequest("a content part is empty")
            case kind:
                raise Unsupported(f"Cohere's messages do not take a part of kind {kind}")


def _image(image: pb.ImagePart) -> dict[str, str]:
    match image.WhichOneof("source"):
        case "url":
            url = image.url
        case "data" if image.media_type:
            url = f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
        case "data":
            raise BadRequest("data without media_type")
        case _:
            raise BadRequest("an image part has neither url nor data")
    return {"url": url, **({"detail": image.detail} if image.detail else {})}
