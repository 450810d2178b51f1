"""What an error of Google's means: `google.rpc.Status` as JSON, as HTTP answer or as event of a stream.

cloud.google.com/apis/design/errors, ai.google.dev/gemini-api/docs/troubleshooting,
docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/api-errors. Lists of errors come from streams that
are no server-sent events. A key that is wrong is told under 400; how long to wait stands in the details.
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
from sidecar.providers.http import duration_s
from sidecar.providers.reading import (
    NO_HEADERS,
    NOTHING,
    error_body,
    fault_told,
    message_of,
    objects,
    text_of,
)
from sidecar.providers.wire import HttpResponse

# Codes of google.rpc.Status, as github.com/googleapis/googleapis/blob/master/google/rpc/code.proto has them.
_CODES: Mapping[str, type[Fault]] = {
    "INVALID_ARGUMENT": BadRequest,
    "FAILED_PRECONDITION": BadRequest,
    "OUT_OF_RANGE": BadRequest,
    "ALREADY_EXISTS": BadRequest,
    "UNIMPLEMENTED": BadRequest,
    "UNAUTHENTICATED": KeyRejected,
    "PERMISSION_DENIED": KeyRejected,
    "NOT_FOUND": ModelNotFound,
    "RESOURCE_EXHAUSTED": RateLimited,
    "ABORTED": ServerError,
    "CANCELLED": ServerError,
    "DATA_LOSS": ServerError,
    "DEADLINE_EXCEEDED": ServerError,
    "INTERNAL": ServerError,
    "UNAVAILABLE": ServerError,
    "UNKNOWN": ServerError,
}

# Reasons of google.rpc.ErrorInfo: github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto
_REASONS: Mapping[str, type[Fault]] = {
    "API_KEY_INVALID": KeyRejected,
    "API_KEY_EXPIRED": KeyRejected,
    "API_KEY_SERVICE_BLOCKED": KeyRejected,
    "API_KEY_HTTP_REFERRER_BLOCKED": KeyRejected,
    "API_KEY_IP_ADDRESS_BLOCKED": KeyRejected,
    "ACCESS_TOKEN_EXPIRED": KeyRejected,
    "ACCESS_TOKEN_TYPE_UNSUPPORTED": KeyRejected,
    "ACCOUNT_STATE_INVALID": KeyRejected,
    "BILLING_DISABLED": KeyRejected,
    "CONSUMER_INVALID": KeyRejected,
    "CONSUMER_SUSPENDED": KeyRejected,
    "CREDENTIALS_MISSING": KeyRejected,
    "SERVICE_DISABLED": KeyRejected,
    "USER_PROJECT_DENIED": KeyRejected,
    "RATE_LIMIT_EXCEEDED": RateLimited,
    "RESOURCE_QUOTA_EXCEEDED": RateLimited,
}

# Of a refused request, whose code says no more than that.
_MESSAGES: tuple[tuple[str, type[Fault]], ...] = (
    ("exceeds the maximum number of tokens", ContextTooLong),
    ("input token count", ContextTooLong),  # "... is 40000 but model only supports up to 32768" (Vertex)
    ("api key not valid", KeyRejected),
    ("api key expired", KeyRejected),
    ("user location is not supported", KeyRejected),  # the account's, not the request's: another one may serve it
    ("enable billing", KeyRejected),
    ("prohibited use policy", ContentFiltered),  # docs.cloud.google.com/vertex-ai: Responsible AI
    ("responsible ai practices", ContentFiltered),
)

_NAMED = ("cachedcontent", "access the file")
"""Words for what a request names and cannot have, told like a key's or a model's fault, though it is neither."""

_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    429: RateLimited,
    499: ServerError,
}


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    return fault_of_error(error_in(error_body(response)), response.status, response.headers)


def error_in(body: Any) -> Any:
    """{"error": {...}}, or a list whose first entry is that."""
    if isinstance(body, list) and body:
        body = body[0]
    return body.get("error", body) if isinstance(body, dict) else body


def fault_of_error(error: Any, status: int, headers: Mapping[str, str] = NO_HEADERS) -> Fault:
    """{"code", "message", "status", "details"}. `status` 0: it came in a stream or under 200."""
    said: Mapping[str, Any] = error if isinstance(error, dict) else {"message": error} if error else NOTHING
    details = objects(said.get("details"))
    message, status = message_of(said), status or _status_in(said)
    reasons = [reason for each in details if (reason := text_of(each, "reason"))]
    code = text_of(said, "status")
    fault = fault_told(
        _kind(code, reasons, message.lower(), status), message, status, headers, reasons[0] if reasons else code
    )
    wait_s = _retry_delay_s(details)
    fault.retry_after_s = fault.retry_after_s if wait_s is None else wait_s
    return fault


def _kind(code: str, reasons: list[str], message: str, status: int) -> type[Fault]:
    if status >= 500:
        return ServerError
    by_reason = next((_REASONS[reason] for reason in reasons if reason in _REASONS), None)
    if by_reason is not None:
        return by_reason
    by_code = _CODES.get(code) or _STATUSES.get(status)
    if by_code in (KeyRejected, ModelNotFound) and any(named in message for named in _NAMED):
        return BadRequest
    if by_code not in (None, BadRequest):
        return by_code or ServerError
    by_message = next((kind for marker, kind in _MESSAGES if marker in message), None)
    return by_message or by_code or (BadRequest if 400 <= status < 500 else ServerError)


def _retry_delay_s(details: list[dict[str, Any]]) -> float | None:
    """google.rpc.RetryInfo: "34.074824224s"; None if there is none."""
    waits = [duration_s(text) for each in details if (text := text_of(each, "retryDelay"))]
    return max((wait for wait in waits if wait is not None), default=None)


def _status_in(said: Mapping[str, Any]) -> int:
    code = said.get("code")
    return code if type(code) is int and 400 <= code < 600 else 0
