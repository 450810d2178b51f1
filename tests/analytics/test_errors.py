"""Errors: of a ledger whose answers are known, and against reading every record."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

from analytics import errors
from analytics.period import Period
from analytics.question import BadQuestion
from analytics.source import Source, open_source
from sidecar.core.call import AttemptStatus, CallRecord, CallStatus
from tests.support.analytics import START, at, build, ledgers, ns, temporary
from tests.support.analytics_calls import HOUR_S, call, failed, tried

DAY = Period(START, START + timedelta(days=1))
BIG, SMALL = "openai/big", "groq/small"
OK, ERROR, REFUSED = CallStatus.OK, CallStatus.ERROR, CallStatus.REFUSED
NOON = START.replace(hour=12, tzinfo=None)

CALLS = [
    call(0, [tried(BIG, 900)], OK),
    call(1, [failed(BIG, 200, "rate_limited", http_status=429), tried(SMALL, 500)], OK, at_s=12.5 * HOUR_S),
    call(2, [failed(BIG, 200, "rate_limited", http_status=429), failed(SMALL, 9, "timeout")], ERROR, at_s=12 * HOUR_S),
    call(3, [], REFUSED, error_type="key_missing", at_s=12.1 * HOUR_S, caller="batch"),
    call(4, [], REFUSED, error_type="key_missing", at_s=13 * HOUR_S, alias="fast"),
    call(5, [tried(SMALL, 500, AttemptStatus.ABANDONED)], CallStatus.ABANDONED, at_s=13 * HOUR_S),
    call(6, [tried(SMALL, 500, AttemptStatus.CANCELLED)], CallStatus.CANCELLED, at_s=13 * HOUR_S),
    call(7, [failed(BIG, 1)], ERROR, at_s=25 * HOUR_S),
]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    home = tmp_path_factory.mktemp("home")
    build(home / "ledger.duckdb", CALLS)
    return open_source(home)


def test_errors_of_calls_by_type(source: Source) -> None:
    """Who hung up met no error, and a mended attempt is none of its call."""
    assert errors.by_type(source, DAY).rows() == [
        ("refused", "key_missing", 2, 0.5, 2 / 7),
        ("abandoned", "", 1, 0.25, 1 / 7),
        ("error", "timeout", 1, 0.25, 1 / 7),
    ]


def test_failures_of_attempts_by_provider(source: Source) -> None:
    """What was mended counts, and a connection without an answer has no status."""
    assert errors.by_provider(source, DAY).rows() == [
        ("openai", "rate_limited", 429, 2, 3, 2 / 3, 0.5),
        ("groq", "", None, 1, 4, 0.25, 0.25),
        ("groq", "timeout", None, 1, 4, 0.25, 0.25),
    ]


@pytest.mark.parametrize(
    ("by", "filters", "expected"),
    [
        pytest.param(["model"], {"http_status": "429"}, [("big", 2, 2)], id="by-model-with-that-status"),
        pytest.param(["alias", "key"], {"error_type": "timeout"}, [("smart", "groq-1", 1, 1)], id="by-alias-and-key"),
        pytest.param(["provider"], {"status": "ok"}, [("openai", 1, 2)], id="only-in-calls-that-were-answered"),
    ],
)
def test_failures_are_parted_and_narrowed(
    source: Source, by: list[str], filters: dict[str, str], expected: list[tuple[Any, ...]]
) -> None:
    assert errors.by_provider(source, DAY, filters, by).select(*by, "failed", "attempts").rows() == expected


@pytest.mark.parametrize(
    ("filters", "noon", "one"),
    [
        pytest.param({}, (3, 2, 2 / 3), (3, 2, 2 / 3), id="all"),
        pytest.param({"alias": "fast"}, (0, 0, None), (1, 1, 1.0), id="summed-by-the-hour"),
        pytest.param({"caller": "batch"}, (1, 1, 1.0), (0, 0, None), id="from-single-calls"),
    ],
)
def test_every_hour_has_its_errors(source: Source, filters: dict[str, str], noon: object, one: object) -> None:
    rows = {row[0]: row[1:] for row in errors.by_hour(source, DAY, filters).rows()}
    assert (len(rows), rows[NOON], rows[NOON + timedelta(hours=1)]) == (24, noon, one)


def test_hours_of_a_ragged_period_are_cut_to_it(source: Source) -> None:
    span = Period(START + timedelta(hours=12.2), START + timedelta(hours=13.5))
    assert errors.by_hour(source, span).rows() == [(NOON, 1, 0, 0.0), (NOON + timedelta(hours=1), 3, 2, 2 / 3)]


@pytest.mark.parametrize(
    ("hours", "by", "expected"),
    [
        pytest.param((12, 13), "error_type", [(12, 0, "timeout", 1), (12, 6, "key_missing", 1)], id="minutes"),
        pytest.param((0, 24), "alias", [(12, 0, "smart", 2), (13, 0, "fast", 1), (13, 0, "smart", 1)], id="hours"),
        pytest.param((0, 24), "caller", [(12, 0, "batch", 1), (12, 0, "local", 1), (13, 0, "local", 2)], id="callers"),
        pytest.param((0, 240), "status", [(0, 0, "abandoned", 1), (0, 0, "error", 1), (0, 0, "refused", 2),
                     (24, 0, "error", 1)], id="days"),
    ],
)  # fmt: skip
def test_the_course_of_errors(source: Source, hours: tuple[int, int], by: str, expected: list[Any]) -> None:
    first, last = hours
    rows = errors.course(
        source, Period(START + first * timedelta(hours=1), START + last * timedelta(hours=1)), None, by
    )
    start = START.replace(tzinfo=None)
    told = [(start + timedelta(hours=hour, minutes=minute), *rest) for hour, minute, *rest in expected]
    assert rows.rows() == told


def test_no_call_is_no_share(source: Source) -> None:
    assert errors.by_type(source, DAY.previous).is_empty()
    assert errors.by_hour(source, DAY.previous)["error_rate"].null_count() == 24


def test_what_attempts_are_not_known_by_is_named(source: Source) -> None:
    with pytest.raises(BadQuestion, match="attempts are not known by 'task'"):
        errors.by_provider_question(DAY, None, ["task"])
    with pytest.raises(BadQuestion, match="always parted by error_type"):
        errors.by_provider(source, DAY, by=["error_type"])


@settings(max_examples=5, deadline=None)
@given(ledgers())
def test_errors_are_what_reading_every_record_gives(records: list[CallRecord]) -> None:
    with temporary(records) as home:
        source = open_source(home)
        types = {row[:2]: row[2] for row in errors.by_type(source, DAY).rows()}
        providers = {row[0]: row[1] for row in errors.by_provider(source, DAY).group_by("provider").agg(
            failed=pl.col("failed").sum()).rows()}  # fmt: skip
        hours = {row[0]: row[1:3] for row in errors.by_hour(source, DAY).rows() if row[1]}
    that_day = [record for record in records if ns(DAY.start) <= record.started_ns < ns(DAY.end)]
    bad = [record for record in that_day if record.status not in {OK, CallStatus.CANCELLED}]
    broken = {AttemptStatus.FAILED, AttemptStatus.ABANDONED}
    assert types == Counter((record.status, record.error_type) for record in bad)
    assert providers == Counter(
        each.target.provider for record in that_day for each in record.attempts if each.status in broken
    )
    every, errs = Counter(map(hour, that_day)), Counter(map(hour, bad))
    assert hours == {when: (calls, errs[when]) for when, calls in every.items()}


def hour(record: CallRecord) -> Any:
    started = at(record.started_ns)
    return started and started.replace(minute=0, second=0, microsecond=0)
