"""What a call can end in, as exceptions.

TaximeterError                     any error; `reason` says which
├ InvalidRequest                   the request is at fault: `violations` names the fields
│ ├ ContextLengthExceeded          no target takes this much context
│ └ ContentFiltered                a provider's policy refused it
├ UnknownAlias, UnknownProvider, ModelNotFound, CallNotFound
├ NotFound                         no such workspace, token, key, budget or price, as far as this caller may know
├ Conflict                         the name is taken, or somebody else has changed it in between
├ OperationNotSupported
├ Unauthenticated, PermissionDenied
├ KeyMissing                       no provider key: the operator adds one
├ KeyNotAccepted                   the provider does not take the key that was to be added
├ VaultLocked                      there is no key-encryption key, or not the one it was sealed with
├ PriceUnknown
├ BudgetExceeded
├ AlreadyServed                    this request_id was: `metering` says what it came to
├ RequestIdReused                  this request_id stands for another request
├ NoProviderAvailable              nothing was sent
├ AllAttemptsFailed                everything was tried; `metering.attempts` tells each
├ StreamBroken                     after its first content; `metering` says what was spent
├ StreamRestarted                  raised by `Stream.text`: what it gave so far is void
├ DeadlineExceeded, Cancelled
├ SidecarUnavailable               not reachable, overloaded, shutting down, its journal refuses, its budgets open
├ LedgerUnavailable                calls work, questions about usage do not
├ ControlUnavailable               calls work, changes of workspaces, tokens, keys, aliases, budgets do not
├ InvalidConfiguration             a reload was refused: `violations` lists every error
├ LocalModelsFailed                the server of local models could not do it: its disk is full, a pull broke off
└ InternalError
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message import DecodeError, Message

from taximeter.status.v1 import status_pb2 as wire
from taximeter.v1.metering_pb2 import Metering

_DETAILS_KEY = "grpc-status-details-bin"
M = TypeVar("M", bound=Message)


class TaximeterError(Exception):
    """`str(error)` is the sidecar's message, written for people."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "",
        code: str = "UNKNOWN",
        metadata: Mapping[str, str] | None = None,
        metering: Metering | None = None,
        retry_after_s: float | None = None,
        violations: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        """UPPER_SNAKE, as docs/api.md lists them; empty if the error did not come from the sidecar."""
        self.code = code
        """Name of the gRPC status code."""
        self.metadata = dict(metadata or {})
        self.metering = metering
        """What the call came to; None if it never was one."""
        self.retry_after_s = retry_after_s
        self.violations = violations
        """(field path, what is wrong)."""

    @property
    def call_id(self) -> str:
        """Empty if the request never became a call."""
        return self.metering.call_id if self.metering else self.metadata.get("call_id", "")


class InvalidRequest(TaximeterError): ...


class ContextLengthExceeded(InvalidRequest): ...


class ContentFiltered(InvalidRequest): ...


class UnknownAlias(TaximeterError): ...


class UnknownProvider(TaximeterError): ...


class ModelNotFound(TaximeterError): ...


class CallNotFound(TaximeterError): ...


class NotFound(TaximeterError): ...


class Conflict(TaximeterError): ...


class OperationNotSupported(TaximeterError): ...


class Unauthenticated(TaximeterError): ...


class PermissionDenied(TaximeterError): ...


class KeyMissing(TaximeterError): ...


class KeyNotAccepted(TaximeterError): ...


class VaultLocked(TaximeterError): ...


class PeriodNotClosable(TaximeterError): ...


class PriceUnknown(TaximeterError): ...


class BudgetExceeded(TaximeterError): ...


class AlreadyServed(TaximeterError): ...


class RequestIdReused(TaximeterError): ...


class NoProviderAvailable(TaximeterError): ...


class AllAttemptsFailed(TaximeterError): ...


class StreamBroken(TaximeterError): ...


class StreamRestarted(TaximeterError): ...


class DeadlineExceeded(TaximeterError): ...


class Cancelled(TaximeterError): ...


class SidecarUnavailable(TaximeterError): ...


class LedgerUnavailable(TaximeterError): ...


class ControlUnavailable(TaximeterError): ...


class InvalidConfiguration(TaximeterError): ...


class LocalModelsFailed(TaximeterError): ...


class InternalError(TaximeterError): ...


BY_REASON: Mapping[str, type[TaximeterError]] = {
    "INVALID_REQUEST": InvalidRequest,
    "MESSAGE_TOO_LARGE": InvalidRequest,
    "CONTEXT_LENGTH_EXCEEDED": ContextLengthExceeded,
    "CONTENT_FILTERED": ContentFiltered,
    "UNKNOWN_ALIAS": UnknownAlias,
    "UNKNOWN_PROVIDER": UnknownProvider,
    "MODEL_NOT_FOUND": ModelNotFound,
    "CALL_NOT_FOUND": CallNotFound,
    "UNKNOWN_WORKSPACE": NotFound,
    "UNKNOWN_TOKEN": NotFound,
    "UNKNOWN_KEY": NotFound,
    "UNKNOWN_BUDGET": NotFound,
    "UNKNOWN_PRICE": NotFound,
    "NAME_TAKEN": Conflict,
    "VERSION_CONFLICT": Conflict,
    "OPERATION_NOT_SUPPORTED": OperationNotSupported,
    "UNAUTHENTICATED": Unauthenticated,
    "ROLE_REQUIRED": PermissionDenied,
    "WORKSPACE_MISMATCH": PermissionDenied,
    "SCOPE_NOT_ALLOWED": PermissionDenied,
    "KEY_MISSING": KeyMissing,
    "PROVIDER_NOT_INITIALIZED": KeyMissing,
    "KEY_NOT_ACCEPTED": KeyNotAccepted,
    "VAULT_LOCKED": VaultLocked,
    "PERIOD_NOT_CLOSABLE": PeriodNotClosable,
    "PRICE_UNKNOWN": PriceUnknown,
    "BUDGET_EXCEEDED": BudgetExceeded,
    "BUDGET_UNKNOWN": SidecarUnavailable,
    "REQUEST_ALREADY_SERVED": AlreadyServed,
    "IDEMPOTENCY_KEY_REUSED": RequestIdReused,
    "NO_PROVIDER_AVAILABLE": NoProviderAvailable,
    "ALL_ATTEMPTS_FAILED": AllAttemptsFailed,
    "STREAM_BROKEN": StreamBroken,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "OVERLOADED": SidecarUnavailable,
    "SHUTTING_DOWN": SidecarUnavailable,
    "JOURNAL_FULL": SidecarUnavailable,
    "JOURNAL_FAILED": SidecarUnavailable,
    "LEDGER_UNAVAILABLE": LedgerUnavailable,
    "CONTROL_UNAVAILABLE": ControlUnavailable,
    "INVALID_CONFIGURATION": InvalidConfiguration,
    "LOCAL_MODELS_FAILED": LocalModelsFailed,
    "INTERNAL": InternalError,
}
# What gRPC itself says, on either side, without a reason of ours.
_BY_CODE: Mapping[str, type[TaximeterError]] = {
    "UNAVAILABLE": SidecarUnavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "INVALID_ARGUMENT": InvalidRequest,
    "INTERNAL": InternalError,
}


@contextmanager
def translated() -> Iterator[None]:
    """Failed RPCs leave as what they stand for."""
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc(error) from None


def from_rpc(error: grpc.RpcError) -> TaximeterError:
    """The exception that a failed RPC stands for (sync and async errors have the same face)."""
    failed: Any = error
    return from_status(failed.code().name, failed.details() or "", failed.trailing_metadata() or ())


def from_status(code: str, message: str, trailers: Iterable[tuple[str, str | bytes]]) -> TaximeterError:
    """Trailers that cannot be read are as good as none."""
    details = _details(trailers)
    info = _find(details, "google.rpc.ErrorInfo", wire.ErrorInfo) or wire.ErrorInfo()
    retry = _find(details, "google.rpc.RetryInfo", wire.RetryInfo)
    bad = _find(details, "google.rpc.BadRequest", wire.BadRequest) or wire.BadRequest()
    kind = BY_REASON.get(info.reason) or _BY_CODE.get(code, TaximeterError)
    return kind(
        message or code,
        reason=info.reason,
        code=code,
        metadata=info.metadata,
        metering=_find(details, Metering.DESCRIPTOR.full_name, Metering),
        retry_after_s=retry.retry_delay.ToNanoseconds() / 1e9 if retry else None,
        violations=tuple((each.field, each.description) for each in bad.field_violations),
    )


def _details(trailers: Iterable[tuple[str, str | bytes]]) -> list[Packed]:
    for key, value in trailers:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return list(wire.Status.FromString(value).details)
            except DecodeError:
                return []
    return []


def _find(details: list[Packed], name: str, kind: type[M]) -> M | None:
    for packed in details:
        if packed.TypeName() == name:
            try:
                return kind.FromString(packed.value)
            except DecodeError:
                return None
    return None
