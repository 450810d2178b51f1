"""The wires that a hostile provider speaks by hand: good words, so that acts can spoil them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.support.hostile_others import Cohere, Gemini, Ollama
from tests.support.hostile_tongue import Tongue, event_of, in_out


class OpenAi:
    """platform.openai.com/docs/api-reference/chat-streaming."""

    stream_type = "text/event-stream"

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        reported = {} if usage is None else {"usage": usage}
        if path.endswith("/embeddings"):
            return {"model": model, "data": [{"index": 0, "embedding": [0.5, 0.25]}], **reported}
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        return {"id": "c1", "model": model, "choices": [choice], **reported}

    def opening(self, model: str) -> list[bytes]:
        return []

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        delta = {"index": 0, "delta": {"content": text}, "finish_reason": None} | choice
        return event_of({"id": "c1", "model": model, "choices": [delta]})

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        events = [self.word("", model, delta={}, finish_reason="stop")]
        if usage is not None:
            events.append(event_of({"id": "c1", "model": model, "choices": [], "usage": usage}))
        return [*events, b"data: " + end + b"\n\n"] if end else events

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "code": status}}

    def error_event(self, status: int, message: str) -> bytes:
        return event_of(self.error(status, message))

    def garbage(self) -> bytes:
        return b'data: {"choices": [{"del\n\n'


class Responses:
    """developers.openai.com/api/reference/resources/responses/streaming-events."""

    stream_type = "text/event-stream"

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        message = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        return {**self._response("completed", model), "output": [message], "usage": in_out(usage)}

    def opening(self, model: str) -> list[bytes]:
        return [self._event("response.created", response=self._response("in_progress", model))]

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        return self._event("response.output_text.delta", output_index=0, content_index=0, delta=text)

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        response = {**self._response("completed", model), "usage": in_out(usage)}
        return [self._event("response.completed", response=response)]

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"message": message, "code": self._code(status)}}

    def error_event(self, status: int, message: str) -> bytes:
        return self._event("error", code=self._code(status), message=message)

    def garbage(self) -> bytes:
        return b'event: response.output_text.delta\ndata: {"type": "resp\n\n'

    def _code(self, status: int) -> str:
        return {401: "invalid_api_key", 429: "rate_limit_exceeded"}.get(status, "server_error")

    def _response(self, status: str, model: str) -> dict[str, Any]:
        return {"id": "resp_1", "object": "response", "status": status, "model": model, "output": []}

    def _event(self, kind: str, **said: Any) -> bytes:
        return event_of({"type": kind, **said}, kind)


class Anthropic:
    """platform.claude.com/docs/en/build-with-claude/streaming, .../api/errors."""

    stream_type = "text/event-stream"
    _KINDS: Mapping[int, str] = {401: "authentication_error", 429: "rate_limit_error", 503: "overloaded_error"}

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        content = [{"type": "text", "text": text}]
        return {**self._message(model), "content": content, "stop_reason": "end_turn", "usage": in_out(usage)}

    def opening(self, model: str) -> list[bytes]:
        message = {**self._message(model), "content": [], "usage": {"input_tokens": 1000, "output_tokens": 1}}
        block = {"index": 0, "content_block": {"type": "text", "text": ""}}
        return [self._event("message_start", message=message), self._event("content_block_start", **block)]

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        ended = self._event("message_delta", delta={"stop_reason": "end_turn"}, usage=in_out(usage))
        events = [self._event("content_block_stop", index=0), ended]
        return [*events, self._event("message_stop")] if end else events

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"type": "error", "error": {"type": self._KINDS.get(status, "api_error"), "message": message}}

    def error_event(self, status: int, message: str) -> bytes:
        return event_of(self.error(status, message), "error")

    def garbage(self) -> bytes:
        return b'event: content_block_delta\ndata: {"type": "content_bl\n\n'

    def _message(self, model: str) -> dict[str, Any]:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": model}

    def _event(self, kind: str, **said: Any) -> bytes:
        return event_of({"type": kind, **said}, kind)


_OPENAI = OpenAi()
_BY_ENDING: Mapping[str, Tongue] = {
    "/messages": Anthropic(),
    "/v2/chat": Cohere(),
    "/api/chat": Ollama(),
    "/responses": Responses(),
    ":generateContent": Gemini(),
    ":streamGenerateContent": Gemini(),
}


def tongue_of(path: str) -> Tongue:
    """By where a request goes."""
    path = path.partition("?")[0]
    return next((tongue for ending, tongue in _BY_ENDING.items() if path.endswith(ending)), _OPENAI)
