"""Waits: out of bins they lie within 2 % of the exact ones; what bins do not know is exact."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from analytics import standing, waits
from analytics.period import Period
from analytics.question import BadQuestion
from analytics.source import Source, open_source
from tests.support.analytics import START, build
from tests.support.analytics_week import week

SPAN = Period(START - timedelta(days=7), START)


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        build(Path(directory) / "ledger.duckdb", week(START, 500))
        yield open_source(Path(directory))


@pytest.mark.parametrize("measure", ["duration", "first_token", "overhead"])
@pytest.mark.parametrize("by", [(), ("provider",)], ids=["whole", "provider"])
def test_bins_are_within_two_percent_of_the_exact(source: Source, measure: str, by: tuple[str, ...]) -> None:
    about = waits.waits(source, SPAN, None, measure, by)
    exact = waits.waits(source, SPAN, None, measure, by, exactly=True)
    known = {row[:1] if by else (): row[-3:] for row in exact.iter_rows() if row[-1] is not None}
    for row in about.drop_nulls("p99_ms").iter_rows():
        assert row[-3:] == pytest.approx(known[row[:1] if by else ()], rel=0.02)


@pytest.mark.parametrize(
    ("days", "filters", "exactly", "binned"),
    [(1, {}, False, False), (7, {}, False, True), (7, {}, True, False), (30, {}, True, True),
     (30, {"tag:team": "red"}, False, False)],
    ids=["short", "week", "week-asked", "month-asked", "tag"],
)  # fmt: skip
def test_what_is_read_from_bins(days: int, filters: dict[str, str], exactly: bool, binned: bool) -> None:
    assert waits.from_bins(Period(START - timedelta(days=days), START), filters, exactly=exactly) is binned


def test_a_course_out_of_bins_has_days_and_an_exact_one_hours(source: Source) -> None:
    days, hours = (waits.course(source, SPAN, exactly=exactly) for exactly in (False, True))
    assert days.height <= 8 < hours.height
    assert days["times"].sum() == hours["times"].sum()


def test_what_was_priced_anew_and_alerts_are_narrowed_by_what_they_know(source: Source) -> None:
    assert standing.rerated(source, SPAN, {"workspace": "default"}).is_empty()
    assert standing.alerts(source, SPAN, {"workspace": "default"}).is_empty()
    with pytest.raises(BadQuestion, match="workspace, provider, model"):
        standing.rerated(source, SPAN, {"alias": "smart"})
    with pytest.raises(BadQuestion, match="by workspace"):
        standing.alerts(source, SPAN, {"alias": "smart"})
