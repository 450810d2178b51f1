"""What an error of Ollama means, as HTTP answer or as line of a stream (docs.ollama.com/api/errors).

Its body is {"error": "text"}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sidecar.core.faults import (
    BadRequest,
    ContextTooLong,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
    Unsupported,
)
from sidecar.providers.http import provider_request_id, retry_after_s
from sidecar.providers.wire import HttpResponse

_MESSAGE_CHARACTERS = 1024
_NO_HEADERS: Mapping[str, str] = {}

_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    402: RateLimited,
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    429: RateLimited,
}
# Under 400 and 500 alike, and in streams.
_MARKERS: tuple[tuple[str, type[Fault]], ...] = (
    ("context length", ContextTooLong),  # "the input length exceeds the context length"
    ("does not support", Unsupported),  # a model without tools, thinking, images, embedding: another may have them
    ("try pulling it first", ModelNotFound),
)


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        body = None
    return fault_of_error(body.get("error") if isinstance(body, dict) else None, response.status, response.headers)


def fault_of_error(error: Any, status: int, headers: Mapping[str, str] = _NO_HEADERS) -> Fault:
    """`status` 0: it came in a stream or under 200."""
    if isinstance(error, dict):  # from a proxy before a hosted Ollama
        error = error.get("message")
    message = error[:_MESSAGE_CHARACTERS] if isinstance(error, str) else ""
    return _kind(message.lower(), status)(
        message or f"HTTP {status}",
        http_status=status,
        retry_after_s=retry_after_s(headers),
        provider_request_id=provider_request_id(headers),
    )


def _kind(message: str, status: int) -> type[Fault]:
    if status in _STATUSES:
        return _STATUSES[status]
    by_message = next((kind for marker, kind in _MARKERS if marker in message), None)
    return by_message or (BadRequest if 400 <= status < 500 else ServerError)
