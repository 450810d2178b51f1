"""Refusal -> `google.rpc.Status`, as it travels in the trailers (https://google.aip.dev/193)."""

from __future__ import annotations

import base64
from dataclasses import replace
from urllib.parse import quote

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details  # type: ignore[import-untyped]  # googleapis ships no stubs
from google.rpc import status_pb2

from sidecar.core.call import CallRecord
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.metering import metering
from taximeter.v1 import metering_pb2 as pb

DOMAIN = "taximeter"
MAX_MESSAGE_BYTES = 2000
"""As gRPC sends it: percent-encoded."""
MAX_TRAILER_BYTES = 7000
"""gRPC peers may refuse more than 8 KiB of metadata (`grpc.max_metadata_size`); the rest is headroom for theirs."""
_DETAILS_KEY = "grpc-status-details-bin"
_CLIPPED_ATTEMPT_MESSAGE = 120


def to_status(refusal: Refusal, record: CallRecord | None = None, told: pb.Metering | None = None) -> status_pb2.Status:
    """The status with its details; of a metered call the `Metering` too. Clipped until it fits a trailer."""
    if record is not None:
        told = metering(record)
    status = _status(refusal, told)
    for clip in (_clip_messages, _drop_attempt_amounts, _drop_attempts):
        if told is None or trailer_bytes(status) <= MAX_TRAILER_BYTES:
            break
        clip(told)
        status = _status(refusal, told)
    while refusal.field_violations and trailer_bytes(status) > MAX_TRAILER_BYTES:
        refusal = replace(refusal, field_violations=refusal.field_violations[:-1])
        status = _status(refusal, told)
    return status


def _status(refusal: Refusal, told: pb.Metering | None) -> status_pb2.Status:
    code, _ = grpc.StatusCode[refusal.grpc_status].value
    return status_pb2.Status(
        code=code,
        message=clip_encoded(refusal.message, MAX_MESSAGE_BYTES),
        details=[_packed(part) for part in _details(refusal, told)],
    )


def trailers(status: status_pb2.Status) -> tuple[tuple[str, bytes]]:
    return ((_DETAILS_KEY, status.SerializeToString()),)


def code_of(status: status_pb2.Status) -> grpc.StatusCode:
    return _CODES[status.code]


_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def _details(refusal: Refusal, told: pb.Metering | None) -> list[Message]:
    metadata = {key: _clip(value, 200) for key, value in refusal.metadata.items()}
    if told is not None:
        metadata["call_id"] = told.call_id
    parts: list[Message] = [details.ErrorInfo(reason=refusal.reason.value, domain=DOMAIN, metadata=metadata)]
    if refusal.retry_after_s is not None:
        delay = Duration()
        delay.FromNanoseconds(round(max(refusal.retry_after_s, 0.0) * 1e9))
        parts.append(details.RetryInfo(retry_delay=delay))
    if refusal.field_violations:
        found = [
            details.BadRequest.FieldViolation(field=_clip(path, 80), description=_clip(problem, 120))
            for path, problem in refusal.field_violations
        ]
        parts.append(details.BadRequest(field_violations=found))
    if refusal.reason is RefusalReason.BUDGET_EXCEEDED:
        subject = refusal.metadata.get("subject", "")
        violation = details.QuotaFailure.Violation(subject=subject, description=_clip(refusal.message, 200))
        parts.append(details.QuotaFailure(violations=[violation]))
    if told is not None:
        parts.append(told)
    return parts


def _packed(part: Message) -> Any:
    packed = Any()
    packed.Pack(part)
    return packed


def trailer_bytes(status: status_pb2.Status) -> int:
    """What the two trailers weigh: the message percent-encoded, the details in base 64."""
    return len(quote(status.message)) + len(base64.b64encode(status.SerializeToString()))


def _clip_messages(told: pb.Metering) -> None:
    for attempt in told.attempts:
        attempt.message = _clip(attempt.message, _CLIPPED_ATTEMPT_MESSAGE)


def _drop_attempt_amounts(told: pb.Metering) -> None:
    for attempt in told.attempts:
        attempt.ClearField("usage")
        attempt.ClearField("cost")


def _drop_attempts(told: pb.Metering) -> None:
    told.ClearField("attempts")


def clip_encoded(text: str, limit: int) -> str:
    """`text`, cut so that it is at most `limit` bytes when percent-encoded."""
    text = _clip(text, limit)  # before anything is counted: a caller may have written megabytes
    while len(quote(text)) > limit:
        text = _clip(text, max(len(text) * limit // len(quote(text)), 1))
    return text


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
