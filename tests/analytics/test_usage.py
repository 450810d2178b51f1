"""Usage against brute force: SQL over the views, and plain Python over the records, say the same."""

from __future__ import annotations

import statistics
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.dimensions import DIMENSIONS, OF_TARGET, label
from analytics.question import BadQuestion
from analytics.usage import MEASURES, usage_question
from sidecar.core.call import Attempt, CallRecord, CallStatus, UsageSource
from sidecar.core.money import to_usd
from tests.support.analytics import START, ask, at, build, ledgers, ns, temporary

END = START + timedelta(days=1)
CHOICES = [*DIMENSIONS, "tag:team"]


def value(name: str, record: CallRecord, attempt: Attempt | None = None) -> Any:
    """A dimension of a call, or of one of its attempts."""
    if name.startswith("tag:"):
        return record.tags.get(name[4:], "")
    started = at(record.started_ns)
    assert started is not None
    values = {
        "month": started.date().replace(day=1),
        "day": started.date(),
        "minute": started.replace(second=0, microsecond=0),
        "hour": started.replace(minute=0, second=0, microsecond=0),
        "key": (attempt or record).key_id,
        "provider": attempt.target.provider if attempt else record.provider_of_record,
        "model": attempt.target.model if attempt else record.model_requested,
    }
    return values[name] if name in values else str(getattr(record, name))


def brute_force(records: list[CallRecord], group_by: list[str], filters: dict[str, str]) -> list[dict[str, Any]]:
    """The same sums, by reading."""
    calls: dict[tuple[Any, ...], list[CallRecord]] = defaultdict(list)
    used: dict[tuple[Any, ...], list[tuple[CallRecord, Any]]] = defaultdict(list)
    by_target = bool(OF_TARGET.keys() & {*group_by, *filters})
    for record in records:
        if not ns(START) <= record.started_ns < ns(END):
            continue
        if all(value(name, record) == wanted for name, wanted in filters.items()):
            calls[tuple(value(name, record) for name in group_by)].append(record)
        for attempt in record.attempts if by_target else [None]:
            if all(value(name, record, attempt) == wanted for name, wanted in filters.items()):
                used[tuple(value(name, record, attempt) for name in group_by)].append((record, attempt or record))
    keys = {*calls, *used} if group_by else {()}
    return [
        {**dict(zip(group_by, key, strict=True)), **counts(calls[key]), **sums(used[key], by_target)} for key in keys
    ]


def counts(calls: list[CallRecord]) -> dict[str, Any]:
    failed = {CallStatus.ERROR, CallStatus.REFUSED, CallStatus.ABANDONED}
    times = [record.duration_ns / 1e6 for record in calls if record.status is CallStatus.OK]
    return {
        "calls": len(calls),
        "errors": sum(record.status in failed for record in calls),
        "fallbacks": sum(record.fallback_used for record in calls),
        "p50_ms": quantile(times, 0.5),
        "p95_ms": quantile(times, 0.95),
    }


def quantile(times: list[float], share: float) -> float | None:
    if len(times) < 2:
        return times[0] if times else None
    return statistics.quantiles(times, n=100, method="inclusive")[round(share * 100) - 1]


def sums(used: list[tuple[CallRecord, Any]], by_target: bool) -> dict[str, Any]:
    costs = [each.cost.amount_picodollars for _, each in used if each.cost.amount_picodollars is not None]
    return {
        "attempts": len(used) if by_target else sum(len(record.attempts) for record, _ in used),
        "input_tokens": sum(each.usage.input or 0 for _, each in used),
        "cache_read_tokens": 0,
        "cache_write_tokens": 0,
        "output_tokens": sum(each.usage.output or 0 for _, each in used),
        "reasoning_tokens": 0,
        "cost_usd": to_usd(sum(costs)) if costs else (None if used else Decimal(0)),
        "cost_at_risk_usd": to_usd(sum(each.cost_at_risk_picodollars for _, each in used)),
        "unpriced_calls": len({record.seq for record, each in used if not each.cost.priced}),
        "estimated_calls": len({record.seq for record, each in used if each.usage_source is UsageSource.ESTIMATED}),
    }


def comparable(rows: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Without order; times of calls to the microsecond."""
    return sorted(
        ([(k, round(v, 3) if isinstance(v, float) else v) for k, v in sorted(row.items())] for row in rows),
        key=repr,
    )


@settings(max_examples=40, deadline=None)
@given(
    ledgers(),
    st.lists(st.sampled_from(CHOICES), max_size=3, unique=True),
    st.dictionaries(
        st.sampled_from(["provider", "alias", "workspace", "status", "tag:team", "key"]),
        st.sampled_from(["openai", "smart", "a", "ok", "it's", "", "k1"]),
        max_size=2,
    ),
)
def test_usage_is_what_reading_every_record_gives(
    records: list[CallRecord], group_by: list[str], filters: dict[str, str]
) -> None:
    with temporary(records) as home:
        rows = ask(home / "ledger.duckdb", usage_question(START, END, group_by, filters))
    assert comparable(rows) == comparable(brute_force(records, group_by, filters))


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return build(tmp_path / "ledger.duckdb", [])


def test_an_empty_ledger_has_a_total_of_nothing(ledger: Path) -> None:
    (total,) = ask(ledger, usage_question(START, END))
    assert (total["calls"], total["input_tokens"], total["p50_ms"]) == (0, 0, None)


def test_columns_are_the_dimensions_then_the_measures(ledger: Path) -> None:
    (total,) = ask(ledger, usage_question(START, END, (), {"provider": "openai"}))
    assert tuple(total) == MEASURES


@pytest.mark.parametrize(
    ("group_by", "filters", "says"),
    [
        pytest.param(["colour"], {}, "unknown dimension 'colour'", id="unknown-dimension"),
        pytest.param([], {"colour": "red"}, "unknown dimension 'colour'", id="unknown-filter"),
        pytest.param(['tag:a"; DROP TABLE x'], {}, "not a tag key", id="tag-key-that-is-sql"),
        pytest.param([], {"day": "2026-11-02"}, "unknown dimension 'day'", id="time-is-the-periods-business"),
    ],
)
def test_what_does_not_exist_is_named(group_by: list[str], filters: dict[str, str], says: str) -> None:
    with pytest.raises(BadQuestion, match=says):
        usage_question(START, END, group_by, filters)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(BadQuestion, match="zone"):
        usage_question(START.replace(tzinfo=None), END)


def test_values_never_stand_in_the_sql() -> None:
    question = usage_question(START, END, ["provider"], {"alias": "o'brien", "tag:team": "x"}, limit=7)
    assert "o'brien" not in question.sql
    assert question.params[-2:] == (7, 0)


@pytest.mark.parametrize(
    ("given_value", "text"),
    [
        pytest.param(datetime(2026, 11, 2, 5), "2026-11-02T05:00:00Z", id="hour"),  # noqa: DTZ001 - as the ledger gives it
        pytest.param(START.date(), "2026-11-02", id="day"),
        pytest.param("smart", "smart", id="text"),
    ],
)
def test_dimension_values_as_text(given_value: object, text: str) -> None:
    assert label(given_value) == text
