"""Fallbacks: how often calls moved on to another target, from whom to whom, why, and what that cost and saved.

A call fell back if a failed attempt, a spent budget or an open circuit moved it on. Calls are counted once, by their
alias; moves are counted by pair of targets, so a call that went through three of them is in two. What was lost is the
time and the money of the attempts that a call left behind; where a whole chain failed, the last attempt's are not in
it, as nobody moved on from there.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.courses import calls_in_steps, share
from analytics.kinds import CALLS
from analytics.overview import frame
from analytics.period import Period
from analytics.question import BadQuestion, Filters, Question
from analytics.unit_prices import mean_prices, prices_question
from analytics.usage import ERRORS

RESCUE_NARROWED_BY = (facts.NARROWED_BY["fallbacks"] & facts.NARROWED_BY["calls"]) - {"provider", "model"}
"""Filters of `rescue`. A provider is not among them: a call that failed was answered by none."""
MEANS = {
    "calls": "Calls that are over, whether or not they fell back.",
    "fallbacks": "Calls that moved on to another target because one failed, was over budget or switched off.",
    "fallback_rate": "Share of the calls that fell back.",
    "moves": "Steps from one provider and model to another. A call that tried three has two.",
    "rescued": "Calls that fell back and were answered; of a pair, moves in calls that were answered in the end.",
    "failed": "Calls that fell back and were not answered, although the caller waited.",
    "cancelled": "Calls that fell back and that the caller gave up.",
    "rescue_rate": "Of the calls that fell back and whose caller waited, the share that was answered.",
    "reason": "Why the target was left: its error, or a budget that was spent, or a circuit that was open.",
    "lost_ms": "Time spent in the targets that were left. Callers waited that much longer.",
    "lost_ms_mean": "Time spent in targets that were left, retries there included, for a call that fell back.",
    "lost_usd": "Cost of the attempts that were left: paid for, and not used. Empty where none of it has a price.",
    "lost_at_risk_usd": "What providers may have billed for attempts that were left before their usage was known.",
    "price_difference_usd": (
        "What answering elsewhere cost more (less, if negative): rescued moves, each at the mean cost of an attempt at "
        "the new target less that of the same tokens at the old one's mean prices. Unknown if either price is."
    ),
}
"""What each figure means, in a sentence."""

_ENDS = f"""CAST(coalesce(sum(fallbacks) FILTER (status = 'ok'), 0) AS BIGINT) AS rescued,
  CAST(coalesce(sum(fallbacks) FILTER (status IN {ERRORS}), 0) AS BIGINT) AS failed,
  CAST(coalesce(sum(fallbacks) FILTER (status = 'cancelled'), 0) AS BIGINT) AS cancelled"""
_COUNTED = f"""CAST(coalesce(sum(calls), 0) AS BIGINT) AS calls,
  CAST(coalesce(sum(fallbacks), 0) AS BIGINT) AS fallbacks,
  {_ENDS}"""
_LOST = """coalesce(sum(lost_ms), 0) AS lost_ms, CAST(sum(lost_usd) AS DECIMAL(38, 12)) AS lost_usd,
  CAST(coalesce(sum(lost_at_risk_usd), 0) AS DECIMAL(38, 12)) AS lost_at_risk_usd"""
_MOVED = f"""CAST(sum(moves) AS BIGINT) AS moves,
  CAST(coalesce(sum(moves) FILTER (status = 'ok'), 0) AS BIGINT) AS rescued,
  CAST(coalesce(sum(moves) FILTER (status IN {ERRORS}), 0) AS BIGINT) AS failed,
  CAST(coalesce(sum(moves) FILTER (status = 'cancelled'), 0) AS BIGINT) AS cancelled"""


def flows(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """From whom to whom, the most first. Columns: those of `flows_question`, rescue_rate,
    price_difference_usd (DECIMAL(38, 12), NULL where unknown: see MEANS).

    Along a chain the differences add up to that of its ends. Raises BadQuestion."""
    moved = frame(source, flows_question(span, filters))
    own = {name: wanted for name, wanted in (filters or {}).items() if name == "workspace"}
    prices = mean_prices(frame(source, prices_question(span, own)))
    dearer = [
        prices.dearer((row["from_provider"], row["from_model"]), (row["to_provider"], row["to_model"]), row["rescued"])
        for row in moved.iter_rows(named=True)
    ]
    difference = pl.Series("price_difference_usd", dearer, dtype=pl.Decimal(38, 12))
    return moved.with_columns(_rescue_rate(), difference)


def flows_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: from_provider, from_model, to_provider, to_model, reason, moves, rescued, failed, cancelled, lost_ms,
    lost_usd, lost_at_risk_usd. Without retries on the same target, which are in `rescue` and `reasons`.

    Raises BadQuestion."""
    steps = facts.fallbacks(span.start, span.end, filters)
    sql = f"""SELECT from_provider, from_model, to_provider, to_model, reason, {_MOVED}, {_LOST}
FROM {steps.sql} GROUP BY ALL HAVING sum(moves) > 0
ORDER BY moves DESC, from_provider, from_model, to_provider, to_model, reason"""  # noqa: S608 - pieces of this package
    return Question(sql, steps.params)


def reasons(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """Why, the most first. Columns: those of `reasons_question`, share (of the moves), rescue_rate. BadQuestion."""
    return frame(source, reasons_question(span, filters)).with_columns(share("moves").alias("share"), _rescue_rate())


def reasons_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: reason, moves, rescued, failed, cancelled, lost_ms, lost_usd, lost_at_risk_usd. What was lost in
    retries is in it, so that a reason can have no moves. Raises BadQuestion."""
    steps = facts.fallbacks(span.start, span.end, filters)
    sql = f"""SELECT reason, {_MOVED}, {_LOST}
FROM {steps.sql} GROUP BY ALL ORDER BY moves DESC, reason"""  # noqa: S608 - pieces of this package
    return Question(sql, steps.params)


def rescue(
    source: Source, span: Period, filters: Filters | None = None, by: Sequence[str] = ("alias",)
) -> pl.DataFrame:
    """How often each alias fell back and how that ended, the most first; `by` () gives one row, the whole.

    Columns: those of `rescue_question`, fallback_rate, rescue_rate, lost_ms_mean (NULL of nothing). BadQuestion."""
    return frame(source, rescue_question(span, filters, by)).with_columns(
        pl.when(pl.col("calls") > 0).then(pl.col("fallbacks") / pl.col("calls")).alias("fallback_rate"),
        _rescue_rate(),
        pl.when(pl.col("fallbacks") > 0).then(pl.col("lost_ms") / pl.col("fallbacks")).alias("lost_ms_mean"),
    )


def rescue_question(span: Period, filters: Filters | None = None, by: Sequence[str] = ("alias",)) -> Question:
    """Columns: `by`, calls, fallbacks, rescued, failed, cancelled (calls), lost_ms, lost_usd, lost_at_risk_usd.

    `by` and filters: of RESCUE_NARROWED_BY. Raises BadQuestion."""
    if unknown := [name for name in (*by, *(filters or {})) if name not in RESCUE_NARROWED_BY]:
        known = ", ".join(sorted(RESCUE_NARROWED_BY))
        raise BadQuestion(f"rescues are not known by {unknown[0]!r}; they are by: {known}")
    calls = facts.calls(span.start, span.end, filters)
    steps = facts.fallbacks(span.start, span.end, filters)
    columns = "".join(f"{name}, " for name in by)
    grouped = " GROUP BY ALL" if by else ""
    join = f"LEFT JOIN lost USING ({', '.join(by)})" if by else "CROSS JOIN lost"
    order = ", ".join(["fallbacks DESC", "calls DESC", *by])
    sql = f"""WITH counted AS (SELECT {columns}{_COUNTED} FROM {calls.sql}{grouped}),
lost AS (SELECT {columns}count(*) AS steps, {_LOST} FROM {steps.sql}{grouped})
SELECT counted.*, coalesce(lost_ms, 0) AS lost_ms,
  CAST(CASE WHEN steps > 0 THEN lost_usd ELSE 0 END AS DECIMAL(38, 12)) AS lost_usd,
  CAST(coalesce(lost_at_risk_usd, 0) AS DECIMAL(38, 12)) AS lost_at_risk_usd
FROM counted {join} ORDER BY {order}"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*calls.params, *steps.params))


def course(source: Source, span: Period, filters: Filters | None = None, by: str = "alias") -> pl.DataFrame:
    """Over time. Columns: at (the step's start, UTC; `overview.grain` says how long), `by` (of calls: alias,
    fallback_reason, caller …), calls, fallbacks, rescued, failed, cancelled. Raises BadQuestion."""
    return frame(source, course_question(span, filters, by))


def course_question(span: Period, filters: Filters | None = None, by: str = "alias") -> Question:
    """As `course`. Raises BadQuestion."""
    asked = CALLS.dimension(by)
    calls, step = calls_in_steps(span, [by], filters)
    sql = f"""SELECT {step} AS "at", {asked.selected}, {_COUNTED}
FROM {calls.sql} GROUP BY ALL ORDER BY "at", {asked.column}"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*asked.params, *calls.params))


def _rescue_rate() -> pl.Expr:
    waited = pl.col("rescued") + pl.col("failed")
    return pl.when(waited > 0).then(pl.col("rescued") / waited).alias("rescue_rate")
