"""The whole at a glance: totals, courses over time, and how providers did."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from analytics import facts, histograms
from analytics.answering import Source
from analytics.kinds import ATTEMPTS, LATENCIES
from analytics.period import Period
from analytics.question import Filters, Question
from analytics.usage import approximate, usage_question

Row = dict[str, Any]


def frame(source: Source, question: Question) -> pl.DataFrame:
    """An answer as a Polars frame; exact decimals stay decimals."""
    answer = pl.from_arrow(source.table(question.sql, question.params))
    if isinstance(answer, pl.Series):
        raise TypeError("an answer has columns")
    return answer


def totals(source: Source, period: Period, filters: Filters | None = None) -> Row:
    """The measures of usage over the whole period, in one row."""
    (row,) = frame(source, usage_question(period.start, period.end, (), filters)).to_dicts()
    return row


def grain(period: Period) -> str:
    """A dimension of time that draws the period in tens to a few hundred points."""
    for limit, name in ((timedelta(hours=4), "minute"), (timedelta(days=8), "hour"), (timedelta(days=400), "day")):
        if period.length <= limit:
            return name
    return "month"


def course_question(period: Period, by: str | None = None, filters: Filters | None = None) -> Question:
    """Measures by the period's grain and `by`. Times without any call are left out."""
    return usage_question(period.start, period.end, [grain(period), *([by] if by else [])], filters)


def course_of(answer: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The answer, its time (UTC, the grain's start) as column `at` whatever the grain."""
    return answer.rename({grain(period): "at"}).with_columns(pl.col("at").cast(pl.Datetime("us")))


def filled(rows: pl.DataFrame, period: Period, values: Sequence[str]) -> pl.DataFrame:
    """One row for each time of the period's grain: `values` summed, 0 where no call was. Columns: at, *values."""
    step = {"minute": "1m", "hour": "1h", "day": "1d", "month": "1mo"}[grain(period)]
    start, end = (moment.replace(tzinfo=None) for moment in (period.start, period.end))
    times = pl.datetime_range(start, end, step, closed="left", eager=True, time_unit="us").dt.truncate(step)
    sums = rows.group_by("at").agg(pl.col(value).cast(pl.Float64).sum() for value in values)
    at = pl.concat([times, rows["at"].cast(pl.Datetime("us"))]).unique().alias("at")
    return at.to_frame().join(sums, on="at", how="left").fill_null(0).sort("at")


def providers_question(start: datetime, end: datetime, filters: Filters | None = None) -> Question:
    """By provider, of the attempts there: attempts, failed, p50_ms and p95_ms of those that succeeded, most first.

    Percentiles are exact, or within 2 % where `analytics.usage.approximate` says so. Raises BadQuestion."""
    rows, by = facts.attempts(start, end, filters), ATTEMPTS.dimension("provider")
    if approximate(start, end, ("provider",), filters) and all(map(LATENCIES.knows, filters or {})):
        timed = histograms.percentiles(facts.latencies(start, end, {**(filters or {}), "measure": "attempt"}), [by])
    else:
        timed = histograms.exact(facts.timed(ATTEMPTS, start, end, filters), [by])
    sql = f"""WITH tried AS (
  SELECT provider, CAST(sum(attempts) AS BIGINT) AS attempts,
    CAST(coalesce(sum(attempts) FILTER (status IN ('failed', 'abandoned')), 0) AS BIGINT) AS failed
  FROM {rows.sql} GROUP BY ALL
), timed AS {timed.sql}
SELECT provider, attempts, failed, p50_ms, p95_ms FROM tried LEFT JOIN timed USING (provider)
ORDER BY attempts DESC, provider"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*rows.params, *timed.params))
