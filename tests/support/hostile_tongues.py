"""The wires that a hostile provider speaks by hand: good words, so that acts can spoil them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


class Tongue(Protocol):
    """Streamed pieces are whole events, to be sent as they are."""

    stream_type: str

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        """The body of a unary answer."""
        ...

    def opening(self, model: str) -> list[bytes]:
        """What comes before the first word."""
        ...

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes: ...

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        """Finish reason, usage, terminal event; without the latter if `end` is empty."""
        ...

    def error(self, status: int, message: str) -> dict[str, Any]:
        """What an error says, as body and as event of a stream."""
        ...

    def error_event(self, status: int, message: str) -> bytes: ...

    def garbage(self) -> bytes:
        """A piece that nobody can read."""
        ...


def event_of(content: Any, name: str = "") -> bytes:
    """One server-sent event."""
    named = f"event: {name}\n" if name else ""
    return f"{named}data: {json.dumps(content)}\n\n".encode()


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


class Anthropic:
    """platform.claude.com/docs/en/build-with-claude/streaming, .../api/errors."""

    stream_type = "text/event-stream"
    _KINDS: Mapping[int, str] = {401: "authentication_error", 429: "rate_limit_error", 503: "overloaded_error"}

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        content = [{"type": "text", "text": text}]
        return {**self._message(model), "content": content, "stop_reason": "end_turn", "usage": _in_out(usage)}

    def opening(self, model: str) -> list[bytes]:
        message = {**self._message(model), "content": [], "usage": {"input_tokens": 1000, "output_tokens": 1}}
        block = {"index": 0, "content_block": {"type": "text", "text": ""}}
        return [self._event("message_start", message=message), self._event("content_block_start", **block)]

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        return self._event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        ended = self._event("message_delta", delta={"stop_reason": "end_turn"}, usage=_in_out(usage))
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


class Cohere:
    """docs.cohere.com/v2/docs/streaming. Errors have a message and no more."""

    stream_type = "text/event-stream"

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        message = {"role": "assistant", "content": [{"type": "text", "text": text}]}
        return {"id": "r1", "finish_reason": "COMPLETE", "message": message, "usage": self._usage(usage)}

    def opening(self, model: str) -> list[bytes]:
        return [event_of({"type": "message-start", "id": "r1", "delta": {"message": {"role": "assistant"}}})]

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        return event_of({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}})

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        delta = {"finish_reason": "COMPLETE", "usage": self._usage(usage)}
        return [event_of({"type": "message-end", "delta": delta})]

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"message": message}

    def error_event(self, status: int, message: str) -> bytes:
        return event_of(self.error(status, message))

    def garbage(self) -> bytes:
        return b'data: {"type": "content-de\n\n'

    def _usage(self, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"billed_units": _in_out(usage), "tokens": _in_out(usage)}


class Ollama:
    """docs.ollama.com/api/streaming: a JSON object a line."""

    stream_type = "application/x-ndjson"

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        return {**self._said(text, model), **self._end(usage)}

    def opening(self, model: str) -> list[bytes]:
        return []

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        return self._line({**self._said(text, model), "done": False})

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        return [self._line({**self._said("", model), **self._end(usage)})]

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": message}

    def error_event(self, status: int, message: str) -> bytes:
        return self._line(self.error(status, message))

    def garbage(self) -> bytes:
        return b'{"model": "m", "mess\n'

    def _said(self, text: str, model: str) -> dict[str, Any]:
        return {"model": model, "message": {"role": "assistant", "content": text}}

    def _end(self, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        counts = _in_out(usage)
        told = {"prompt_eval_count": counts["input_tokens"], "eval_count": counts["output_tokens"]} if counts else {}
        return {"done": True, "done_reason": "stop", **told}

    def _line(self, said: Any) -> bytes:
        return json.dumps(said).encode() + b"\n"


class Responses:
    """developers.openai.com/api/reference/resources/responses/streaming-events."""

    stream_type = "text/event-stream"

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        message = {"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": content}
        return {**self._response("completed", model), "output": [message], "usage": _in_out(usage)}

    def opening(self, model: str) -> list[bytes]:
        return [self._event("response.created", response=self._response("in_progress", model))]

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        return self._event("response.output_text.delta", output_index=0, content_index=0, delta=text)

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        response = {**self._response("completed", model), "usage": _in_out(usage)}
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


def _in_out(usage: Mapping[str, Any] | None) -> dict[str, int]:
    if usage is None:
        return {}
    return {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}


_OPENAI = OpenAi()
_BY_ENDING: Mapping[str, Tongue] = {
    "/messages": Anthropic(),
    "/v2/chat": Cohere(),
    "/api/chat": Ollama(),
    "/responses": Responses(),
}


def tongue_of(path: str) -> Tongue:
    """By where a request goes."""
    return next((tongue for ending, tongue in _BY_ENDING.items() if path.endswith(ending)), _OPENAI)
