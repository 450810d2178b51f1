"""Chat messages in Ollama's JSON, both ways (docs.ollama.com/api/chat, docs.ollama.com/capabilities/tool-calling)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import orjson

from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.openai_messages import thoughts_of, tool_call
from sidecar.providers.reading import objects, text_of
from taximeter.v1 import payload_pb2 as pb

_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "system",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
    pb.ROLE_TOOL: "tool",
}


def messages_json(messages: Iterable[pb.ChatMessage]) -> list[dict[str, Any]]:
    """A tool's answer names its tool, which our messages know by the call's id: from the calls before it."""
    found = []
    waiting: list[pb.ToolCall] = []
    """Calls of the last assistant message that no answer has followed yet."""
    for message in messages:
        body = _message(message)
        if message.role == pb.ROLE_ASSISTANT:
            waiting = list(message.tool_calls)
        elif message.role == pb.ROLE_TOOL:
            body |= _answered(message, waiting)
        found.append(body)
    return found


def read_message(said: dict[str, Any]) -> pb.ChatMessage:
    """An answer's message."""
    message = pb.ChatMessage(role=pb.ROLE_ASSISTANT, reasoning=text_of(said, "thinking"))
    if said.get("content") is not None:
        message.text = text_of(said, "content")
    for entry in objects(said.get("tool_calls")):
        call_id, name, arguments = tool_call(entry)  # arguments come as an object
        message.tool_calls.add(id=call_id, name=name, arguments=arguments)
    return message


def _message(message: pb.ChatMessage) -> dict[str, Any]:
    role = _ROLES.get(message.role)
    if role is None:
        raise BadRequest("a message has no role")
    texts, images = _content(message)
    body: dict[str, Any] = {"role": role, "content": "\n".join(texts)}
    if images:
        body["images"] = images
    if thoughts := thoughts_of(message):
        body["thinking"] = thoughts
    if message.tool_calls:
        body["tool_calls"] = [_call(call) for call in message.tool_calls]
    return body


def _answered(message: pb.ChatMessage, waiting: list[pb.ToolCall]) -> dict[str, str]:
    """Which call an answer is to: the one of its id; without ids (older servers give none) the first that waits."""
    wanted = message.tool_call_id
    call = next((call for call in waiting if call.id == wanted), None)
    if call is not None:
        waiting.remove(call)
    name = call.name if call is not None else message.name
    return {**({"tool_name": name} if name else {}), **({"tool_call_id": wanted} if wanted else {})}


def _call(call: pb.ToolCall) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise BadRequest(f"the arguments of the tool call {call.name!r} are not a JSON object")
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "function": function} if call.id else {"function": function}


def _content(message: pb.ChatMessage) -> tuple[list[str], list[str]]:
    """(texts, images): a message's content is one text, and images beside it."""
    texts = [message.text] if message.HasField("text") else []
    texts += [message.refusal] if message.refusal else []
    images = []
    for part in message.parts:
        match part.WhichOneof("part"):
            case "text":
                texts.append(part.text)
            case "image":
                images.append(_image(part.image))
            case None:
                raise BadRequest("a content part is empty")
            case kind:
                raise Unsupported(f"Ollama's messages do not take a part of kind {kind}")
    return texts, images


def _image(image: pb.ImagePart) -> str:
    """Base64 without a prefix; Ollama fetches nothing."""
    if image.WhichOneof("source") == "data":
        return base64.b64encode(image.data).decode()
    head, _, data = image.url.partition(";base64,")
    if not head.startswith("data:"):
        raise Unsupported("Ollama takes images as data, not by URL")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        raise BadRequest("an image's data: URL is not base64") from None
    return data
