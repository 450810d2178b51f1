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


_OPENAI = OpenAi()


def tongue_of(path: str) -> Tongue:
    return _OPENAI
