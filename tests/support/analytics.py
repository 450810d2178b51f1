"""Ledgers for tests of questions: call records, made up or by hypothesis, standing in a DuckDB file's public views."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st

from analytics.question import Question
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.rolling import roll
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
from sidecar.core.money import cost_picodollars
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from tests.support.blank import blank

START = datetime(2026, 11, 2, tzinfo=UTC)
"""The generated ledgers' first moment, a Monday."""


def at(ns: int | None) -> datetime | None:
    """UTC ns as the ledger has it: no zone, microseconds."""
    return None if ns is None else datetime(1970, 1, 1) + timedelta(microseconds=ns // 1000)  # noqa: DTZ001


def ns(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


def ask(path: Path, question: Question) -> list[dict[str, Any]]:
    """The answer's rows, straight from the file."""
    with duckdb.connect(path, read_only=True) as connection:
        return connection.execute(question.sql, question.params).to_arrow_table().to_pylist()


def build(path: Path, records: Iterable[CallRecord], rolled: date | None = None) -> Path:
    """A ledger of these records, as the bookkeeper writes it. `rolled`: the days before it are summed up."""
    frames = [journal_pb2.Frame(finished=to_proto(record)) for record in records]
    path.unlink(missing_ok=True)
    ledger = Ledger(blank(path))
    try:
        ledger.book(fold("sidecar-a", (0, 0), (0, len(frames)), frames))
        ledger.watch()
        while rolled and roll(ledger, rolled):
            pass
    finally:
        ledger.close()
    return path


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


@contextmanager
def temporary(records: Iterable[CallRecord], rolled: date | None = None) -> Iterator[Path]:
    """A home with such a ledger, for tests that hypothesis runs many times."""
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory) / "ledger.duckdb", records, rolled)
        yield Path(directory)
