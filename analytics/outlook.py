"""What every budget comes to by the end of its window, from the ledger's finished days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.burn import COLUMNS, budgets, utc, whose
from analytics.forecast import EVEN, Forecast, forecast, stretches
from analytics.overview import frame
from analytics.question import Question

LOOK_BACK = timedelta(days=28)
"""Finished days that a forecast is drawn from."""
AHEAD = timedelta(days=365)
"""How far is looked for the exhaustion of a budget whose window never ends."""
MEANS = {
    "per_day": "What a day comes to: the mean of the finished days of the last four weeks.",
    "at_end": "What the window comes to if days go on like those of the last four weeks. No limit holds it back here.",
    "low": "Lower end of the 80 % interval: four of five windows like this one end between the two.",
    "high": "Upper end of the 80 % interval: four of five windows like this one end between the two.",
    "exhausted_at": "When the limit is reached if it goes on so (UTC). None: not in this window.",
    "method": "How the forecast was made, and from how much.",
}
FORETOLD: dict[str, pl.DataType | type[pl.DataType]] = {
    **COLUMNS,
    **dict.fromkeys(("per_day", "at_end", "low", "high"), pl.Float64),
    "exhausted_at": pl.Datetime("us"),
    "method": pl.String,
}
"""Of `forecasts`. Estimates are floats."""
_SUBJECTS = {"alias": "alias", "caller": "caller", "key": "key_id", "workspace": "workspace"}
"""Filter -> column of the history."""


def history_question(start: datetime, end: datetime) -> Question:
    """Columns: day, workspace, caller, alias, key_id, usd (what is at risk, too), tokens, attempts. BadQuestion."""
    known = facts.attempts(start, end)
    sql = f"""SELECT day, workspace, caller, alias, key_id,
  CAST(coalesce(sum(cost_usd), 0) + sum(cost_at_risk_usd) AS DOUBLE) AS usd,
  CAST(sum(input_tokens + output_tokens) AS DOUBLE) AS tokens, CAST(sum(attempts) AS DOUBLE) AS attempts
FROM {known.sql} GROUP BY ALL"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, known.params)


def calls_question(start: datetime, end: datetime) -> Question:
    """Columns: day, workspace, caller, alias, requests: calls that were not refused. Raises BadQuestion."""
    known = facts.calls(start, end)
    sql = f"""SELECT day, workspace, caller, alias, CAST(sum(calls) AS DOUBLE) AS requests
FROM {known.sql} WHERE status <> 'refused' GROUP BY ALL"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, known.params)


def profile_question(start: datetime, end: datetime) -> Question:
    """Columns: day, workspace, hour (0 to 23, UTC), calls. Raises BadQuestion."""
    known = facts.hours(start, end)
    sql = f"""SELECT CAST(hour AS DATE) AS day, workspace, CAST(hour(hour) AS BIGINT) AS hour,
  CAST(sum(calls) AS DOUBLE) AS calls
FROM {known.sql} GROUP BY ALL"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, known.params)


def forecasts(source: Source, *, now: datetime | None = None) -> pl.DataFrame:
    """FORETOLD: all budgets, with what they come to. What several sidecars count is foretold in equal parts."""
    stated = budgets(source)
    if stated.is_empty():
        return pl.DataFrame(schema=FORETOLD)
    now = now or datetime.now(UTC)
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    attempts, calls, hours = (
        frame(source, question(today - LOOK_BACK, today))
        for question in (history_question, calls_question, profile_question)
    )
    rows = []
    for budget in stated.iter_rows(named=True):
        sidecars = stated.filter(pl.col("budget_id") == budget["budget_id"])["sidecar_id"].n_unique()
        of_calls = budget["unit"] == "requests" and budget["scope"] != "key"
        days = history(budget, calls if of_calls else attempts, today.date(), sidecars)
        told = foretold(budget, days, profile(budget, hours, today.date()), now)
        rows.append({**budget, **_figures(told, sidecars)})
    return pl.DataFrame(rows, schema=FORETOLD)


def history(budget: Mapping[str, Any], rows: pl.DataFrame, today: date, sidecars: int = 1) -> dict[date, float]:
    """What each finished day counted, days of nothing included, for one of the sidecars."""
    unit = "attempts" if budget["unit"] == "requests" and budget["scope"] == "key" else budget["unit"]
    asked = whose(budget["scope"], budget["workspace"], budget["subject"])
    mine = rows.filter(*(pl.col(_SUBJECTS[name]) == value for name, value in asked.items()))
    known = dict(mine.group_by("day").agg(pl.col(unit).sum()).iter_rows())
    if not known:
        return {}
    first = _whole(min(known), today)
    days = (first + timedelta(days=ahead) for ahead in range((today - first).days))
    return {day: known.get(day, 0.0) / sidecars for day in days}


def _whole(first: date, today: date) -> date:
    """The first whole day of something: on the day of its first call it may have begun at any hour."""
    return first if first <= today - LOOK_BACK else first + timedelta(days=1)


def profile(budget: Mapping[str, Any], hours: pl.DataFrame, today: date) -> Sequence[float]:
    """The share of a day's calls in each hour, of the budget's workspace; EVEN where it had none."""
    asked = whose(budget["scope"], budget["workspace"], budget["subject"])
    mine = hours.filter(pl.col("workspace") == asked["workspace"]) if "workspace" in asked else hours
    first: Any = mine["day"].min()
    mine = mine.filter(pl.col("day") >= _whole(first, today)) if first else mine
    known = dict(mine.group_by("hour").agg(pl.col("calls").sum()).iter_rows())
    whole = sum(known.values())
    return [known.get(hour, 0.0) / whole for hour in range(24)] if whole else EVEN


def foretold(budget: Mapping[str, Any], days: Mapping[date, float], shares: Sequence[float], now: datetime) -> Forecast:
    """Of one row of `budgets`."""
    start, end, spent = utc(budget["window_start"]), utc(budget["window_end"]), float(budget["spent"])
    if end is not None and end <= now:
        return Forecast(None, spent, spent, spent, None, "the window is over, and no sidecar has begun the next one")
    return forecast(
        days,
        stretches(now, end or now + AHEAD, shares),
        spent=spent,
        limit=float(budget["limit"]),
        over=(now - start) / timedelta(days=1) if start else 0.0,
        ends=end is not None,
    )


def _figures(told: Forecast, sidecars: int) -> dict[str, Any]:
    shared = f", in equal parts for {sidecars} sidecars" if sidecars > 1 else ""
    return {
        "per_day": told.per_day,
        "at_end": told.at_end,
        "low": told.low,
        "high": told.high,
        "exhausted_at": told.exhausted_at.replace(tzinfo=None) if told.exhausted_at else None,
        "method": told.method + shared,
    }
