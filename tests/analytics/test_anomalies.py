"""Days unlike those before: what is usual, what is flagged, what is not, and who is named."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.anomalies import anomalies, unlike
from analytics.explained import explanation
from analytics.period import Period
from analytics.source import open_source
from analytics.usual import usual
from tests.support.analytics import START
from tests.support.reported import Try, call, ledger_of

MONDAY = date(2026, 11, 2)
WEEKS = [MONDAY - timedelta(days=ahead) for ahead in range(28, 0, -1)]
END = datetime(2026, 11, 3, tzinfo=UTC)
SCHEMA: dict[str, Any] = {
    "day": pl.Date,
    **dict.fromkeys(("workspace", "provider", "alias", "model", "caller"), pl.String),
    **dict.fromkeys(("attempts", "failed", "answered"), pl.Int64),
    "cost_usd": pl.Decimal(38, 12),
    "ms": pl.Float64,
}


def row(day: date, attempts: int = 1000, *, failed: int = 10, usd: str = "10", ms: float = 500, caller: str = "web",
        model: str = "m") -> dict[str, Any]:  # fmt: skip
    """A day of one caller; `ms` for each answer."""
    answered = attempts - failed
    return {"day": day, "workspace": "acme", "provider": "openai", "alias": "smart", "model": model, "caller": caller,
            "attempts": attempts, "failed": failed, "answered": answered, "cost_usd": Decimal(usd),
            "ms": ms * answered}  # fmt: skip


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA)


def flagged(*rows: dict[str, Any], until: datetime = END) -> list[tuple[str, bool]]:
    """Measure, and whether it is too much, of Monday."""
    return [(each.measure, each.score > 0) for each in unlike(frame(*rows), MONDAY, until)]


EVERY_DAY = [row(day) for day in WEEKS]


@pytest.mark.parametrize(
    ("monday", "found"),
    [
        pytest.param(row(MONDAY), [], id="a day like any"),
        pytest.param(row(MONDAY, usd="12"), [], id="a fifth more is nothing, though no day ever strayed"),
        pytest.param(row(MONDAY, usd="30"), [("cost_usd", True)], id="three times the cost"),
        pytest.param(row(MONDAY, usd="2"), [("cost_usd", False)], id="a fifth of the cost"),
        pytest.param(row(MONDAY, failed=200), [("error_share", True)], id="a fifth failed"),
        pytest.param(row(MONDAY, failed=0), [], id="fewer failures trouble nobody"),
        pytest.param(row(MONDAY, ms=1500), [("mean_ms", True)], id="three times as slow"),
        pytest.param(row(MONDAY, ms=100), [], id="faster troubles nobody"),
        pytest.param(row(MONDAY, 3000, failed=30), [("attempts", True)], id="three times the requests"),
        pytest.param(row(MONDAY, 30, failed=30, usd="10"), [("attempts", False)], id="a handful has no share"),
    ],
)
def test_a_day_is_flagged_for_what_it_is(monday: dict[str, Any], found: list[tuple[str, bool]]) -> None:
    assert flagged(*EVERY_DAY, monday) == found


def test_a_day_without_a_request_is_one_too() -> None:
    assert flagged(*EVERY_DAY) == [("cost_usd", False), ("attempts", False)]


def test_a_day_that_is_not_over_is_not_low() -> None:
    noon = END - timedelta(hours=12)
    assert flagged(*EVERY_DAY, row(MONDAY, 300, failed=3, usd="3"), until=noon) == []


def test_a_day_that_is_not_over_can_be_high() -> None:
    (found,) = unlike(frame(*EVERY_DAY, row(MONDAY, usd="30")), MONDAY, END - timedelta(hours=12))
    assert (found.measure, found.partial) == ("cost_usd", True)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        pytest.param([row(day, 20, failed=0, usd="9") for day in WEEKS], "few requests", id="few requests"),
        pytest.param([row(day) for day in WEEKS[-6:]], "six days", id="too few days to tell"),
    ],
)
def test_what_says_nothing_is_not_judged(rows: list[dict[str, Any]], why: str) -> None:
    assert flagged(*rows, row(MONDAY, 40, failed=0, usd="90") if why == "few requests" else row(MONDAY, usd="90")) == []


def test_an_outlier_does_not_hide_the_next() -> None:
    before = [row(day, usd="500" if day == WEEKS[-3] else "10") for day in WEEKS]
    assert flagged(*before, row(MONDAY, usd="30")) == [("cost_usd", True)]


def test_quiet_week_ends_are_no_anomaly() -> None:
    weeks = [row(day, 100 if day.weekday() >= 5 else 1000, failed=1, usd="1" if day.weekday() >= 5 else "10")
             for day in [*WEEKS, MONDAY]]  # fmt: skip
    assert flagged(*weeks) == []


def test_a_monday_is_compared_with_mondays() -> None:
    course = {day: 10.0 + day.weekday() for day in WEEKS}
    found = usual(course, MONDAY)
    assert found is not None
    assert found.expected == 10
    assert [day.weekday() for day in found.days] == [0] * 4


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=28, max_size=28), st.integers(0, 27), st.floats(0, 1e9))
def test_one_day_alone_moves_what_is_usual_no_further_than_its_neighbours(
    amounts: list[float], place: int, wild: float
) -> None:
    course = dict(zip(WEEKS, amounts, strict=True))
    found = usual(course | {WEEKS[place]: wild}, MONDAY)
    same = [amount for day, amount in course.items() if day.weekday() == 0]
    assert found is not None
    assert min(same) <= found.expected <= max(same)


@pytest.mark.parametrize(
    ("monday", "says"),
    [
        pytest.param(
            [row(MONDAY, usd="9"), row(MONDAY, 500, failed=5, usd="31", caller="batch")],
            "Most of it is caller batch: $31.00 instead of $1.00 (100.0 % of the change)",
            id="cost",
        ),
        pytest.param(
            [row(MONDAY, failed=9), row(MONDAY, 100, failed=90, usd="1", caller="batch")],
            "Most of it is caller batch: 90 of its 100 requests failed, usually 1 of 100",
            id="errors",
        ),
        pytest.param(
            [row(MONDAY), row(MONDAY, 100, failed=1, usd="1", caller="batch", ms=60_000)],
            "Most of it is caller batch: 60.0 s for each of 99 answers, usually 500 ms",
            id="time",
        ),
    ],
)
def test_who_moved_most_is_named(monday: list[dict[str, Any]], says: str) -> None:
    two = [row(day) for day in WEEKS] + [row(day, 100, failed=1, usd="1", caller="batch") for day in WEEKS]
    days = frame(*two, *monday)
    first = max(unlike(days, MONDAY, END), key=lambda each: (each.measure != "attempts", abs(each.score)))
    assert says in explanation(first, days)


def test_where_all_move_alike_nobody_is_blamed() -> None:
    two = [row(day, usd=usd, caller=caller) for day in WEEKS for caller, usd in (("web", "10"), ("batch", "5"))]
    days = frame(*two, row(MONDAY, usd="40"), row(MONDAY, usd="20", caller="batch"))
    (found,) = unlike(days, MONDAY, END)
    assert explanation(found, days) == (
        "On Monday 2 November 2026, openai cost $60.00 in acme; the median of the 4 Mondays before is $15.00, and up "
        "to $18.75 would be nothing unusual. No caller, alias or model stands out: they moved alike."
    )


def test_from_a_ledger(tmp_path_factory: pytest.TempPathFactory) -> None:
    home = tmp_path_factory.mktemp("home")
    each = Try("openai", "gpt", tokens_in=10_000)
    days = [START + timedelta(days=day - 8) for day in range(9)]
    times = [60] * 8 + [200]
    starts = [day for day, count in zip(days, times, strict=True) for _ in range(count)]
    ledger_of(home / "ledger.duckdb", [call(seq, start, [each]) for seq, start in enumerate(starts)])
    found = anomalies(open_source(home), Period(START, START + timedelta(days=1)), now=END + timedelta(days=1))
    assert found.select("day", "measure", "value", "expected").rows() == [
        (START.date(), "cost_usd", pytest.approx(200 * 0.0135), pytest.approx(60 * 0.0135)),
        (START.date(), "attempts", 200.0, 60.0),
    ]
    assert found["explanation"].str.ends_with("One caller, one alias and one model are all there is.").all()
