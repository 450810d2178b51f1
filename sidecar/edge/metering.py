"""CallRecord -> Metering: what a call came to, as its caller is told."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sidecar.core.call import Attempt, CallRecord, CallStatus, Skip, UsageSource
from sidecar.journal.records import cost_to_proto, usage_to_proto
from taximeter import fallbacks
from taximeter.v1 import metering_pb2 as pb

_SOURCES = {
    UsageSource.NONE: pb.USAGE_SOURCE_NONE,
    UsageSource.REPORTED: pb.USAGE_SOURCE_REPORTED,
    UsageSource.ESTIMATED: pb.USAGE_SOURCE_ESTIMATED,
}


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
        skips=[_skip(skip) for skip in record.skips],
        alias_version=record.alias_version,
        max_tokens_granted=record.max_tokens_granted,
        key_owner=record.key_owner,
    )
    if record.first_token_ns is not None:
        told.time_to_first_token.CopyFrom(duration(record.first_token_ns - record.started_ns))
    return told


def fallback_reason(reason: str) -> pb.FallbackReason.ValueType:
    return pb.FallbackReason.Value(f"FALLBACK_REASON_{reason or 'UNSPECIFIED'}")


def fallback_message(record: CallRecord) -> str:
    """Empty if no fallback was needed, or none worked."""
    if not record.fallback_used or record.status is not CallStatus.OK:
        return ""
    attempts = ((each.target.provider, each.status.value, each.error_type) for each in record.attempts)
    skips = ((skip.target.provider, skip.reason) for skip in record.skips)
    return fallbacks.fallback_message(record.provider_of_record, attempts, skips)


def _skip(skip: Skip) -> pb.Skip:
    return pb.Skip(provider=skip.target.provider, model=skip.target.model, reason=skip.reason)


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
