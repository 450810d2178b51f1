"""What goes wrong, and whose turn is next.

Two trees. A `Fault` is what one *attempt* ran into: raised by transport and codec, read by
`retry.next_move`, never shown raw to a caller. A `Refusal` is how a *call* ends without an answer:
the edge turns it into a gRPC status (contracts: errors).

    Fault                  error_type           fallback_reason   next
    ├ ConnectFailed        connect_error        CONNECTION        same target once more, then next target
    ├ ConnectionReset      connection_reset     CONNECTION        same target once more, then next target
    ├ ServerError          http_5xx, http_408   PROVIDER_ERROR    same target once more, then next target
    ├ RateLimited          rate_limited         RATE_LIMITED      same target after a short wait, else next
    ├ ConnectTimeout       connect_timeout      TIMEOUT           next target
    ├ FirstTokenTimeout    ttft_timeout         TTFT              next target
    ├ ResponseTimeout      response_timeout     TIMEOUT           next target
    ├ Stalled              stream_stalled       STALL             next target; after content: stream recovery
    ├ StreamCut            stream_cut           STALL             next target; after content: stream recovery
    ├ Garbled              garbled              GARBLED           next target; after content: stream recovery
    ├ TooLarge             answer_too_large     GARBLED           next target
    ├ ContextTooLong       context_length       CONTEXT_LENGTH    a target with a larger context, if any
    ├ BadRequest           invalid_request      -                 stop
    ├ ContentFiltered      content_filtered     -                 stop
    ├ KeyRejected          key_rejected         KEY_REJECTED      next key, then next target
    ├ ModelNotFound        model_not_found      MODEL_NOT_FOUND   next target
    └ Unsupported          not_supported        -                 next target

A stream's own error event is the Fault that its content says (mostly ServerError or RateLimited).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from sidecar.core.call import Usage

MESSAGE_BYTES = 2048
"""What is kept of a provider's words."""
_CODE_CHARACTERS = 64
LONGEST_WAIT_S = 366 * 86400.0
"""That a provider can ask for."""


class FallbackReason(StrEnum):
    """Why a call moved on from its first target."""

    TIMEOUT = "TIMEOUT"
    TTFT = "TTFT"
    STALL = "STALL"
    RATE_LIMITED = "RATE_LIMITED"
    PROVIDER_ERROR = "PROVIDER_ERROR"
    CONNECTION = "CONNECTION"
    KEY_REJECTED = "KEY_REJECTED"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    CONTEXT_LENGTH = "CONTEXT_LENGTH"
    BUDGET = "BUDGET"
    CIRCUIT_OPEN = "CIRCUIT_OPEN"
    GARBLED = "GARBLED"


class Fault(Exception):
    """One attempt failed. `message` is the provider's own text, of which MESSAGE_BYTES are kept: for the caller only,
    stored nowhere."""

    error_type: ClassVar[str] = "fault"
    reason: ClassVar[FallbackReason | None] = None
    countable: ClassVar[bool] = True
    """Whether the circuit breaker counts it."""
    maybe_billed: ClassVar[bool] = False
    """The request was sent whole and no answer refused it: the provider may bill for it."""

    def __init__(
        self,
        message: str = "",
        *,
        http_status: int = 0,
        retry_after_s: float | None = None,
        provider_request_id: str = "",
        provider_code: str = "",
        usage: Usage | None = None,
    ) -> None:
        message = bounded(message)
        super().__init__(message)
        self.message = message
        self.http_status = http_status
        self.retry_after_s = None if retry_after_s is None else min(retry_after_s, LONGEST_WAIT_S)
        self.provider_request_id = provider_request_id
        self.provider_code = provider_code[:_CODE_CHARACTERS]
        """The provider's machine-readable code ("insufficient_quota"); safe to show, stored nowhere."""
        self.usage = usage
        """What the provider reported in an answer that is a fault all the same (a filtered one): billed."""


def bounded(message: str) -> str:
    if len(message) * 4 <= MESSAGE_BYTES:
        return message
    return message.encode(errors="replace")[:MESSAGE_BYTES].decode(errors="ignore")


class ConnectFailed(Fault):
    error_type = "connect_error"
    reason = FallbackReason.CONNECTION


class ConnectionReset(Fault):
    """The connection broke after the request had gone out and before an answer's headers."""

    error_type = "connection_reset"
    reason = FallbackReason.CONNECTION
    maybe_billed = True


class ServerError(Fault):
    """408, 500, 502, 503, 504, 529, and any other 5xx."""

    error_type = "server_error"
    reason = FallbackReason.PROVIDER_ERROR


class RateLimited(Fault):
    """429. `retry_after_s` as the provider's headers say, None if they say nothing."""

    error_type = "rate_limited"
    reason = FallbackReason.RATE_LIMITED
    countable = False


class ConnectTimeout(Fault):
    error_type = "connect_timeout"
    reason = FallbackReason.TIMEOUT


class FirstTokenTimeout(Fault):
    error_type = "ttft_timeout"
    reason = FallbackReason.TTFT
    maybe_billed = True


class ResponseTimeout(Fault):
    error_type = "response_timeout"
    reason = FallbackReason.TIMEOUT
    maybe_billed = True


class Stalled(Fault):
    error_type = "stream_stalled"
    reason = FallbackReason.STALL
    maybe_billed = True


class StreamCut(Fault):
    """The stream broke, or ended without its terminal event."""

    error_type = "stream_cut"
    reason = FallbackReason.STALL
    maybe_billed = True


class Garbled(Fault):
    """What came is not what the wire's documentation says."""

    error_type = "garbled"
    reason = FallbackReason.GARBLED
    maybe_billed = True


class TooLarge(Fault):
    """The answer passed the size limit; reading stopped there."""

    error_type = "answer_too_large"
    reason = FallbackReason.GARBLED
    maybe_billed = True


class ContextTooLong(Fault):
    error_type = "context_length"
    reason = FallbackReason.CONTEXT_LENGTH
    countable = False


class BadRequest(Fault):
    error_type = "invalid_request"
    countable = False


class ContentFiltered(Fault):
    error_type = "content_filtered"
    countable = False


class KeyRejected(Fault):
    error_type = "key_rejected"
    reason = FallbackReason.KEY_REJECTED
    countable = False


class ModelNotFound(Fault):
    error_type = "model_not_found"
    reason = FallbackReason.MODEL_NOT_FOUND
    countable = False


class Unsupported(Fault):
    """This wire cannot express the request (found before anything was sent)."""

    error_type = "not_supported"
    countable = False


class RefusalReason(StrEnum):
    """`google.rpc.ErrorInfo.reason` of every error that a caller can meet."""

    INVALID_REQUEST = "INVALID_REQUEST"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    UNKNOWN_ALIAS = "UNKNOWN_ALIAS"
    KEY_MISSING = "KEY_MISSING"
    PROVIDER_NOT_INITIALIZED = "PROVIDER_NOT_INITIALIZED"
    UNKNOWN_PROVIDER = "UNKNOWN_PROVIDER"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    PRICE_UNKNOWN = "PRICE_UNKNOWN"
    SCOPE_NOT_ALLOWED = "SCOPE_NOT_ALLOWED"
    NO_PROVIDER_AVAILABLE = "NO_PROVIDER_AVAILABLE"
    ALL_ATTEMPTS_FAILED = "ALL_ATTEMPTS_FAILED"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    OPERATION_NOT_SUPPORTED = "OPERATION_NOT_SUPPORTED"
    CONTENT_FILTERED = "CONTENT_FILTERED"
    CONTEXT_LENGTH_EXCEEDED = "CONTEXT_LENGTH_EXCEEDED"
    STREAM_BROKEN = "STREAM_BROKEN"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    CANCELLED = "CANCELLED"
    WORKSPACE_MISMATCH = "WORKSPACE_MISMATCH"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    JOURNAL_FULL = "JOURNAL_FULL"
    JOURNAL_FAILED = "JOURNAL_FAILED"
    OVERLOADED = "OVERLOADED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    LEDGER_UNAVAILABLE = "LEDGER_UNAVAILABLE"
    CALL_NOT_FOUND = "CALL_NOT_FOUND"
    INVALID_CONFIGURATION = "INVALID_CONFIGURATION"
    LOCAL_MODELS_FAILED = "LOCAL_MODELS_FAILED"
    ROLE_REQUIRED = "ROLE_REQUIRED"
    UNKNOWN_WORKSPACE = "UNKNOWN_WORKSPACE"
    UNKNOWN_TOKEN = "UNKNOWN_TOKEN"  # noqa: S105 - a reason
    UNKNOWN_KEY = "UNKNOWN_KEY"
    UNKNOWN_BUDGET = "UNKNOWN_BUDGET"
    UNKNOWN_PRICE = "UNKNOWN_PRICE"
    NAME_TAKEN = "NAME_TAKEN"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    KEY_NOT_ACCEPTED = "KEY_NOT_ACCEPTED"
    VAULT_LOCKED = "VAULT_LOCKED"
    CONTROL_UNAVAILABLE = "CONTROL_UNAVAILABLE"
    BUDGET_UNKNOWN = "BUDGET_UNKNOWN"
    REQUEST_ALREADY_SERVED = "REQUEST_ALREADY_SERVED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    PERIOD_NOT_CLOSABLE = "PERIOD_NOT_CLOSABLE"
    INTERNAL = "INTERNAL"


@dataclass(slots=True)
class Refusal(Exception):
    """A call ends without an answer. `grpc_status` is the code's name ("UNAVAILABLE")."""

    grpc_status: str
    reason: RefusalReason
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    field_violations: tuple[tuple[str, str], ...] = ()
    """(field path, what is wrong): becomes a `google.rpc.BadRequest` detail."""

    def __str__(self) -> str:
        return self.message
