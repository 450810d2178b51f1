"""Cohere, Gemini and Ollama as a hostile provider speaks them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.support.hostile_tongue import event_of, in_out


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
        return {"billed_units": in_out(usage), "tokens": in_out(usage)}


class Gemini:
    """ai.google.dev/api/generate-content: no event ends a stream; every candidate has its finish reason."""

    stream_type = "text/event-stream"
    _STATUSES: Mapping[int, str] = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}

    def whole(self, path: str, text: str, model: str, usage: Mapping[str, Any] | None) -> dict[str, Any]:
        return {**self._said(text, model, finishReason="STOP"), "usageMetadata": self._usage(usage)}

    def opening(self, model: str) -> list[bytes]:
        return []

    def word(self, text: str, model: str = "told", **choice: Any) -> bytes:
        return event_of(self._said(text, model))

    def closing(self, model: str, usage: Mapping[str, Any] | None, end: bytes) -> list[bytes]:
        return [event_of(self.whole("", "", model, usage))]

    def error(self, status: int, message: str) -> dict[str, Any]:
        return {"error": {"code": status, "message": message, "status": self._STATUSES.get(status, "INTERNAL")}}

    def error_event(self, status: int, message: str) -> bytes:
        return event_of(self.error(status, message))

    def garbage(self) -> bytes:
        return b'data: {"candidates": [{"cont\n\n'

    def _said(self, text: str, model: str, **more: Any) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"text": text}]}
        return {"candidates": [{"index": 0, "content": content, **more}], "modelVersion": model, "responseId": "g1"}

    def _usage(self, usage: Mapping[str, Any] | None) -> dict[str, int]:
        counts = in_out(usage)
        return {"promptTokenCount": counts["input_tokens"], "candidatesTokenCount": counts["output_tokens"]}


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
        counts = in_out(usage)
        told = {"prompt_eval_count": counts["input_tokens"], "eval_count": counts["output_tokens"]} if counts else {}
        return {"done": True, "done_reason": "stop", **told}

    def _line(self, said: Any) -> bytes:
        return json.dumps(said).encode() + b"\n"
