"""Sums are the same whether days, facts or both are read, for any period and filter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import facts
from analytics.facts import NARROWED_BY, Facts
from analytics.kinds import KINDS
from analytics.question import BadQuestion, Filters
from analytics.usage import usage_question
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Target
from tests.support.analytics import START, at, build, ledgers, ns, settled, temporary

DAY = timedelta(days=1)
ASKED: Mapping[str, Callable[[datetime, datetime, Filters | None], Facts]] = {
    "calls": facts.calls, "attempts": facts.attempts, "costs": facts.costs, "latencies": facts.latencies,
    "fallbacks": facts.fallbacks, "hours": facts.hours, "attempt hours": facts.attempt_hours,
}  # fmt: skip
MEASURES = {
    "calls": "calls attempts input_tokens cost_usd unpriced_calls duration_ms",
    "attempts": "attempts input_tokens output_tokens cost_usd unpriced_attempts duration_ms",
    "costs": "attempts quantity cost_usd",
    "latencies": "times bin",
    "fallbacks": "moves lost_ms lost_at_risk_usd",
    "hours": "calls fallbacks attempts output_tokens cost_usd estimated_calls",
    "attempt hours": "attempts reasoning_tokens cost_usd cost_at_risk_usd unpriced_attempts",
}
Rows = list[dict[str, Any]]


def rows_of(connection: duckdb.DuckDBPyConnection, sql: str, params: Sequence[Any] = ()) -> Rows:
    return connection.execute(sql, params).to_arrow_table().to_pylist()


def summed(rows: Rows, kind: str) -> dict[str, Any]:
    """Of each measure; of bins, each as often as it is."""
    times = [row["times"] if kind == "latencies" else 1 for row in rows]
    sums: dict[str, Any] = {}
    for name in MEASURES[kind].split():
        weighed = zip(rows, times if name == "bin" else [1] * len(rows), strict=True)
        sums[name] = sum((row[name] or 0) * weight for row, weight in weighed)
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in sums.items()}


def kept(row: dict[str, Any], kind: str, filters: Mapping[str, str]) -> bool:
    """Whether a fact is one that the filters want, by reading it."""

    def has(name: str, wanted: str) -> bool:
        if name.startswith("tag:"):
            return bool(dict(row["tags"]).get(name[4:], "") == wanted)
        if kind == "fallbacks" and name in {"provider", "model"}:
            return wanted in {row[f"from_{name}"], row[f"to_{name}"]}
        column = {"key": "key_id", "status": "call_status" if "attempt" in kind else "status"}.get(name, name)
        return bool(row[column] == wanted)

    return all(has(name, wanted) for name, wanted in filters.items())


WANTED = {"provider": "openai", "alias": "smart", "workspace": "a", "status": "ok", "key": "k1", "tag:team": "it's",
          "model": "m1"}  # fmt: skip


@st.composite
def spans(draw: st.DrawFn) -> tuple[datetime, datetime]:
    """Periods about the days of `ledgers`, to the microsecond."""
    start = START + timedelta(hours=draw(st.integers(-30, 50)))
    start += draw(st.sampled_from([timedelta(0), timedelta(microseconds=1), timedelta(minutes=59)]))
    return start, start + timedelta(hours=draw(st.integers(0, 100)))


@settings(max_examples=8, deadline=None)
@given(
    ledgers(),
    st.none() | st.sampled_from([START.date() + n * DAY for n in (1, 2, 9)]),
    spans(),
    st.lists(st.sampled_from(list(WANTED)), max_size=2, unique=True),
)
def test_sums_are_those_of_the_facts(
    records: list[CallRecord], rolled: date | None, span: tuple[datetime, datetime], names: list[str]
) -> None:
    start, end = span
    with temporary(records, rolled) as home, duckdb.connect(home / "ledger.duckdb", read_only=True) as connection:
        for kind, asked in ASKED.items():
            filters = {name: WANTED[name] for name in names if facts.knows(kind, name)}
            found = asked(start, end, filters)
            read = rows_of(connection, f"SELECT * FROM {KINDS[kind].facts}")
            low, high = at(ns(start)), at(ns(end))
            there = [row for row in read if low <= row["started_at"] < high and kept(row, kind, filters)]
            assert summed(rows_of(connection, f"SELECT * FROM {found.sql}", found.params), kind) == summed(there, kind)


@pytest.mark.parametrize(
    ("start", "end", "days", "edges"),
    [
        pytest.param(START, START + 3 * DAY, 1, 0, id="whole-days"),
        pytest.param(START + timedelta(hours=1), START + 3 * DAY, 1, 1, id="begins-within-a-day"),
        pytest.param(START, START + 3 * DAY + timedelta(microseconds=1), 1, 1, id="ends-within-a-day"),
        pytest.param(START - timedelta(1e-5), START + DAY + timedelta(1e-5), 1, 2, id="one-day-and-two-edges"),
        pytest.param(START + timedelta(hours=1), START + timedelta(hours=9), 0, 1, id="part-of-a-day"),
        pytest.param(START + timedelta(hours=1), START + DAY + timedelta(hours=23), 0, 1, id="two-days-none-whole"),
        pytest.param(START + 2 * DAY, START, 0, 1, id="ends-before-it-starts"),
        pytest.param(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), 1, 0, id="all-of-time"),
    ],
)
def test_whole_days_come_from_days_and_edges_from_facts(start: datetime, end: datetime, days: int, edges: int) -> None:
    asked = facts.attempts(start, end)
    assert (asked.sql.count("ai_attempt_days"), asked.sql.count("ai_attempt_facts")) == (days, edges)


def test_hours_are_whole_at_the_hour() -> None:
    asked = facts.hours(START + timedelta(minutes=30), START + timedelta(hours=3))
    assert (asked.sql.count("ai_call_hours"), asked.sql.count("ai_call_facts")) == (1, 1)


@pytest.mark.parametrize(
    ("by", "hours", "facts"),
    [
        pytest.param(("hour",), ["ai_call_hours"], [], id="hours"),
        pytest.param(("hour", "provider"), ["ai_call_hours", "ai_attempt_hours"], [], id="by-target"),
        pytest.param(("hour", "caller"), [], ["ai_call_facts"], id="by-what-hours-do-not-have"),
        pytest.param(("minute",), [], ["ai_call_facts"], id="minutes"),
        pytest.param(("hour", "minute"), [], ["ai_call_facts"], id="hours-and-minutes"),
    ],
)
def test_a_course_by_the_hour_reads_sums_where_they_have_it(
    by: Sequence[str], hours: list[str], facts: list[str]
) -> None:
    sql = usage_question(START, START + 2 * DAY, by, timed=False).sql
    assert set(re.findall(r"ai_\w+_hours", sql)) == set(hours)
    assert set(re.findall(r"ai_\w+_facts", sql)) == set(facts)


def step(number: int, provider: str, started_ns: int, *, ok: bool) -> Attempt:
    status = AttemptStatus.OK if ok else AttemptStatus.FAILED
    return Attempt(number, Target(provider, "m"), "openai", status, started_ns, started_ns + 10**9,
                   error_type="" if ok else "timeout", http_status=200 if ok else 0)  # fmt: skip


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Calls at 11, 35 and 60 o'clock after START; the first two fell back. Their two days are summed up."""

    def call(seq: int, hour: int, *providers: str) -> CallRecord:
        begun = ns(START + timedelta(hours=hour))
        tried = [step(n, name, begun + n * 10**9, ok=n == len(providers)) for n, name in enumerate(providers, 1)]
        return settled(seq, begun, tried, CallStatus.OK, workspace="a", tags={"team": "red"} if seq == 1 else {})

    records = [call(1, 11, "groq", "openai"), call(2, 35, "openai", "groq", "mistral"), call(3, 60, "openai")]
    path = tmp_path_factory.mktemp("facts") / "ledger.duckdb"
    return build(path, records, START.date() + 2 * DAY)


def total(path: Path, asked: Facts, measure: str) -> int:
    with duckdb.connect(path, read_only=True) as connection:
        row = connection.execute(f"SELECT sum({measure}) FROM {asked.sql}", asked.params).fetchone()
        return int(row[0] or 0) if row else 0


SPAN = (START, START + 3 * DAY)


@pytest.mark.parametrize(
    ("asked", "measure", "expected"),
    [
        pytest.param(facts.calls(*SPAN, {"provider": ["openai", "mistral"]}), "calls", 3, id="any-of-several-values"),
        pytest.param(facts.calls(*SPAN, {"provider": "groq"}), "calls", 0, id="a-calls-provider-is-of-record"),
        pytest.param(facts.attempts(*SPAN, {"provider": "groq"}), "attempts", 2, id="an-attempts-its-own"),
        pytest.param(facts.calls(*SPAN, {"tag:team": ""}), "calls", 2, id="without-the-tag"),
        pytest.param(facts.calls(*SPAN, {"provider": []}), "calls", 0, id="none-wanted"),
        pytest.param(facts.attempts(*SPAN, {"status": "ok"}), "attempts", 6, id="status-is-the-calls"),
        pytest.param(facts.attempts(*SPAN, {"attempt_status": "failed"}), "attempts", 3, id="the-attempts-own-status"),
        pytest.param(facts.attempts(*SPAN, {"http_status": ""}), "attempts", 3, id="no-answer-at-all"),
        pytest.param(facts.attempts(*SPAN, {"http_status": "200"}), "attempts", 3, id="numbers-are-text"),
        pytest.param(facts.calls(*SPAN, {"streamed": "false"}), "calls", 3, id="so-is-no"),
        pytest.param(facts.fallbacks(*SPAN, {"provider": "groq"}), "moves", 3, id="a-move-from-or-to"),
        pytest.param(facts.fallbacks(*SPAN, {"to_provider": "groq"}), "moves", 1, id="a-move-to"),
        pytest.param(facts.calls(START, START + timedelta(hours=60)), "calls", 2, id="the-end-is-not-in-it"),
    ],
)
def test_filters(ledger: Path, asked: Facts, measure: str, expected: int) -> None:
    assert total(ledger, asked, measure) == expected


def test_a_clock_that_is_ahead_has_no_part_in_a_period_that_ends_now(ledger: Path) -> None:
    now = START + timedelta(hours=59)
    assert [total(ledger, facts.calls(START, end), "calls") for end in (now, START + 3 * DAY)] == [2, 3]


@pytest.mark.parametrize("kind", list(KINDS))
def test_days_and_facts_have_the_same_columns(ledger: Path, kind: str) -> None:
    with duckdb.connect(ledger, read_only=True) as connection:
        days, part = (
            connection.execute(f"DESCRIBE SELECT * FROM {asked.sql}", asked.params).fetchall()
            for asked in (ASKED[kind](*SPAN, None), ASKED[kind](START, START + timedelta(minutes=9), None))
        )
    assert [row[:2] for row in days] == [row[:2] for row in part]


@pytest.mark.parametrize(
    ("kind", "name"), [("latencies", "caller"), ("fallbacks", "key"), ("costs", "tag:a b"), ("hours", "tag:x")]
)
def test_what_a_kind_is_not_known_by_is_said(kind: str, name: str) -> None:
    with pytest.raises(BadQuestion, match=r"are by: .*provider|not a tag key"):
        ASKED[kind](*SPAN, {name: "x"})


def test_filters_that_a_kind_knows() -> None:
    assert {kind: "tag:<key>" in known for kind, known in NARROWED_BY.items()} == {
        "calls": True, "attempts": True, "costs": True, "latencies": False, "fallbacks": False, "hours": False,
        "attempt hours": False,
    }  # fmt: skip


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(BadQuestion, match="zone"):
        facts.calls(START.replace(tzinfo=None), START + DAY)
