"""What goes wrong at Replicate: an answer outside 2xx, or a prediction that came to nothing.

An error body is {"detail": …} with `title` and `status`, at 429 also `retry_after` in seconds
(replicate.com/docs/reference/http#rate-limits, github.com/nodetool-ai/nodetool/issues/5196); rate limits stand in
`ratelimit-remaining` and `ratelimit-reset`, in seconds too. The statuses of a prediction:
replicate.com/docs/topics/predictions/lifecycle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import (
    LONGEST_WAIT_S,
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ResponseTimeout,
    ServerError,
)
from sidecar.providers.http import duration_s, retry_after_s
from sidecar.providers.reading import fault_told, json_object, words_of
from sidecar.providers.wire import HttpResponse

_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    402: RateLimited,  # "Insufficient credit"
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    429: RateLimited,
}

# Words of a refused request (422) and of a failed prediction, whose models bring words of their own.
_WORDS: tuple[tuple[str, type[Fault]], ...] = (
    ("invalid version or not permitted", ModelNotFound),
    ("flagged as sensitive", ContentFiltered),
    ("nsfw content detected", ContentFiltered),
    ("content policy", ContentFiltered),
    ("context length", ContextTooLong),
    ("context window", ContextTooLong),
    ("prompt is too long", ContextTooLong),
    ("input validation failed", BadRequest),
)


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    said = json_object(response.body) or {}
    title, detail = (words_of(said.get(name)) for name in ("title", "detail"))
    words = f"{title} {detail}".lower()
    refused = BadRequest if response.status < 500 else ServerError
    kind = _STATUSES.get(response.status) or (_by_words(words) if refused is BadRequest else None) or refused
    fault = fault_told(kind, detail or title, response.status, response.headers, title)
    fault.retry_after_s = _retry_after_s(response.headers, said)
    return fault


def fault_of_prediction(status: str, error: Any, usage: Usage | None) -> Fault:
    """A prediction that ended otherwise than "succeeded".

    "canceled": somebody stopped it, or it outlasted its Cancel-After; it is charged. "aborted": that came before it
    began; it is not (replicate.com/changelog/2025-10-16-prediction-deadlines).
    """
    message = words_of(error)
    if status == "canceled":
        return ResponseTimeout(message or "the prediction was canceled before it was done", usage=usage)
    if status == "aborted":
        return ServerError(message or "the prediction's deadline passed before it began")
    return fault_of_words(message, usage)


def fault_of_words(message: str, usage: Usage | None = None) -> Fault:
    """A failure that is told in words only."""
    kind = _by_words(message.lower()) or ServerError
    return kind(message or "the prediction failed", usage=usage)


def _by_words(words: str) -> type[Fault] | None:
    return next((kind for marker, kind in _WORDS if marker in words), None)


def _retry_after_s(headers: Mapping[str, str], said: Mapping[str, Any]) -> float | None:
    told = retry_after_s(headers)
    if told is None and isinstance(told_so := said.get("retry_after"), (int, float)):
        told = duration_s(str(told_so))
    if told is None and headers.get("ratelimit-remaining") == "0":
        told = duration_s(headers.get("ratelimit-reset", ""))
    return None if told is None else min(told, LONGEST_WAIT_S)
