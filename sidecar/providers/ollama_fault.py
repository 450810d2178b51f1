"""What an error of Ollama means, as HTTP answer or as line of a stream (docs.ollama.com/api/errors).

Its body is {"error": "text"}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
from sidecar.providers.reading import NO_HEADERS, fault_told, json_object
from sidecar.providers.wire import HttpResponse

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
    said = json_object(response.body) or {}
    return fault_of_error(said.get("error"), response.status, response.headers)


def fault_of_error(error: Any, status: int, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """`status` 0: it came in a stream or under 200."""
    if isinstance(error, dict):  # from a proxy before a hosted Ollama
        error = error.get("message")
    message = error if isinstance(error, str) else ""
    return fault_told(_kind(message.lower(), status), message, status, headers)


def _kind(message: str, status: int) -> type[Fault]:
    if status in _STATUSES:
        return _STATUSES[status]
    by_message = next((kind for marker, kind in _MARKERS if marker in message), None)
    return by_message or (BadRequest if 400 <= status < 500 else ServerError)
