"""What an error of the Messages API means, as HTTP answer or as event of a stream.

platform.claude.com/docs/en/api/errors. Servers that only speak alike answer in their own words and statuses: those of
llama.cpp are beside their markers.
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
)
from sidecar.providers.reading import NO_HEADERS, codes_of, error_body, fault_told, message_of
from sidecar.providers.wire import HttpResponse

_TYPES: Mapping[str, type[Fault]] = {
    "authentication_error": KeyRejected,
    "permission_error": KeyRejected,
    "billing_error": RateLimited,  # out of credit, as 402 elsewhere: another account may go on
    "rate_limit_error": RateLimited,
    "not_found_error": ModelNotFound,
    "request_too_large": BadRequest,
    "invalid_request_error": BadRequest,
    "api_error": ServerError,
    "timeout_error": ServerError,
    "overloaded_error": ServerError,
    "exceed_context_size_error": ContextTooLong,  # llama.cpp
}

# Of a refused request, whose type says no more than "invalid request".
_MESSAGES: tuple[tuple[str, type[Fault]], ...] = (
    ("prompt is too long", ContextTooLong),
    ("exceed context limit", ContextTooLong),  # input and max_tokens together, up to Claude 3.7
    ("context window", ContextTooLong),
    ("context length", ContextTooLong),  # vLLM
    ("context size", ContextTooLong),  # llama.cpp
    ("content filtering policy", ContentFiltered),
    ("credit balance", RateLimited),
    ("usage limits", RateLimited),  # a spend limit that the account set itself is answered with 400
)

_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    402: RateLimited,
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    429: RateLimited,
}


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    return fault_of_error(error_body(response), response.status, response.headers)


def fault_of_error(body: Any, status: int, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """{"type": "error", "error": {"type", "message"}}. `status` 0: it came in a stream or under 200."""
    error = body.get("error", body) if isinstance(body, dict) else body
    said: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error}
    message, code = message_of(said), next(iter(codes_of(said, "type", "code")), "")
    return fault_told(_kind(code, message.lower(), status), message, status, headers, code)


def _kind(code: str, message: str, status: int) -> type[Fault]:
    if status >= 500:
        return ServerError
    by_type = _TYPES.get(code)
    if by_type not in (None, BadRequest):
        return by_type or ServerError
    by_message = next((kind for marker, kind in _MESSAGES if marker in message), None)
    refused = BadRequest if 400 <= status < 500 else ServerError
    return _STATUSES.get(status) or by_message or by_type or refused
