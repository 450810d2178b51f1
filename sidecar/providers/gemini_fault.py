"""What an error of Google's APIs means: a google.rpc.Status in JSON, as HTTP answer or as event of a stream.

cloud.google.com/apis/design/errors, ai.google.dev/gemini-api/docs/troubleshooting. It may stand in a list of one.
"""

from __future__ import annotations

import re
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
from sidecar.providers.reading import (
    NO_HEADERS,
    NOTHING,
    count,
    error_body,
    fault_told,
    message_of,
    object_of,
    objects,
    text_of,
)
from sidecar.providers.wire import HttpResponse

_CODES: Mapping[str, type[Fault]] = {
    "UNAUTHENTICATED": KeyRejected,
    "PERMISSION_DENIED": KeyRejected,
    "FAILED_PRECONDITION": KeyRejected,  # no billing, or not in this country: another account may go on
    "NOT_FOUND": ModelNotFound,
    "RESOURCE_EXHAUSTED": RateLimited,
    "INVALID_ARGUMENT": BadRequest,
    "OUT_OF_RANGE": BadRequest,
    "UNIMPLEMENTED": Unsupported,
    "UNAVAILABLE": ServerError,
    "INTERNAL": ServerError,
    "DEADLINE_EXCEEDED": ServerError,
    "ABORTED": ServerError,
    "CANCELLED": ServerError,
    "UNKNOWN": ServerError,
}
_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    402: RateLimited,
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    429: RateLimited,
    499: ServerError,
}
_REASONS: Mapping[str, type[Fault]] = {
    "API_KEY_INVALID": KeyRejected,  # comes with 400
    "API_KEY_SERVICE_BLOCKED": KeyRejected,
}
# Of a refused request, whose code says no more than "invalid argument".
_MESSAGES: tuple[tuple[str, type[Fault]], ...] = (
    ("exceeds the maximum number of tokens", ContextTooLong),
    ("input token count", ContextTooLong),
    ("input context is too long", ContextTooLong),
    ("api key not valid", KeyRejected),
    ("api key expired", KeyRejected),
    ("cachedcontent not found", BadRequest),  # comes with 403
)
_DELAY = re.compile(r"(\d+(?:\.\d+)?)s")


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    return fault_of_error(error_body(response), response.status, response.headers)


def fault_of_error(body: Any, status: int, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """{"error": {"code", "message", "status", "details"}}. `status` 0: it came in a stream or under 200."""
    if isinstance(body, list):
        body = next(iter(objects(body)), None)
    error = body.get("error", body) if isinstance(body, dict) else body
    said: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error} if error else NOTHING
    details = objects(said.get("details"))
    reason = next((text_of(each, "reason") for each in details if each.get("reason")), "")
    code, message = text_of(said, "status"), message_of(said)
    kind = _kind(code, reason, message.lower(), status or count(said.get("code")) or 0)
    fault = fault_told(kind, message, status, headers, reason or code)
    if fault.retry_after_s is None:
        fault.retry_after_s = _retry_delay_s(details)
    return fault


def _kind(code: str, reason: str, message: str, status: int) -> type[Fault]:
    found = _REASONS.get(reason) or next((kind for marker, kind in _MESSAGES if marker in message), None)
    if found is not None and status < 500:
        return found
    refused = BadRequest if 400 <= status < 500 else ServerError
    return _CODES.get(code) or _STATUSES.get(status) or refused


def _retry_delay_s(details: list[dict[str, Any]]) -> float | None:
    """google.rpc.RetryInfo: a duration as protobuf's JSON writes it ("22.5s")."""
    for each in details:
        if found := _DELAY.fullmatch(
            text_of(each, "retryDelay") or text_of(object_of(each, "retryInfo"), "retryDelay")
        ):
            return float(found[1])
    return None
