"""What an error of Cohere means, as HTTP answer or within a stream (docs.cohere.com/reference/errors).

The body of an error is {"message": …, "id": …}, with an `error_type` in some.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
    Unsupported,
)
from sidecar.providers.reading import fault_told, json_object, text_of
from sidecar.providers.wire import HttpResponse

_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    402: RateLimited,  # the billing limit is reached
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    429: RateLimited,
    498: ContentFiltered,  # "a request or response contains a deny-listed token"
    499: ServerError,
    501: Unsupported,  # "the requested feature is not implemented"
}
_MARKERS: tuple[tuple[str, type[Fault]], ...] = (
    ("too many tokens", ContextTooLong),
    ("too_many_tokens", ContextTooLong),
    ("blocked output", ContentFiltered),
    ("blocked input", ContentFiltered),
)


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    said = json_object(response.body) or {}
    kind, code = _kind(said, response.status), text_of(said, "error_type")
    return fault_told(kind, text_of(said, "message"), response.status, response.headers, code)


def _kind(said: dict[str, Any], status: int) -> type[Fault]:
    if status in (400, 422):
        words = f"{text_of(said, 'error_type')} {text_of(said, 'message')}".lower()
        return next((kind for marker, kind in _MARKERS if marker in words), BadRequest)
    if status in _STATUSES:
        return _STATUSES[status]
    return BadRequest if 400 <= status < 500 else ServerError
