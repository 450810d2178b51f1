"""Budgets as sidecars last stated them, how they got there, and what they come to by the end of their windows.

Every sidecar holds its own budgets, so there is a row for each that does. The course of a window is that of the ledger,
of all sidecars. It counts what budgets count (docs/budgets.md, "What is counted"), by the start of the calls. Whether a
budget counts what is at risk, no sidecar's statement says: the course has it if that comes nearer to what is stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.kinds import ATTEMPTS, CALLS
from analytics.overview import frame
from analytics.question import Question

FINE = timedelta(days=2)
"""A window of which no more is over is drawn by the hour."""
UNITS = ("usd", "tokens", "requests")
MEANS = {
    "limit": "What the budget lets pass in its window.",
    "spent": "What the sidecar has counted in this window; exact for each sidecar.",
    "held": "What calls under way may still come to, at most.",
    "remaining": "The limit less what is spent and held, never below 0.",
    "used_share": "Spent, as a share of the limit.",
    "alerted": "The highest threshold that was passed in this window: soft, or hard (the limit).",
}
_DECIMAL = pl.Decimal(38, 12)
COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("sidecar_id", "budget_id", "name", "workspace", "scope", "subject", "window"), pl.String),
    **dict.fromkeys(("window_start", "window_end"), pl.Datetime("us")),
    "unit": pl.String,
    **dict.fromkeys(("limit", "spent", "held", "remaining"), _DECIMAL),
    "used_share": pl.Float64,
    "alerted": pl.String,
    "at": pl.Datetime("us"),
}
"""Of `budgets`: a row a sidecar, budget and unit. Amounts of all units are decimals; times are UTC without a zone."""
_STATES = """SELECT s.*, CASE WHEN bool_or(a.threshold = 'hard') THEN 'hard' WHEN bool_or(a.threshold = 'soft')
    THEN 'soft' ELSE '' END AS alerted
FROM ai_budget_states AS s LEFT JOIN ai_budget_alerts AS a
  ON a.budget_id = s.budget_id AND a.window_start IS NOT DISTINCT FROM s.window_start
GROUP BY ALL ORDER BY s.workspace, s.name, s.budget_id, s.sidecar_id"""
_SCOPES = {"workspace": None, "alias": "alias", "caller": "caller", "key": "key"}
"""Scope -> the filter that its subject is of."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def budgets(source: Source) -> pl.DataFrame:
    """COLUMNS: all budgets as they stand."""
    states = frame(source, Question(_STATES))
    rows = [_row(state, unit) for state in states.iter_rows(named=True) for unit in UNITS
            if state[f"limit_{unit}"] is not None]  # fmt: skip
    return pl.DataFrame(rows, schema=COLUMNS)


def _row(state: Mapping[str, Any], unit: str) -> dict[str, Any]:
    limit, spent, held = (Decimal(state[f"{name}_{unit}"]) for name in ("limit", "spent", "held"))
    own = {name: state[name] for name in COLUMNS if name in state}
    return {
        **own,
        "window": _window(state["window_start"], state["window_end"]),
        "unit": unit,
        "limit": limit,
        "spent": spent,
        "held": held,
        "remaining": max(Decimal(0), limit - spent - held),
        "used_share": float(spent / limit) if limit else None,
    }


def _window(start: datetime | None, end: datetime | None) -> str:
    """A day has up to 25 hours, on which clocks are set."""
    if start is None or end is None:
        return "total"
    length = end - start
    return "day" if length < timedelta(days=2) else "week" if length < timedelta(days=9) else "month"


def burn(source: Source, budget_id: str, unit: str, *, now: datetime | None = None) -> pl.DataFrame:
    """The course of a budget's window, from the ledger: columns workspace, at (end of each hour or day), spent (all
    since the window began), in steps of an hour for days and of a day for longer ones. Empty for a budget that is not
    there."""
    stated = budgets(source).filter((pl.col("budget_id") == budget_id) & (pl.col("unit") == unit)).head(1)
    if stated.is_empty():
        return pl.DataFrame(schema=_COURSE)
    (budget,) = stated.to_dicts()
    now = now or datetime.now(UTC)
    end = min(now, utc(budget["window_end"]) or now)
    steps = frame(source, course_question(budget, utc(budget["window_start"]) or _EPOCH, end))
    sums = steps.sort("at").select(
        pl.lit(budget["workspace"]).alias("workspace"),
        pl.min_horizontal("at", pl.lit(end.replace(tzinfo=None))).cast(pl.Datetime("us")).alias("at"),
        pl.col("surely", "perhaps").cum_sum(),
    )
    return sums.select("workspace", "at", spent=_nearer(sums, budget["spent"]))


_COURSE: dict[str, pl.DataType | type[pl.DataType]] = {
    "workspace": pl.String,
    "at": pl.Datetime("us"),
    "spent": _DECIMAL,
}


def _nearer(sums: pl.DataFrame, stated: Decimal) -> pl.Expr:
    """With what is at risk, or without: whichever ends nearer to what the sidecar states."""
    if sums.is_empty():
        return pl.col("surely")
    surely, perhaps = sums.select("surely", "perhaps").row(-1)
    return pl.col("perhaps" if abs(perhaps - stated) < abs(surely - stated) else "surely")


def course_question(budget: Mapping[str, Any], start: datetime, end: datetime) -> Question:
    """Columns: at (end of a step in which anything was counted), surely, perhaps (with what is at risk). `budget`: of
    COLUMNS, its unit, scope, subject and workspace."""
    fine = end - start <= FINE
    step, at = ("hour", "started_at") if fine else ("day", "day")
    asked = whose(budget["scope"], budget["workspace"], budget["subject"])
    if budget["unit"] == "requests" and budget["scope"] != "key":
        # Days do not tell which calls sent anything.
        known, at, sure, risk = facts.timed(CALLS, start, end, asked), "started_at", "calls", "0"
        where = " WHERE attempts > 0"
    else:
        known = facts.timed(ATTEMPTS, start, end, asked) if fine else facts.attempts(start, end, asked)
        (sure, risk), where = _COUNTED[budget["unit"]], ""
    sql = f"""SELECT date_trunc('{step}', CAST({at} AS TIMESTAMP)) + INTERVAL 1 {step} AS at,
  CAST(coalesce(sum({sure}), 0) AS DECIMAL(38, 12)) AS surely,
  CAST(coalesce(sum({sure}), 0) + coalesce(sum({risk}), 0) AS DECIMAL(38, 12)) AS perhaps
FROM {known.sql}{where} GROUP BY ALL"""  # noqa: S608 - pieces of this module, no values
    return Question(sql, known.params)


_COUNTED = {
    "usd": ("cost_usd", "cost_at_risk_usd"),
    "tokens": ("input_tokens + output_tokens", "0"),
    "requests": ("attempts", "0"),
}
"""Unit -> what an attempt counts, and what more where it is not known what became of it. Of tokens at risk the ledger
keeps no sums."""


def whose(scope: str, workspace: str, subject: str) -> dict[str, str]:
    """Filters: whose calls, or attempts, a budget counts. A key's of the workspace default counts those of all."""
    subjects = {} if (name := _SCOPES[scope]) is None else {name: subject}
    return subjects if scope == "key" and workspace == "default" else {"workspace": workspace, **subjects}


def utc(at: datetime | None) -> datetime | None:
    """A time of the ledger, with its zone."""
    return at.replace(tzinfo=UTC) if at else None
