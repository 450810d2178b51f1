"""What a hostile provider must be able to say in the language of a wire."""

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


def in_out(usage: Mapping[str, Any] | None) -> dict[str, int]:
    """As others than OpenAI name the counts."""
    if usage is None:
        return {}
    return {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"]}
