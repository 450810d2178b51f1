"""Usage against brute force: SQL over the views, and plain Python over the records, say the same."""

from __future__ import annotations

import statistics
from collections import defaultdict
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from analytics.dimensions import DIMENSIONS, OF_TARGET, label
from analytics.question import BadQuestion
from analytics.usage import MEASURES, approximate, usage_question
from sidecar.core.call import Attempt, CallRecord, CallStatus, UsageSource
from sidecar.core.money import to_usd
from tests.support.analytics import START, ask, at, build, ledgers, ns, temporary

END = START + timedelta(days=1)
CHOICES = [*DIMENSIONS, "tag:team"]
LONE = {"task", "fallback_reason"}
"""What only whole calls know."""
Span = tuple[datetime, datetime]


def value(name: str, record: CallRecord, attempt: Attempt | None = None) -> Any:
    """A dimension of a call, or of one of its attempts."""
    if name.startswith("tag:"):
        return record.tags.get(name[4:], "")
    started = at(record.started_ns)
    assert started is not None
    values = {
        "month": started.date().replace(day=1),
        "week": started.date() - timedelta(days=started.weekday()),
        "day": started.date(),
        "minute": started.replace(second=0, microsecond=0),
        "hour": started.replace(minute=0, second=0, microsecond=0),
        "key": (attempt or record).key_id,
        "key_owner": (attempt or record).key_owner,
        "error_type": (attempt or record).error_type,
        "streamed": str(record.streamed).lower(),
        "provider": attempt.target.provider if attempt else record.provider_of_record,
        "model": attempt.target.model if attempt else record.model_requested,
    }
    return values[name] if name in values else str(getattr(record, name))


def brute_force(
    records: list[CallRecord], span: Span, group_by: list[str], filters: dict[str, str]
) -> list[dict[str, Any]]:
    """The same sums, by reading."""
    calls: dict[tuple[Any, ...], list[CallRecord]] = defaultdict(list)
    used: dict[tuple[Any, ...], list[tuple[CallRecord, Any]]] = defaultdict(list)
    by_target = bool(OF_TARGET.keys() & {*group_by, *filters})
    for record in records:
        if not ns(span[0]) <= record.started_ns < ns(span[1]):
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
        "p99_ms": quantile(times, 0.99),
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
        "unpriced_calls": sum(not each.cost.priced for _, each in used),
        "estimated_calls": sum(each.usage_source is UsageSource.ESTIMATED for _, each in used),
    }


def comparable(rows: list[dict[str, Any]]) -> list[list[tuple[str, Any]]]:
    """Without order; times of calls to the microsecond."""
    return sorted(
        ([(k, round(v, 3) if isinstance(v, float) else v) for k, v in sorted(row.items())] for row in rows),
        key=repr,
    )


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Periods about the days of `ledgers`: whole days, days with edges, and parts of one."""
    first = draw(st.sampled_from([-24, 0, 7, 24, 30]))
    return START + timedelta(hours=first), START + timedelta(hours=first + draw(st.sampled_from([5, 24, 41, 48, 55])))


@settings(max_examples=8, deadline=None)
@given(
    ledgers(),
    st.none() | st.sampled_from([START.date() + timedelta(days=days) for days in (1, 2, 9)]),
    spans(),
    st.lists(st.sampled_from(CHOICES), max_size=3, unique=True),
    st.dictionaries(
        st.sampled_from(["provider", "alias", "workspace", "status", "tag:team", "key", "error_type"]),
        st.sampled_from(["openai", "smart", "a", "ok", "it's", "", "k1"]),
        max_size=2,
    ),
)
def test_usage_is_what_reading_every_record_gives(
    records: list[CallRecord], rolled: date | None, span: Span, group_by: list[str], filters: dict[str, str]
) -> None:
    assume(not (LONE & {*group_by} and OF_TARGET.keys() & {*group_by, *filters}))
    with temporary(records, rolled) as home:
        rows = ask(home / "ledger.duckdb", usage_question(*span, group_by, filters))
    expected = brute_force(records, span, group_by, filters)
    if approximate(*span, group_by, filters):
        for each in zip(by_group(rows, group_by), by_group(expected, group_by), strict=True):
            near(*each)
    assert comparable(rows) == comparable(expected)


def by_group(rows: list[dict[str, Any]], group_by: list[str]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: [str(row[name]) for name in group_by])


def near(found: dict[str, Any], exact: dict[str, Any]) -> None:
    """Takes percentiles within 2 % out of both."""
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        of, to = found.pop(name), exact.pop(name)
        assert (of is None) == (to is None)
        assert of is None or of == pytest.approx(to, rel=0.02, abs=0.001)


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
