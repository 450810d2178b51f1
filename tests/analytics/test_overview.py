"""Courses over time and percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from analytics import sums
from analytics.latency import approximate, latency_question
from analytics.overview import coarser, filled, grain, totals
from analytics.period import Period
from analytics.source import Source, open_source
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Target
from tests.support.analytics import START, ask, build, ns, settled

DAY = Period(START, START + timedelta(days=1))


def call(seq: int, minute: int, took_ms: int, **more: object) -> CallRecord:
    start = ns(START) + minute * 60 * 10**9
    attempt = Attempt(1, Target("openai", "m"), "openai", AttemptStatus.OK, start, start + took_ms * 10**6,
                      first_token_ns=start + took_ms * 10**5)  # fmt: skip
    return settled(seq, start, [attempt], CallStatus.OK, overhead_ns=2_000_000, **more)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    took = [(0, 100), (1, 200), (2, 300), (130, 400)]
    records = [call(n, minute, ms, alias="smart", streamed=n == 0) for n, (minute, ms) in enumerate(took)]
    build(tmp_path / "ledger.duckdb", [*records, settled(9, ns(START), [], CallStatus.REFUSED)])
    return open_source(tmp_path)


def course(source: Source, period: Period, by: str | None = None) -> pl.DataFrame:
    return sums.course(source, period, None, by)


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(minutes=30), "minute"), (timedelta(hours=4), "minute"), (timedelta(hours=24), "hour"),
        (timedelta(days=7), "hour"), (timedelta(days=31), "day"), (timedelta(days=366), "day"),
        (timedelta(days=800), "month"),
    ],
)  # fmt: skip
def test_grain_fits_the_period(length: timedelta, expected: str) -> None:
    assert grain(Period(START, START + length)) == expected


def test_totals_are_one_row(source: Source) -> None:
    whole = totals(source, DAY)
    assert (whole["calls"], whole["errors"], whole["p50_ms"]) == (5, 1, 250.0)


def test_a_course_is_filled_where_nothing_was(source: Source) -> None:
    rows = filled(course(source, DAY), DAY, ["calls", "cost_usd"])
    assert rows.height == 24
    assert rows["calls"].to_list()[:4] == [4, 0, 1, 0]


def test_an_uneven_start_keeps_its_first_calls(source: Source) -> None:
    period = Period(START + timedelta(seconds=30), START + timedelta(hours=3))
    rows = filled(course(source, period), period, ["calls"])
    assert (rows.height, rows["calls"].sum()) == (180, 3)


def test_a_course_by_alias(source: Source) -> None:
    rows = course(source, DAY, "alias")
    assert rows.group_by("alias").agg(pl.col("calls").sum()).sort("alias").rows() == [("", 1), ("smart", 4)]


@pytest.mark.parametrize(
    ("column", "by_hand"),
    [
        ("duration_p50_ms", 250.0), ("duration_p99_ms", 397.0), ("first_token_p95_ms", 10.0), ("overhead_p50_ms", 2.0),
        ("calls", 4),
    ],
)  # fmt: skip
def test_percentiles(source: Source, tmp_path: Path, column: str, by_hand: float) -> None:
    (row,) = ask(tmp_path / "ledger.duckdb", latency_question(DAY.start, DAY.end))
    assert row[column] == pytest.approx(by_hand)


@pytest.mark.parametrize("group_by", [["provider"], ["hour", "tag:team"]])
def test_percentiles_by_dimension(source: Source, tmp_path: Path, group_by: Sequence[str]) -> None:
    rows = ask(tmp_path / "ledger.duckdb", latency_question(DAY.start, DAY.end, group_by, {"alias": "smart"}))
    assert sum(row["calls"] for row in rows) == 4
    assert list(rows[0])[: len(group_by)] == list(group_by)


WEEKS = Period(START - timedelta(days=5), START + timedelta(days=5, hours=7))


@pytest.mark.parametrize("group_by", [[], ["provider"], ["week", "alias"]])
def test_long_periods_have_the_same_percentiles_within_2_percent(
    tmp_path: Path, source: Source, group_by: list[str]
) -> None:
    path = tmp_path / "ledger.duckdb"
    exact = ask(path, latency_question(WEEKS.start, WEEKS.end, group_by, exact=True))
    binned = ask(path, latency_question(WEEKS.start, WEEKS.end, group_by))
    assert approximate(WEEKS.start, WEEKS.end, group_by)
    assert [list(row) for row in binned] == [list(row) for row in exact]
    for found, expected in zip(binned, exact, strict=True):
        for name, value in expected.items():
            assert found[name] == (pytest.approx(value, rel=0.02) if isinstance(value, float) else value)


def test_attempts_are_not_timed_by_what_only_calls_know(source: Source, tmp_path: Path) -> None:
    (row,) = ask(tmp_path / "ledger.duckdb", latency_question(DAY.start, DAY.end, ["task"]))
    assert (row["calls"], row["duration_p50_ms"], row["attempt_p50_ms"]) == (4, 250.0, None)


@pytest.mark.parametrize(
    ("course", "most", "expected"),
    [
        pytest.param([1.0, 2.0, 3.0], 3, [1.0, 2.0, 3.0], id="as-it-is"),
        pytest.param([1.0, 2.0, 3.0, 4.0], 2, [3.0, 7.0], id="pairs"),
        pytest.param([1.0, 2.0, 3.0], 2, [1.0, 5.0], id="the-newest-is-whole"),
        pytest.param([], 2, [], id="nothing"),
    ],
)
def test_a_coarser_course_has_the_same_sum(course: list[float], most: int, expected: list[float]) -> None:
    assert coarser(pl.Series(course, dtype=pl.Float64), most).to_list() == expected
