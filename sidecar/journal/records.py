"""The one place where the book's dataclasses become protobuf and come back.

Exact both ways but for `Attempt.message` and `Skip.detail`: a provider's words and notes for people never
enter the journal. Absent stays absent and 0 stays 0.

Most fields have one name on both sides, so they are listed, not spelled out. Values are handed to protobuf
as plain dicts: it builds a whole tree from them in two thirds of the time that message objects take, and
None in them means "not set".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any

from sidecar.core.call import (
    Attempt,
    AttemptStatus,
    CallRecord,
    CallStatus,
    Cost,
    CostLine,
    RequestParameters,
    Skip,
    Target,
    Usage,
    UsageSource,
)
from sidecar.core.money import usd_text
from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import metering_pb2

_CALL = (
    *("sidecar_id", "seq", "version", "call_id", "request_id", "conversation_id", "workspace", "caller", "alias"),
    *("alias_version", "task", "operation", "capability", "strategy", "preference", "streamed", "status"),
    *("error_type", "grpc_status", "provider_of_record", "provider_type", "model_requested", "model_reported"),
    *("key_id", "key_owner", "fallback_used", "fallback_reason", "usage_source", "estimator_version"),
    *("cost_at_risk_picodollars", "maybe_billed", "started_ns", "queued_ns", "first_token_ns", "ended_ns"),
    *("duration_ns", "provider_ns", "overhead_ns", "bytes_in", "bytes_out", "trace_id", "parent_span_id"),
    *("server_span_id", "invoke_span_id", "sampled", "tags", "rpc_method", "budget_ns", "max_tokens_granted"),
    *("request_digest", "budget_alerts"),
)
_ATTEMPT = (
    *("number", "provider_type", "model_reported", "key_id", "key_owner", "status", "error_type", "http_status"),
    *("provider_request_id", "response_id", "finish_reasons", "started_ns", "first_token_ns", "ended_ns"),
    *("usage_source", "estimator_version", "cost_at_risk_picodollars", "maybe_billed", "circuit", "bytes_sent"),
    *("bytes_received", "chunks", "malformed_events", "span_id", "server_address", "server_port"),
    "tokens_at_risk",
)
_PARAMETERS = (
    *("temperature", "top_p", "top_k", "max_tokens", "seed", "frequency_penalty", "presence_penalty"),
    *("choice_count", "stop", "output_type"),
)
_COST = ("priced", "amount_picodollars", "price_source", "price_version")
_LINE = ("meter", "quantity", "price_per_million_picodollars", "cost_picodollars")
_USAGE = {
    "input": "input_tokens",
    "cache_read": "cache_read_tokens",
    "cache_write": "cache_write_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
    "audio_in": "audio_input_tokens",
    "audio_out": "audio_output_tokens",
    **{name: name for name in ("images", "seconds", "characters", "requests")},
}
_USAGE_MESSAGE = tuple(_USAGE.values())
_OPTIONAL = {"first_token_ns", "amount_picodollars", "max_tokens_granted", *_USAGE_MESSAGE, *_PARAMETERS} - {
    "stop",
    "output_type",
}

_call_values, _attempt_values, _parameter_values = attrgetter(*_CALL), attrgetter(*_ATTEMPT), attrgetter(*_PARAMETERS)
_cost_values, _line_values, _usage_values = attrgetter(*_COST), attrgetter(*_LINE), attrgetter(*_USAGE)


def to_proto(record: CallRecord) -> journal_pb2.CallRecord:
    return journal_pb2.CallRecord(**call_fields(record))


def usage_to_proto(usage: Usage) -> metering_pb2.Usage:
    return metering_pb2.Usage(**_usage_fields(usage))


def cost_to_proto(cost: Cost) -> metering_pb2.Cost:
    """For people to read too: with the amount in dollars, which the journal leaves out."""
    message = metering_pb2.Cost(**_cost_fields(cost))
    if cost.amount_picodollars is not None:
        message.amount_usd = usd_text(cost.amount_picodollars)
    return message


def call_fields(record: CallRecord) -> dict[str, Any]:
    """A record as keyword arguments of `journal_pb2.CallRecord`, or as the value of a field of that type."""
    return dict(
        zip(_CALL, _call_values(record), strict=True),
        skips=[
            {"provider": skip.target.provider, "model": skip.target.model, "reason": skip.reason}
            for skip in record.skips
        ],
        attempts=[_attempt_fields(attempt) for attempt in record.attempts],
        usage=_usage_fields(record.usage),
        cost=_cost_fields(record.cost),
        parameters=dict(zip(_PARAMETERS, _parameter_values(record.parameters), strict=True)),
    )


def started_frame(record: CallRecord) -> journal_pb2.Frame:
    return _frame("started", record)


def finished_payload(record: CallRecord, max_bytes: int = 1 << 20) -> bytes:
    """A serialized Frame. A record that is too large, or that protobuf refuses, is tamed: better odd than lost."""
    payload = _frame("finished", record).SerializeToString()
    return payload if len(payload) <= max_bytes else _frame("finished", tame(record)).SerializeToString()


def _frame(entry: str, record: CallRecord) -> journal_pb2.Frame:
    values: dict[str, Any] = {entry: call_fields(record)}
    try:
        return journal_pb2.Frame(**values)
    except ValueError:  # text that is no Unicode, a number beyond 64 bits
        return journal_pb2.Frame(**{**values, entry: call_fields(tame(record))})


def _attempt_fields(attempt: Attempt) -> dict[str, Any]:
    return dict(
        zip(_ATTEMPT, _attempt_values(attempt), strict=True),
        provider=attempt.target.provider,
        model_requested=attempt.target.model,
        usage=_usage_fields(attempt.usage),
        cost=_cost_fields(attempt.cost),
    )


def _usage_fields(usage: Usage) -> dict[str, Any]:
    return dict(zip(_USAGE_MESSAGE, _usage_values(usage), strict=True))


def _cost_fields(cost: Cost) -> dict[str, Any]:
    lines = [dict(zip(_LINE, _line_values(line), strict=True)) for line in cost.lines]
    return dict(zip(_COST, _cost_values(cost), strict=True), lines=lines)


def from_proto(message: journal_pb2.CallRecord) -> CallRecord:
    values = _read(message, _CALL)
    values |= {
        "status": CallStatus(message.status),
        "usage_source": UsageSource(message.usage_source),
        "tags": dict(message.tags),
        "budget_alerts": tuple(message.budget_alerts),
    }
    return CallRecord(
        **values,
        skips=tuple(Skip(Target(skip.provider, skip.model), skip.reason) for skip in message.skips),
        attempts=tuple(_attempt_from_proto(attempt) for attempt in message.attempts),
        usage=usage_from_proto(message.usage),
        cost=cost_from_proto(message.cost),
        parameters=_parameters_from_proto(message.parameters),
    )


def usage_from_proto(message: metering_pb2.Usage) -> Usage:
    return Usage(*_read(message, _USAGE_MESSAGE).values())


def cost_from_proto(message: metering_pb2.Cost) -> Cost:
    return Cost(**_read(message, _COST), lines=tuple(CostLine(*_line_values(line)) for line in message.lines))


def _attempt_from_proto(message: journal_pb2.Attempt) -> Attempt:
    values = _read(message, _ATTEMPT)
    values |= {
        "status": AttemptStatus(message.status),
        "usage_source": UsageSource(message.usage_source),
        "finish_reasons": tuple(message.finish_reasons),
        "ended_ns": message.ended_ns if message.HasField("ended_ns") else None,
    }
    return Attempt(
        **values,
        target=Target(message.provider, message.model_requested),
        usage=usage_from_proto(message.usage),
        cost=cost_from_proto(message.cost),
    )


def _parameters_from_proto(message: journal_pb2.RequestParameters) -> RequestParameters:
    return RequestParameters(**{**_read(message, _PARAMETERS), "stop": tuple(message.stop)})


def _read(message: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The named fields of a message; None for one that has presence and was not set."""
    return {
        name: None if name in _OPTIONAL and not message.HasField(name) else getattr(message, name) for name in names
    }


def tame(value: Any) -> Any:
    """What can always be written; only a provider's answer can make a record that needs it.

    Text is cut to 256 characters and rid of lone surrogates, integers to 64 bits, sequences to 256 items.
    """
    match value:
        case str() if not isinstance(value, StrEnum):
            return _text(value)
        case int() if not isinstance(value, bool):
            return max(-(1 << 63), min(value, (1 << 63) - 1))
        case tuple():
            return tuple(tame(item) for item in value[:256])
        case Mapping():
            return {_text(key): tame(item) for key, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: tame(getattr(value, field.name)) for field in fields(value)})
    return value


def _text(value: str) -> str:
    return value[:256].encode("utf-8", "replace").decode()
