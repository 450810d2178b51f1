"""The measures of usage as frames: by dimensions, and as courses over time."""

from __future__ import annotations

import polars as pl

from analytics import facts, overview, ranking
from analytics.answering import Source
from analytics.chargeback import Chargeback, chargeback
from analytics.period import Period
from analytics.question import Filters, Question
from analytics.usage import usage_question


def sums(source: Source, span: Period, filters: Filters | None = None, *by: str) -> pl.DataFrame:
    """The measures by these dimensions (none: one row), the dearest first. Columns: `by`, MEASURES. BadQuestion."""
    return overview.frame(source, usage_question(span.start, span.end, by, filters))


def course(
    source: Source,
    span: Period,
    filters: Filters | None = None,
    by: str | None = None,
    grain: str | None = None,
    *,
    timed: bool = False,
) -> pl.DataFrame:
    """The measures over time. Columns: at, `by`, MEASURES. `grain`: one of time's dimensions, else the period's own.

    Times without any call are left out. Not `timed`: without percentiles, and sooner. Raises BadQuestion."""
    step = grain or overview.grain(span)
    asked = usage_question(span.start, span.end, [step, *([by] if by else [])], filters, timed=timed)
    rows = overview.frame(source, asked)
    return rows.rename({step: "at"}).with_columns(pl.col("at").cast(pl.Datetime("us")))


def tried_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: provider, attempts, failed; the most attempts first. BadQuestion."""
    of = facts.attempts(span.start, span.end, filters)
    sql = f"""SELECT provider, CAST(sum(attempts) AS BIGINT) AS attempts,
  CAST(coalesce(sum(attempts) FILTER (status IN ('failed', 'abandoned')), 0) AS BIGINT) AS failed
FROM {of.sql} GROUP BY ALL ORDER BY attempts DESC, provider"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, of.params)


def tried(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """How often each provider was tried, and failed. Raises BadQuestion."""
    return overview.frame(source, tried_question(span, filters))


def dearest(source: Source, span: Period, filters: Filters | None = None, by: str = "caller") -> pl.DataFrame:
    """Who or what cost most, and how that has changed: `ranking.top`. Raises BadQuestion."""
    return ranking.top(source, span, by, filters)


def charged(source: Source, span: Period, filters: Filters | None = None, by: str = "workspace") -> Chargeback:
    """Who is to be charged what. Raises BadQuestion."""
    return chargeback(source, span, [by], filters)
