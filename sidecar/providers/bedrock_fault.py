"""What an error of Bedrock means, as HTTP answer or as exception event of a stream.

docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors,
docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html; the kind stands in `x-amzn-errortype`, up to a colon.
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
)
from sidecar.providers.reading import fault_told, json_object, text_of, words_of
from sidecar.providers.wire import HttpResponse

_KINDS: Mapping[str, type[Fault]] = {
    "accessdeniedexception": KeyRejected,
    "expiredtokenexception": KeyRejected,
    "incompletesignature": KeyRejected,
    "invalidclienttokenid": KeyRejected,
    "invalidsignatureexception": KeyRejected,
    "missingauthenticationtoken": KeyRejected,
    "notauthorized": KeyRejected,
    "unrecognizedclientexception": KeyRejected,
    "throttlingexception": RateLimited,
    "servicequotaexceededexception": RateLimited,
    "resourcenotfoundexception": ModelNotFound,
    "validationexception": BadRequest,
    "modelnotreadyexception": ServerError,  # 429, but nobody was too fast: it is being loaded
    "modeltimeoutexception": ServerError,
    "modelerrorexception": ServerError,
    "modelstreamerrorexception": ServerError,
    "internalserverexception": ServerError,
    "internalfailure": ServerError,
    "serviceunavailableexception": ServerError,
}
_STATUSES: Mapping[int, type[Fault]] = {
    401: KeyRejected,
    402: RateLimited,
    403: KeyRejected,
    404: ModelNotFound,
    408: ServerError,
    424: ServerError,
    429: RateLimited,
}

# Of a validation error, or of a refused access.
_WORDS: tuple[tuple[str, type[Fault]], ...] = (
    ("model identifier is invalid", ModelNotFound),
    ("on-demand throughput isn", ModelNotFound),  # the model is there under an inference profile's id only
    ("access to the model", ModelNotFound),  # the key is good: this model was not granted to it
    ("end of its life", ModelNotFound),
    ("input tokens exceeded", ContextTooLong),  # Amazon Nova
    ("input is too long", ContextTooLong),  # Anthropic, Amazon Titan
    ("prompt is too long", ContextTooLong),
    ("maximum context length", ContextTooLong),
    ("exceed context limit", ContextTooLong),
    ("too many input tokens", ContextTooLong),  # Amazon Titan
)


def fault_of_response(response: HttpResponse) -> Fault:
    """An answer outside 2xx."""
    said = json_object(response.body) or {}
    kind = response.headers.get("x-amzn-errortype") or text_of(said, "__type").rpartition("#")[2]
    return _fault(kind.partition(":")[0], _message(said), response.status, response.headers)


def fault_of_event(kind: str, payload: bytes, message: str = "") -> Fault:
    """An exception event ("throttlingException"), or an error event, whose words stand in a header."""
    return _fault(kind, _message(json_object(payload) or {}) or message, 0, {})


def _fault(kind: str, message: str, status: int, headers: Mapping[str, str]) -> Fault:
    refused = BadRequest if 400 <= status < 500 else ServerError
    by_kind = None if status >= 500 else _KINDS.get(kind.lower())
    found = by_kind or _STATUSES.get(status) or refused
    if found in (BadRequest, KeyRejected):
        words = message.lower()
        found = next((better for marker, better in _WORDS if marker in words), found)
    return fault_told(found, message or kind, status, headers, kind)


def _message(said: Mapping[str, Any]) -> str:
    """Without the request that a wrong signature is answered with: its session token is in it."""
    message = words_of(said.get("message") or said.get("Message"))
    return message.partition("The Canonical String for this request")[0].strip()
