"""CallRecord -> Metering: what a call came to, as its caller is told."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, UsageSource
from sidecar.journal.records import cost_to_proto, usage_to_proto
from taximeter.v1 import metering_pb2 as pb

_SOURCES = {
    UsageSource.NONE: pb.USAGE_SOURCE_NONE,
    UsageSource.REPORTED: pb.USAGE_SOURCE_REPORTED,
    UsageSource.ESTIMATED: pb.USAGE_SOURCE_ESTIMATED,
}
_WORDS = {
    "connect_error": "not reachable",
    "connection_reset": "connection reset",
    "server_error": "server error",
    "rate_limited": "rate limited",
    "connect_timeout": "no connection in time",
    "ttft_timeout": "no first token in time",
    "response_timeout": "no answer in time",
    "stream_stalled": "stream stalled",
    "stream_cut": "stream cut",
    "garbled": "unreadable answer",
    "answer_too_large": "answer too large",
    "context_length": "context too long",
    "key_rejected": "key rejected",
    "model_not_found": "model not found",
    "CIRCUIT_OPEN": "circuit open",
    "BUDGET": "budget reached",
}
_MOVING_SKIPS = frozenset({"CIRCUIT_OPEN", "BUDGET", "RATE_LIMITED", "KEY_REJECTED"})


def metering(record: CallRecord) -> pb.Metering:
    """The whole of it; `Attempt.message` goes to this caller only."""
    told = pb.Metering(
        call_id=record.call_id,
        provider=record.provider_of_record,
        model_requested=record.model_requested,
        model_reported=record.model_reported,
        usage=usage_to_proto(record.usage),
        usage_source=_SOURCES[record.usage_source],
        cost=cost_to_proto(record.cost),
        attempts=[_attempt(attempt) for attempt in record.attempts],
        fallback_used=record.fallback_used,
        fallback_reason=fallback_reason(record.fallback_reason),
        fallback_message=fallback_message(record),
        alias=record.alias,
        trace_id=record.trace_id,
        duration=duration(record.duration_ns),
        overhead=duration(record.overhead_ns),
        request_id=record.request_id,
    )
    if record.first_token_ns is not None:
        told.time_to_first_token.CopyFrom(duration(record.first_token_ns - record.started_ns))
    return told


def fallback_reason(reason: str) -> pb.FallbackReason.ValueType:
    return pb.FallbackReason.Value(f"FALLBACK_REASON_{reason or 'UNSPECIFIED'}")


def fallback_message(record: CallRecord) -> str:
    """One sentence for people about a fallback that worked; empty if none was needed, or none worked."""
    if not record.fallback_used or record.status is not CallStatus.OK:
        return ""
    why = _first_trouble(record)
    return f"This provider is unavailable ({why}); routed to fallback {record.provider_of_record}" if why else ""


def _first_trouble(record: CallRecord) -> str:
    for attempt in record.attempts:
        if attempt.status is not AttemptStatus.OK:
            return f"{attempt.target.provider}: {words(attempt.error_type)}"
    for skip in record.skips:
        if skip.reason in _MOVING_SKIPS:
            return f"{skip.target.provider}: {words(skip.reason)}"
    return ""


def words(error_type: str) -> str:
    return _WORDS.get(error_type, error_type.replace("_", " ").lower())


def _attempt(attempt: Attempt) -> pb.AttemptSummary:
    told = pb.AttemptSummary(
        number=attempt.number,
        provider=attempt.target.provider,
        model=attempt.target.model,
        status=attempt.status.value,
        error_type=attempt.error_type,
        http_status=attempt.http_status,
        message=attempt.message,
        started_at=timestamp(attempt.started_ns),
        usage=usage_to_proto(attempt.usage),
        cost=cost_to_proto(attempt.cost),
    )
    if attempt.ended_ns is not None:
        told.duration.CopyFrom(duration(attempt.ended_ns - attempt.started_ns))
    return told


def duration(ns: int) -> Duration:
    seconds, nanos = divmod(max(ns, 0), 10**9)
    return Duration(seconds=seconds, nanos=nanos)


def timestamp(ns: int) -> Timestamp:
    seconds, nanos = divmod(ns, 10**9)
    return Timestamp(seconds=seconds, nanos=nanos)
