"""Ledgers for tests of questions: call records, made up or by hypothesis, standing in a DuckDB file's public views."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st

from analytics.question import Question
from sidecar.core.call import (
    NO_COST,
    UNPRICED,
    Attempt,
    AttemptStatus,
    CallRecord,
    CallStatus,
    Cost,
    CostLine,
    Target,
    Usage,
    UsageSource,
)
from sidecar.core.money import cost_picodollars, to_usd

START = datetime(2026, 11, 2, tzinfo=UTC)
"""The generated ledgers' first moment, a Monday."""

_TOKENS = """input_tokens BIGINT, cache_read_tokens BIGINT, cache_write_tokens BIGINT, output_tokens BIGINT,
 reasoning_tokens BIGINT, audio_input_tokens BIGINT, audio_output_tokens BIGINT, images BIGINT, seconds DOUBLE,
 characters BIGINT, requests BIGINT"""
_PRICED = """usage_source VARCHAR, estimator_version VARCHAR, priced BOOLEAN, cost_usd DECIMAL(18,12),
 cost_at_risk_usd DECIMAL(18,12), maybe_billed BOOLEAN, price_source VARCHAR, price_version VARCHAR"""
TABLES = f"""
CREATE TABLE ai_call_logs (sidecar_id VARCHAR, seq BIGINT, record_version INTEGER, call_id VARCHAR, request_id VARCHAR,
 conversation_id VARCHAR, workspace VARCHAR, caller VARCHAR, alias VARCHAR, alias_version INTEGER, task VARCHAR,
 operation VARCHAR, capability VARCHAR, strategy VARCHAR, preference VARCHAR, streamed BOOLEAN, status VARCHAR,
 error_type VARCHAR, grpc_status VARCHAR, provider VARCHAR, provider_type VARCHAR, model VARCHAR,
 model_reported VARCHAR, key_id VARCHAR, key_owner VARCHAR, fallback_used BOOLEAN, fallback_reason VARCHAR,
 skips STRUCT(provider VARCHAR, model VARCHAR, reason VARCHAR)[], attempts INTEGER, {_TOKENS}, {_PRICED},
 started_at TIMESTAMP, ended_at TIMESTAMP, first_token_at TIMESTAMP, started_ns BIGINT, duration_ms DOUBLE,
 time_to_first_token_ms DOUBLE, queued_ms DOUBLE, provider_ms DOUBLE, overhead_us BIGINT, bytes_in BIGINT,
 bytes_out BIGINT, trace_id VARCHAR, parent_span_id VARCHAR, server_span_id VARCHAR, invoke_span_id VARCHAR,
 sampled BOOLEAN, tags MAP(VARCHAR, VARCHAR), rpc_method VARCHAR, day DATE);
CREATE TABLE ai_call_attempts (sidecar_id VARCHAR, seq BIGINT, call_id VARCHAR, number INTEGER, workspace VARCHAR,
 alias VARCHAR, operation VARCHAR, provider VARCHAR, provider_type VARCHAR, model VARCHAR, model_reported VARCHAR,
 key_id VARCHAR, key_owner VARCHAR, status VARCHAR, error_type VARCHAR, http_status INTEGER,
 provider_request_id VARCHAR, response_id VARCHAR, finish_reasons VARCHAR[], started_at TIMESTAMP,
 first_token_at TIMESTAMP, ended_at TIMESTAMP, duration_ms DOUBLE, time_to_first_token_ms DOUBLE, {_TOKENS}, {_PRICED},
 circuit VARCHAR, bytes_sent BIGINT, bytes_received BIGINT, chunks BIGINT, malformed_events BIGINT, span_id VARCHAR,
 server_address VARCHAR, server_port INTEGER);
CREATE TABLE ai_call_costs (sidecar_id VARCHAR, seq BIGINT, call_id VARCHAR, attempt INTEGER, workspace VARCHAR,
 provider VARCHAR, model VARCHAR, meter VARCHAR, quantity BIGINT, price_per_million_usd DECIMAL(18,12),
 cost_usd DECIMAL(18,12), price_source VARCHAR, price_version VARCHAR, started_at TIMESTAMP);
CREATE TABLE ai_open_calls AS SELECT * FROM ai_call_logs;
CREATE TABLE ledger_positions (sidecar_id VARCHAR, segment BIGINT, byte_offset BIGINT);
CREATE TABLE schema_version (version INTEGER);
INSERT INTO schema_version VALUES (1);
"""


def at(ns: int | None) -> datetime | None:
    """UTC ns as the ledger has it: no zone, microseconds."""
    return None if ns is None else datetime(1970, 1, 1) + timedelta(microseconds=ns // 1000)  # noqa: DTZ001


def ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def ask(path: Path, question: Question) -> list[dict[str, Any]]:
    """The answer's rows, straight from the file."""
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(question.sql, question.params).to_arrow_table().to_pylist()


def build(path: Path, records: Iterable[CallRecord]) -> Path:
    """A ledger of these records, as tables of the public views' names."""
    records = list(records)
    with duckdb.connect(path) as connection:
        connection.execute(TABLES)
        connection.begin()
        for record in records:
            _insert(connection, "ai_call_logs", call_row(record))
            for attempt in record.attempts:
                _insert(connection, "ai_call_attempts", attempt_row(record, attempt))
                for line in attempt.cost.lines:
                    _insert(connection, "ai_call_costs", _cost_row(record, attempt, line))
        connection.commit()
    return path


def _insert(connection: duckdb.DuckDBPyConnection, table: str, row: dict[str, Any]) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def call_row(record: CallRecord) -> dict[str, Any]:
    """A record as `ai_call_logs` shows it: what the columns mean, told a second time."""
    return {
        **{name: getattr(record, name) for name in _SAME.split()},
        "record_version": record.version,
        "status": str(record.status),
        "provider": record.provider_of_record,
        "model": record.model_requested,
        "skips": [{"provider": s.target.provider, "model": s.target.model, "reason": s.reason} for s in record.skips],
        "attempts": len(record.attempts),
        **_used(record),
        "started_at": at(record.started_ns),
        "ended_at": at(record.ended_ns),
        "first_token_at": at(record.first_token_ns),
        "started_ns": record.started_ns,
        "duration_ms": record.duration_ns / 1e6,
        "time_to_first_token_ms": _ms(record.started_ns, record.first_token_ns),
        "queued_ms": record.queued_ns / 1e6,
        "provider_ms": record.provider_ns / 1e6,
        "overhead_us": record.overhead_ns // 1000,
        "tags": dict(record.tags),
        "day": (START + timedelta(microseconds=(record.started_ns - ns(START)) // 1000)).date(),
    }


_SAME = """
sidecar_id seq call_id request_id conversation_id workspace caller alias alias_version task operation
capability strategy preference streamed error_type grpc_status provider_type model_reported key_id key_owner
fallback_used fallback_reason bytes_in bytes_out trace_id parent_span_id server_span_id invoke_span_id sampled
rpc_method
"""


def attempt_row(record: CallRecord, attempt: Attempt) -> dict[str, Any]:
    """An attempt as `ai_call_attempts` shows it."""
    return {
        **{name: getattr(record, name) for name in ("sidecar_id", "seq", "call_id", "workspace", "alias", "operation")},
        **{name: getattr(attempt, name) for name in _SAME_OF_ATTEMPT.split()},
        "status": str(attempt.status),
        "provider": attempt.target.provider,
        "model": attempt.target.model,
        "finish_reasons": list(attempt.finish_reasons),
        **_used(attempt),
        "started_at": at(attempt.started_ns),
        "ended_at": at(attempt.ended_ns),
        "first_token_at": at(attempt.first_token_ns),
        "duration_ms": _ms(attempt.started_ns, attempt.ended_ns),
        "time_to_first_token_ms": _ms(attempt.started_ns, attempt.first_token_ns),
    }


_SAME_OF_ATTEMPT = """
number provider_type model_reported key_id key_owner error_type http_status provider_request_id response_id
circuit bytes_sent bytes_received chunks malformed_events span_id server_address server_port
"""


def _cost_row(record: CallRecord, attempt: Attempt, line: CostLine) -> dict[str, Any]:
    return {
        **{name: getattr(record, name) for name in ("sidecar_id", "seq", "call_id", "workspace")},
        "attempt": attempt.number,
        "provider": attempt.target.provider,
        "model": attempt.target.model,
        "meter": line.meter,
        "quantity": line.quantity,
        "price_per_million_usd": to_usd(line.price_per_million_picodollars),
        "cost_usd": to_usd(line.cost_picodollars),
        "price_source": attempt.cost.price_source,
        "price_version": attempt.cost.price_version,
        "started_at": at(attempt.started_ns),
    }


def _used(what: CallRecord | Attempt) -> dict[str, Any]:
    usage, cost = what.usage, what.cost
    amount = cost.amount_picodollars
    return {
        "input_tokens": usage.input,
        "cache_read_tokens": usage.cache_read,
        "cache_write_tokens": usage.cache_write,
        "output_tokens": usage.output,
        "reasoning_tokens": usage.reasoning,
        "usage_source": str(what.usage_source),
        "estimator_version": what.estimator_version,
        "priced": cost.priced,
        "cost_usd": None if amount is None else to_usd(amount),
        "cost_at_risk_usd": to_usd(what.cost_at_risk_picodollars),
        "maybe_billed": what.maybe_billed,
        "price_source": cost.price_source,
        "price_version": cost.price_version,
    }


def _ms(start: int, end: int | None) -> float | None:
    return None if end is None else (end - start) / 1e6


def settled(seq: int, started_ns: int, attempts: Sequence[Attempt], status: CallStatus, **more: Any) -> CallRecord:
    """The record of a call that made these attempts, its sums drawn from them as the invoker does."""
    last = attempts[-1] if attempts and attempts[-1].status is AttemptStatus.OK else None
    ended = max([started_ns, *(each.ended_ns or 0 for each in attempts)])
    used = [each for each in attempts if each.usage_source is not UsageSource.NONE]
    return CallRecord(**{
        "sidecar_id": "sidecar-a",
        "seq": seq,
        "call_id": f"01CALL{seq:020d}",
        "workspace": "default",
        "caller": "local",
        "operation": "chat",
        "streamed": False,
        "status": status,
        "started_ns": started_ns,
        "ended_ns": ended,
        "duration_ns": ended - started_ns,
        "trace_id": f"{seq + 1:032x}",
        "server_span_id": f"{seq + 1:016x}",
        "invoke_span_id": f"{seq + 2:016x}",
        "provider_of_record": last.target.provider if last else "",
        "provider_type": last.provider_type if last else "",
        "model_requested": last.target.model if last else "",
        "model_reported": last.model_reported if last else "",
        "key_id": last.key_id if last else "",
        "fallback_used": len({each.target for each in attempts}) > 1,
        "attempts": tuple(attempts),
        "usage": _sum_usage([each.usage for each in used]),
        "usage_source": max((each.usage_source for each in used), key=_DOUBT.index, default=UsageSource.NONE),
        "cost": _sum_cost([each.cost for each in attempts]),
        "cost_at_risk_picodollars": sum(each.cost_at_risk_picodollars for each in attempts),
        "first_token_ns": last.first_token_ns if last else None,
        **more,
    })  # fmt: skip


_DOUBT = [UsageSource.NONE, UsageSource.REPORTED, UsageSource.ESTIMATED]


def _sum_usage(parts: Sequence[Usage]) -> Usage:
    def total(name: str) -> int | None:
        known = [getattr(part, name) for part in parts if getattr(part, name) is not None]
        return sum(known) if known else None

    return Usage(**{name: total(name) for name in ("input", "cache_read", "cache_write", "output", "reasoning")})


def _sum_cost(parts: Sequence[Cost]) -> Cost:
    if not all(part.priced for part in parts):
        return UNPRICED
    priced = [part for part in parts if part.lines]
    if not priced:
        return NO_COST
    return Cost(
        True,
        sum(part.amount_picodollars or 0 for part in parts),
        priced[-1].price_source,
        priced[-1].price_version,
        tuple(line for part in parts for line in part.lines),
    )


def priced(prices: dict[str, Decimal], usage: Usage) -> Cost:
    """`prices`: USD for a million, by meter "input", "cache_read", "output"."""
    cached = usage.cache_read or 0
    quantities = {"input": (usage.input or 0) - cached, "cache_read": cached, "output": usage.output or 0}
    lines = tuple(
        CostLine(
            meter, quantity, price := int(prices.get(meter, Decimal(0)) * 10**12), cost_picodollars(quantity, price)
        )
        for meter, quantity in quantities.items()
        if quantity
    )
    return Cost(True, sum(line.cost_picodollars for line in lines), "genai-prices", "2026-11-01", lines)


# What hypothesis makes: few values a dimension, so that groups meet; any money, to the picodollar.

_ODD_PRICES = st.integers(0, 10**14)
_COUNT = st.none() | st.integers(0, 10**6)


@st.composite
def attempts(draw: st.DrawFn, number: int, started_ns: int, last: bool) -> Attempt:
    """One attempt; only the last of a call can be ok."""
    states = list(AttemptStatus)[1:] if last else [AttemptStatus.FAILED]
    status = draw(st.sampled_from(states))
    source = draw(st.sampled_from(list(UsageSource)))
    usage = Usage() if source is UsageSource.NONE else Usage(input=draw(_COUNT), output=draw(_COUNT))
    cost = NO_COST
    if source is not UsageSource.NONE:
        price = draw(st.none() | _ODD_PRICES)
        tokens = (usage.input or 0) + (usage.output or 0)
        line = None if price is None else CostLine("input", tokens, price, cost_picodollars(tokens, price))
        cost = UNPRICED if line is None else Cost(True, line.cost_picodollars, "override", "1", (line,))
    return Attempt(
        number,
        Target(draw(st.sampled_from(["openai", "groq", ""])), draw(st.sampled_from(["m1", "m2"]))),
        "openai",
        status,
        started_ns,
        started_ns + draw(st.integers(0, 10**10)),
        key_id=draw(st.sampled_from(["", "k1"])),
        usage=usage,
        usage_source=source,
        cost=cost,
        cost_at_risk_picodollars=draw(st.integers(0, 10**12)),
    )


@st.composite
def ledgers(draw: st.DrawFn) -> list[CallRecord]:
    """Up to a dozen calls of two days."""
    records = []
    for seq in range(draw(st.integers(0, 12))):
        started_ns = ns(START) + draw(st.integers(0, 2 * 86400 - 1)) * 10**9
        count = draw(st.integers(0, 3))
        tried = [draw(attempts(n + 1, started_ns, n == count - 1)) for n in range(count)]
        answered = bool(tried) and tried[-1].status is AttemptStatus.OK
        others = [CallStatus.REFUSED] if not tried else [CallStatus.ERROR, CallStatus.CANCELLED, CallStatus.ABANDONED]
        records.append(
            settled(
                seq,
                started_ns,
                tried,
                CallStatus.OK if answered else draw(st.sampled_from(others)),
                workspace=draw(st.sampled_from(["a", "b"])),
                alias=draw(st.sampled_from(["smart", "fast", ""])),
                tags=draw(st.dictionaries(st.sampled_from(["team", "x"]), st.sampled_from(["red", "it's", ""]))),
            )
        )
    return records
