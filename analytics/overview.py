"""The whole at a glance: totals, and courses over time filled where nothing was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from analytics.answering import Source
from analytics.period import Period
from analytics.question import Filters, Question
from analytics.usage import usage_question

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


def filled(rows: pl.DataFrame, period: Period, values: Sequence[str]) -> pl.DataFrame:
    """One row for each time of the period's grain: `values` summed, 0 where no call was. Columns: at, *values."""
    step = {"minute": "1m", "hour": "1h", "day": "1d", "month": "1mo"}[grain(period)]
    start, end = (moment.replace(tzinfo=None) for moment in (period.start, period.end))
    times = pl.datetime_range(start, end, step, closed="left", eager=True, time_unit="us").dt.truncate(step)
    sums = rows.group_by("at").agg(pl.col(value).cast(pl.Float64).sum() for value in values)
    at = pl.concat([times, rows["at"].cast(pl.Datetime("us"))]).unique().alias("at")
    return at.to_frame().join(sums, on="at", how="left").fill_null(0).sort("at")


def coarser(course: pl.Series, most: int) -> pl.Series:
    """Sums of as few neighbours as leave at most `most` values; at the beginning the sum may be of fewer."""
    step = max(1, -(-len(course) // most))
    first = -len(course) % step
    groups = (pl.int_range(len(course), eager=True) + first) // step
    return (
        course.to_frame("course").group_by(groups.alias("group"), maintain_order=True).agg(pl.sum("course"))["course"]
    )
