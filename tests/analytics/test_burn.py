"""Budgets: how they stand, how they got there, and whether forecasts keep what they promise."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.burn import budgets, burn, course_question
from analytics.forecast import EVEN, forecast, stretches
from analytics.outlook import forecasts
from analytics.source import Source, open_source
from sidecar.bookkeeper import budget_spent
from sidecar.bookkeeper.ledger import Ledger
from sidecar.core.money import to_usd
from tests.support.analytics import START, ask, ns
from tests.support.analytics_week import week
from tests.support.reported import Try, budget, call, ledger_of

MONDAY = datetime(2025, 11, 3, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def days(count: int, amount: float = 24) -> dict[date, float]:
    """As many days before MONDAY, each alike."""
    return {(MONDAY - ahead * DAY).date(): amount for ahead in range(count, 0, -1)}


def foretold(history: dict[date, float], *, hours: float = 36, spent: float = 12, limit: float = 1e9, over: float = 1,
             ends: bool = True) -> Any:  # fmt: skip
    ahead = stretches(MONDAY, MONDAY + hours * HOUR, EVEN)
    return forecast(history, ahead, spent=spent, limit=limit, over=over, ends=ends)


@pytest.mark.parametrize("count", [2, 7, 14, 28])
def test_a_constant_rate_is_foretold_exactly(count: int) -> None:
    found = foretold(days(count))
    assert (found.at_end, found.low, found.high) == pytest.approx((48, 48, 48))
    assert found.per_day == pytest.approx(24)


@pytest.mark.parametrize(
    ("limit", "when"),
    [
        pytest.param(42, MONDAY + 30 * HOUR, id="on the second day"),
        pytest.param(48.1, None, id="not in this window"),
        pytest.param(12, MONDAY, id="already"),
    ],
)
def test_exhaustion_is_dated(limit: float, when: datetime | None) -> None:
    found = foretold(days(14), limit=limit).exhausted_at
    assert found == when or (when and found and abs(found - when) < timedelta(seconds=1))


def test_a_window_without_an_end_has_a_date_only() -> None:
    found = foretold(days(14), hours=24 * 365, limit=12 + 24 * 100, ends=False)
    assert found.at_end is found.low is found.high is None
    assert abs(found.exhausted_at - (MONDAY + 100 * DAY)) < timedelta(seconds=1)


def test_weekdays_have_means_of_their_own() -> None:
    history = {day: 5.0 if day.weekday() == 0 else 20.0 for day in days(14)}
    assert foretold(history, hours=48, spent=0).at_end == pytest.approx(25)


@pytest.mark.parametrize(
    ("history", "over", "at_end", "high"),
    [
        pytest.param({}, 0.5, 12 + 36, 12 + 3 * 36, id="no finished day: the window's own rate, and a wide guess"),
        pytest.param({}, 0.001, None, None, id="the window has hardly begun"),
        pytest.param({}, 0, None, None, id="a window without a beginning"),
    ],
)
def test_little_is_known(history: dict[date, float], over: float, at_end: float | None, high: float | None) -> None:
    found = foretold(history, over=over)
    assert (found.at_end, found.high) == (pytest.approx(at_end), pytest.approx(high))
    assert "less than two finished days" in found.method


def test_few_days_are_said_to_be_few() -> None:
    assert "few days, so it is wide" in foretold(days(3)).method


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=0, max_size=28), st.floats(0, 1e6), st.floats(0.1, 30))
def test_an_interval_holds_its_forecast_and_never_falls(amounts: list[float], spent: float, over: float) -> None:
    history = dict(zip(days(len(amounts)), amounts, strict=True))
    found = foretold(history, spent=spent, over=over)
    if found.at_end is not None:
        assert spent <= found.low <= found.at_end * (1 + 1e-9)
        assert found.at_end <= found.high * (1 + 1e-9)


BUSY = (100, 110, 105, 100, 120, 30, 25)


@pytest.mark.parametrize(
    ("known", "left", "by_weekday"),
    [
        pytest.param(28, 10, True, id="a month known, a third left"),
        pytest.param(14, 15, True, id="two weeks known, half a month left"),
        pytest.param(7, 15, False, id="a week known"),
        pytest.param(3, 5, False, id="three days known"),
    ],
)
def test_four_of_five_windows_end_within_the_interval(known: int, left: int, by_weekday: bool) -> None:
    """Backtest: days drawn at random about their weekday's mean, 500 windows each."""
    chance, hits, times = random.Random(5), 0, 500
    for _ in range(times):
        drawn = [chance.gauss(BUSY[(MONDAY + ahead * DAY).weekday()] if by_weekday else 100, 15)
                 for ahead in range(-known, left)]  # fmt: skip
        found = foretold(dict(zip(days(known), drawn[:known], strict=True)), hours=24 * left, spent=0)
        hits += found.low <= sum(drawn[known:]) <= found.high
    assert hits / times == pytest.approx(0.8, abs=0.05)


def test_a_part_of_a_day_counts_by_its_usual_calls() -> None:
    at_night = [1 / 8] * 8 + [0.0] * 16
    (morning,) = stretches(MONDAY + 6 * HOUR, MONDAY + 12 * HOUR, at_night)
    assert morning.days == pytest.approx(2 / 8)


# One call of $0.00225 an hour, for ten days: a constant rate of $0.054 a day.
NOW = datetime(2025, 11, 8, 12, tzinfo=UTC)
EACH = Try("openai", "gpt")
USD = Decimal("0.00225")
WINDOWS = {
    "month": (datetime(2025, 11, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC)),
    "day": (datetime(2025, 11, 8, tzinfo=UTC), datetime(2025, 11, 9, tzinfo=UTC)),
    "total": (None, None),
}


def window(name: str) -> dict[str, Any]:
    start, end = WINDOWS[name]
    return {"window_start_ns": ns(start) if start else 0, "window_end_ns": ns(end) if end else 0}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    home = tmp_path_factory.mktemp("home")
    starts = [NOW - ahead * HOUR for ahead in range(240, 0, -1)]
    records = [call(seq, at, [EACH], caller="web" if seq % 2 else "mail") for seq, at in enumerate(starts)]
    records += [call(900 + seq, NOW - HOUR, [EACH], workspace="other") for seq in range(5)]
    ledger_of(home / "ledger.duckdb", records, [
        budget("b-month", limit=1, spent=0, **window("month")),
        budget("b-day", unit="tokens", limit=100_000, spent=13_200, **window("day")),
        budget("b-caller", unit="requests", limit=1000, spent=90, scope="caller", subject="web", **window("month")),
        budget("b-key", unit="requests", limit=1000, spent=245, scope="key", subject="openai-1", **window("total")),
    ])  # fmt: skip
    return open_source(home)


def test_budgets_stand_as_their_sidecar_said(source: Source) -> None:
    rows = {row["budget_id"]: row for row in budgets(source).to_dicts()}
    assert [(name, row["window"], row["unit"]) for name, row in sorted(rows.items())] == [
        ("b-caller", "month", "requests"), ("b-day", "day", "tokens"), ("b-key", "total", "requests"),
        ("b-month", "month", "usd")]  # fmt: skip
    assert (rows["b-day"]["remaining"], rows["b-day"]["used_share"]) == (Decimal(86_800), pytest.approx(0.132))


@pytest.mark.parametrize(
    ("name", "unit", "steps", "spent"),
    [
        pytest.param("b-month", "usd", 8, 180 * USD, id="money by the day, of its workspace only"),
        pytest.param("b-day", "tokens", 12, 12 * 1100, id="tokens by the hour"),
        pytest.param("b-caller", "requests", 8, 90, id="calls of one caller"),
        pytest.param("b-key", "requests", 11, 245, id="attempts with a key, of all workspaces"),
    ],
)
def test_a_course_comes_to_what_was_counted(source: Source, name: str, unit: str, steps: int, spent: Any) -> None:
    found = burn(source, name, unit, now=NOW)
    assert found.height == steps
    assert found["spent"][-1] == spent
    assert found["at"][-1] == NOW.replace(tzinfo=None)
    assert found["spent"].is_sorted()


@pytest.fixture(scope="module")
def everyday(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A week of calls, some unpriced, some at risk, a third of them of another workspace."""
    records = [replace(record, workspace="other" if record.seq % 3 == 0 else "default")
               for record in week(START + 7 * DAY, 300)]  # fmt: skip
    return ledger_of(tmp_path_factory.mktemp("home") / "ledger.duckdb", records)


SUBJECTS = {"workspace": "", "alias": "smart", "caller": "batch", "key": "openai-1"}


@pytest.mark.parametrize("workspace", ["default", "other"])
@pytest.mark.parametrize("hours", [36, 24 * 5], ids=["by the hour", "by the day"])
def test_a_course_counts_by_the_rule_that_budgets_are_opened_by(everyday: Path, workspace: str, hours: int) -> None:
    start, end = START + 30 * HOUR, START + (30 + hours) * HOUR
    ledger = Ledger(everyday)
    opened = {
        scope: budget_spent.budget_spent(ledger, budget_spent.Question(
            workspace, scope, subject, ns(start), ns(end), count_at_risk=True))
        for scope, subject in SUBJECTS.items()
    }  # fmt: skip
    ledger.close()
    for scope, spent in opened.items():
        counted = {"usd": to_usd(spent.picodollars), "tokens": spent.tokens, "requests": spent.requests}
        assert spent.requests > 0
        for unit, amount in counted.items():
            asked = {"unit": unit, "scope": scope, "workspace": workspace, "subject": SUBJECTS[scope]}
            rows = ask(everyday, course_question(asked, start, end))
            assert sum(row["perhaps"] for row in rows) == amount, (scope, unit)


def test_a_budget_that_is_not_there_has_no_course(source: Source) -> None:
    assert burn(source, "gone", "usd").columns == ["workspace", "at", "spent"]


def test_a_constant_rate_is_foretold_from_the_ledger(source: Source) -> None:
    rows = {row["budget_id"]: row for row in forecasts(source, now=NOW).to_dicts()}
    assert rows["b-day"]["at_end"] == pytest.approx(13_200 + 12 * 1100, rel=1e-3)
    assert rows["b-month"]["at_end"] == pytest.approx(22.5 * 24 * float(USD), rel=1e-3)
    assert rows["b-month"]["high"] == pytest.approx(rows["b-month"]["low"])
    assert rows["b-key"]["at_end"] is None
    assert rows["b-key"]["exhausted_at"] is not None


def test_a_window_that_is_over_stays_as_it_is(source: Source) -> None:
    later = forecasts(source, now=NOW + 2 * DAY).filter(budget_id="b-day")
    assert later.select("at_end", "low", "high").row(0) == (13_200,) * 3


def test_each_sidecar_has_its_own_row_and_part(tmp_path: Path) -> None:
    path, stated = tmp_path / "ledger.duckdb", [budget("b", limit=100, spent=3, **window("month"))]
    records = [call(seq, NOW - seq * HOUR, [EACH]) for seq in range(1, 240)]
    ledger_of(path, records, stated)
    ledger_of(path, [], stated, sidecar="sidecar-b")
    rows = forecasts(open_source(tmp_path), now=NOW)
    assert rows["sidecar_id"].to_list() == ["sidecar-a", "sidecar-b"]
    assert rows["method"].str.ends_with("in equal parts for 2 sidecars").all()
    assert rows["per_day"][0] == pytest.approx(0.054 / 2)


def test_no_budgets_are_no_rows(tmp_path: Path) -> None:
    ledger_of(tmp_path / "ledger.duckdb", [])
    assert forecasts(open_source(tmp_path), now=NOW).is_empty()
