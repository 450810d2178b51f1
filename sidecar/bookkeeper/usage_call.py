"""One call with its attempts and prices, from the ledger's rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from analytics.question import Question
from sidecar.core.money import from_usd, usd_text
from taximeter.fallbacks import fallback_message
from taximeter.v1 import metering_pb2, usage_pb2

Ask = Callable[[Question], list[dict[str, Any]]]
Row = Mapping[str, Any]

_CALL = """SELECT * REPLACE (map_entries(tags) AS tags) FROM {view}
WHERE call_id = ? AND workspace = coalesce(?, workspace)"""
_ATTEMPTS = """SELECT *, epoch_us(started_at) * 1000 AS started_ns FROM ai_call_attempts
WHERE sidecar_id = ? AND seq = ? ORDER BY number"""
_COSTS = "SELECT * FROM ai_call_costs WHERE sidecar_id = ? AND seq = ? ORDER BY attempt"
_USAGE = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
          "audio_input_tokens", "audio_output_tokens", "images", "seconds", "characters", "requests")  # fmt: skip
_SOURCES = {
    "none": metering_pb2.USAGE_SOURCE_NONE,
    "reported": metering_pb2.USAGE_SOURCE_REPORTED,
    "estimated": metering_pb2.USAGE_SOURCE_ESTIMATED,
}


def find(ask: Ask, call_id: str, workspace: str | None) -> usage_pb2.GetCallResponse | None:
    """Finished or open; None if the workspace (None: any) has no such call."""
    for view in ("ai_call_logs", "ai_open_calls"):
        for call in ask(Question(_CALL.format(view=view), (call_id, workspace))):
            return _response(call, *_details(ask, call))
    return None


def _details(ask: Ask, call: Row) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    key = (call["sidecar_id"], call["seq"])
    return ask(Question(_ATTEMPTS, key)), ask(Question(_COSTS, key))


def _response(call: Row, attempts: list[dict[str, Any]], lines: list[dict[str, Any]]) -> usage_pb2.GetCallResponse:
    return usage_pb2.GetCallResponse(
        metering=_metering(call, attempts, lines),
        workspace=call["workspace"],
        status=call["status"],
        error_type=call.get("error_type", ""),
        operation=call["operation"],
        streamed=call["streamed"],
        started_at=_timestamp(call["started_ns"]),
        tags={entry["key"]: entry["value"] for entry in call["tags"]},
    )


def _metering(call: Row, attempts: list[dict[str, Any]], lines: list[dict[str, Any]]) -> metering_pb2.Metering:
    """Of an open call: what is known of it so far."""
    told = metering_pb2.Metering(
        call_id=call["call_id"],
        provider=call["provider"],
        model_requested=call["model"],
        alias=call["alias"],
        alias_version=call["alias_version"] or 0,
        key_owner=call["key_owner"],
        max_tokens_granted=call.get("max_tokens_granted"),
        trace_id=call["trace_id"],
        request_id=call["request_id"],
        attempts=[_attempt(each, [line for line in lines if line["attempt"] == each["number"]]) for each in attempts],
        skips=[metering_pb2.Skip(**skip) for skip in call["skips"] or ()],
    )
    if call["status"] == "open":
        return told
    told.model_reported = call["model_reported"]
    told.usage.CopyFrom(_usage(call))
    told.usage_source = _SOURCES.get(call["usage_source"], metering_pb2.USAGE_SOURCE_UNSPECIFIED)
    told.cost.CopyFrom(_cost(call, lines))
    told.fallback_used = call["fallback_used"]
    told.fallback_reason = metering_pb2.FallbackReason.Value(
        f"FALLBACK_REASON_{call['fallback_reason'] or 'UNSPECIFIED'}"
    )
    told.fallback_message = _fallback_message(call, attempts)
    told.duration.CopyFrom(_milliseconds(call["duration_ms"]))
    told.overhead.CopyFrom(_milliseconds(call["overhead_us"] / 1000))
    if call["time_to_first_token_ms"] is not None:
        told.time_to_first_token.CopyFrom(_milliseconds(call["time_to_first_token_ms"]))
    return told


def _fallback_message(call: Row, attempts: list[dict[str, Any]]) -> str:
    """As the caller was told it."""
    if not call["fallback_used"] or call["status"] != "ok":
        return ""
    tried = ((each["provider"], each["status"], each["error_type"]) for each in attempts)
    skipped = ((skip["provider"], skip["reason"]) for skip in call["skips"] or ())
    return fallback_message(call["provider"], tried, skipped)


def _attempt(row: Row, lines: list[dict[str, Any]]) -> metering_pb2.AttemptSummary:
    """Without the provider's own words: they are stored nowhere."""
    told = metering_pb2.AttemptSummary(
        number=row["number"],
        provider=row["provider"],
        model=row["model"],
        status=row["status"],
        error_type=row["error_type"],
        http_status=row["http_status"] or 0,
        started_at=_timestamp(row["started_ns"]),
        usage=_usage(row),
        cost=_cost(row, lines),
    )
    if row["duration_ms"] is not None:
        told.duration.CopyFrom(_milliseconds(row["duration_ms"]))
    return told


def _usage(row: Row) -> metering_pb2.Usage:
    return metering_pb2.Usage(**{name: row[name] for name in _USAGE if row[name] is not None})


def _cost(row: Row, lines: list[dict[str, Any]]) -> metering_pb2.Cost:
    told = metering_pb2.Cost(
        priced=row["priced"],
        price_source=row["price_source"],
        price_version=row["price_version"],
        lines=[
            metering_pb2.CostLine(
                meter=line["meter"],
                quantity=line["quantity"],
                price_per_million_picodollars=_picodollars(line["price_per_million_usd"]),
                cost_picodollars=_picodollars(line["cost_usd"]),
            )
            for line in lines
        ],
    )
    if row["cost_usd"] is not None:
        told.amount_picodollars = from_usd(row["cost_usd"])
        told.amount_usd = usd_text(told.amount_picodollars)
    return told


def _picodollars(usd: Decimal | None) -> int:
    return 0 if usd is None else from_usd(usd)


def _milliseconds(value: float) -> Duration:
    told = Duration()
    told.FromMicroseconds(round(value * 1000))
    return told


def _timestamp(ns: int) -> Timestamp:
    told = Timestamp()
    told.FromNanoseconds(ns)
    return told
