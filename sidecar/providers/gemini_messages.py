"""A conversation as Gemini has it: contents of the roles user and model, the system's words beside them.

ai.google.dev/api/caching#Content, ai.google.dev/gemini-api/docs/function-calling: the responses to one turn's calls
stand together in the next content, and name their function.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import orjson

from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.gemini_models import ways_of
from sidecar.providers.gemini_parts import Part, content_parts
from sidecar.providers.gemini_signatures import signature_of_call, signed
from taximeter.v1 import payload_pb2 as pb

_SYSTEM = (pb.ROLE_SYSTEM, pb.ROLE_DEVELOPER)


class Conversation:
    """Reads the messages one by one: which function a response is of stands in the call before it."""

    def __init__(self, model: str, files: str) -> None:
        self._model = model
        self._files = files
        self._calls: dict[str, str] = {}
        """Id of a call -> the function's name; the latest of that id."""
        self._waiting: list[str] = []
        """Functions called by the last turn and not answered yet, where calls have no ids."""
        self.system: list[Part] = []
        self.contents: list[dict[str, Any]] = []

    def read(self, messages: Iterable[pb.ChatMessage]) -> None:
        for is_tool, group in groupby(messages, lambda message: message.role == pb.ROLE_TOOL):
            if is_tool:
                self._add("user", [self._response(message) for message in group])
            else:
                for message in group:
                    self._read(message)

    def _read(self, message: pb.ChatMessage) -> None:
        match message.role:
            case pb.ROLE_USER:
                self._add("user", content_parts(message, self._files))
            case pb.ROLE_ASSISTANT:
                self._add("model", self._said(message))
            case role if role in _SYSTEM:
                self.system += content_parts(message, self._files)
            case _:
                raise BadRequest("a message has no role")

    def _add(self, role: str, parts: list[Part]) -> None:
        if parts:
            self.contents.append({"role": role, "parts": parts})

    def _said(self, message: pb.ChatMessage) -> list[Part]:
        said = content_parts(message, self._files)
        if message.refusal:
            said.append({"text": message.refusal})
        self._calls |= {call.id: call.name for call in message.tool_calls if call.id}
        self._waiting = [call.name for call in message.tool_calls if not call.id]
        calls = [self._call(call, place) for place, call in enumerate(message.tool_calls)]
        return [*signed(message, said), *calls]

    def _call(self, call: pb.ToolCall, place: int) -> Part:
        function = {"name": call.name, "args": _arguments(call), **({"id": call.id} if call.id else {})}
        return {"functionCall": function, **signature_of_call(call, place, self._model)}

    def _response(self, message: pb.ChatMessage) -> Part:
        name = self._called(message)
        text, media = _text_and_media(content_parts(message, self._files))
        response: Part = {"name": name, "response": _result(text, failed=message.tool_failed)}
        if message.tool_call_id:
            response["id"] = message.tool_call_id
        if media:
            if not ways_of(self._model).media_in_results:
                raise Unsupported(f"{self._model} takes text only as a tool's answer")
            response["parts"] = media
        return {"functionResponse": response}

    def _called(self, message: pb.ChatMessage) -> str:
        """The function that an answer is of: by the call's id, else (older models give none) by name, else by place."""
        name = self._calls.get(message.tool_call_id, "") if message.tool_call_id else ""
        name = name or message.name or next(iter(self._waiting), "")
        if not name:
            raise BadRequest(f"no tool call {message.tool_call_id!r} stands before its answer")
        if not message.tool_call_id and name in self._waiting:
            self._waiting.remove(name)
        return name


def _text_and_media(parts: list[Part]) -> tuple[str, list[Part]]:
    """Media stand beside a response's values (ai.google.dev/gemini-api/docs/function-calling#multimodal)."""
    return "".join(part["text"] for part in parts if "text" in part), [part for part in parts if "text" not in part]


def _result(text: str, *, failed: bool) -> dict[str, Any]:
    """An object: the tool's own, or with the keys that the API knows (ai.google.dev/api/caching#FunctionResponse)."""
    if failed:
        return {"error": text}
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    return found if isinstance(found, dict) else {"output": text}


def _arguments(call: pb.ToolCall) -> dict[str, Any]:
    try:
        arguments = orjson.loads(call.arguments or "{}")
    except orjson.JSONDecodeError:
        arguments = None
    if not isinstance(arguments, dict):
        raise BadRequest(f"the arguments of the tool call {call.name!r} are not a JSON object")
    return arguments
