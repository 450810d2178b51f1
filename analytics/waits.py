"""How long calls took, as frames: out of bins for long periods, within 2 %; exactly for short ones, or where asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from analytics import histograms
from analytics.answering import Source
from analytics.latency import latency_question
from analytics.overview import frame, grain
from analytics.period import Period
from analytics.question import Filters
from analytics.usage import EXACT

LONGEST = timedelta(days=8)
"""Of a longer period no single calls are read, whoever asks."""
MEANS = {
    "duration": "From a request's arrival to its last byte, of answered calls.",
    "first_token": "From a request's arrival until the first content went to the caller, of answered streams.",
    "overhead": "Time spent in Taximeter itself: the duration less waiting for providers and back-off.",
    "p50_ms": "Half of them took at most this long.",
    "p95_ms": "95 of 100 took at most this long.",
    "p99_ms": "99 of 100 took at most this long.",
    "times": "Answered calls; by provider, those it answered.",
}
"""What each figure means, in a sentence."""
SHARES = ("p50_ms", "p95_ms", "p99_ms")


def from_bins(span: Period, filters: Filters | None = None, by: Sequence[str] = (), *, exactly: bool = False) -> bool:
    """Whether the percentiles are within 2 %, and not exact. What bins do not know is always read exactly."""
    wanted = exactly and span.length <= LONGEST
    return span.length > EXACT and not wanted and histograms.has({*(filters or {}), *by})


def waits(
    source: Source,
    span: Period,
    filters: Filters | None = None,
    measure: str = "duration",
    by: Sequence[str] = (),
    *,
    exactly: bool = False,
) -> pl.DataFrame:
    """Columns: `by`, times (answered calls), SHARES in ms; the most first. `measure`: duration, first_token or
    overhead. What was not timed is NULL. Raises BadQuestion."""
    if from_bins(span, filters, by, exactly=exactly):
        answer = frame(source, histograms.percentiles_question(span.start, span.end, measure, by, filters))
    else:
        exact = frame(source, latency_question(span.start, span.end, by, filters))
        names = {f"{measure}_{share}": share for share in SHARES}
        answer = exact.select(*by, pl.col("calls").alias("times"), *names).rename(names)
    return answer.sort("times", *by, descending=[True, *(False for _ in by)])


def course(
    source: Source,
    span: Period,
    filters: Filters | None = None,
    measure: str = "duration",
    *,
    exactly: bool = False,
) -> pl.DataFrame:
    """Over time: columns at (UTC), times, SHARES. Steps are the period's grain; out of bins, days at the finest."""
    usual = grain(span)
    binned = from_bins(span, filters, exactly=exactly)
    step = "day" if binned and usual in ("hour", "minute") else usual
    rows = waits(source, span, filters, measure, (step,), exactly=exactly)
    return rows.rename({step: "at"}).with_columns(pl.col("at").cast(pl.Datetime("us"))).sort("at")
