"""Days that are unlike the days before: by workspace and provider, what was spent, sent, failed, and how long it took.

What is usual on a day is the median of up to 28 days before it; of those of the same weekday, as soon as there are 3 of
them. How far days stray is the median of their distances from what was usual (the MAD), scaled to a standard deviation,
and never less than chance alone would make it. A day is named from 5 times that distance on. Medians do not move for
the odd day, so last week's outlier does not hide this week's. Days are whole UTC days; one that is not over is marked,
and never named for how little it has.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.explained import explanation
from analytics.overview import frame
from analytics.period import Period
from analytics.question import Filters, Question
from analytics.usual import LOOK_BACK, usual

LEAST_ATTEMPTS = 50
"""On the day, or usually: less than that says nothing."""
FAR = 5.0
"""Times the usual distance."""
MEANS = {
    "value": "What the day came to, of one provider's attempts in one workspace.",
    "expected": "The median of the same weekday in the four weeks before; of all days where there are few of them.",
    "low": "Nothing under this line is usual: five times the usual distance below what is expected.",
    "high": "Nothing over this line is usual: five times the usual distance above what is expected.",
    "score": "How many usual distances the day is from what is expected; below 0: less than expected.",
    "partial": "The day is not over: only too much is told of, not too little.",
}
COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "day": pl.Date,
    "workspace": pl.String,
    "provider": pl.String,
    "measure": pl.String,
    "value": pl.Float64,
    "expected": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "score": pl.Float64,
    "partial": pl.Boolean,
    "explanation": pl.String,
}
_SUMS = ("attempts", "failed", "answered", "cost_usd", "ms")


@dataclass(frozen=True, slots=True)
class Sums:
    """A provider's day in a workspace."""

    attempts: int = 0
    failed: int = 0
    answered: int = 0
    cost_usd: Decimal = Decimal(0)
    ms: float = 0.0
    """Of the answered ones."""


class Measure(NamedTuple):
    """What is watched, and what chance alone does to it."""

    of: Callable[[Sums], float | None]
    chance: Callable[[float, float], float]
    """(expected, attempts expected) -> the least standard deviation to believe in."""
    least: float
    """A smaller difference is of no interest."""
    only_up: bool = False


MEASURES: Mapping[str, Measure] = {
    "cost_usd": Measure(lambda day: float(day.cost_usd), lambda usual, _: 0.05 * usual, 0.5),
    "attempts": Measure(lambda day: day.attempts, lambda usual, _: max(0.05 * usual, math.sqrt(usual)), 20),
    "error_share": Measure(
        lambda day: day.failed / day.attempts if day.attempts else None,
        lambda usual, attempts: max(0.005, math.sqrt(usual * (1 - usual) / max(attempts, 1))),
        0.02,
        only_up=True,
    ),
    "mean_ms": Measure(
        lambda day: day.ms / day.answered if day.answered else None,
        lambda usual, attempts: usual * max(0.05, 1 / math.sqrt(max(attempts, 1))),
        50,
        only_up=True,
    ),
}
"""A provider's attempts count, whoever answered the call: `attempts`, their cost, the share of them that failed, and
how long those took that succeeded."""


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A day that is unlike those before."""

    day: date
    workspace: str
    provider: str
    measure: str
    value: float
    expected: float
    low: float
    high: float
    score: float
    partial: bool
    days: Sequence[date]
    """Those that it was compared with."""


def days_question(start: datetime, end: datetime, filters: Filters | None = None) -> Question:
    """Columns: day, workspace, provider, alias, model, caller, then attempts, failed, answered, cost_usd, ms.

    Raises BadQuestion."""
    known = facts.attempts(start, end, filters)
    sql = f"""SELECT day, workspace, provider, alias, model, caller,
  CAST(sum(attempts) AS BIGINT) AS attempts,
  CAST(coalesce(sum(attempts) FILTER (status IN ('failed', 'abandoned')), 0) AS BIGINT) AS failed,
  CAST(coalesce(sum(attempts) FILTER (status = 'ok'), 0) AS BIGINT) AS answered,
  CAST(coalesce(sum(cost_usd), 0) AS DECIMAL(38, 12)) AS cost_usd,
  coalesce(sum(duration_ms) FILTER (status = 'ok'), 0) AS ms
FROM {known.sql} GROUP BY ALL"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, known.params)


def anomalies(
    source: Source, span: Period, filters: Filters | None = None, *, now: datetime | None = None, limit: int = 50
) -> pl.DataFrame:
    """COLUMNS: the `limit` farthest of the period's days, newest first. Figures are rounded, for judging by.

    Filters: those that attempts know (analytics.facts.NARROWED_BY). Raises BadQuestion."""
    now = now or datetime.now(UTC)
    first = span.start.replace(hour=0, minute=0, second=0, microsecond=0)
    until = min(span.end, now)
    days = frame(source, days_question(first - timedelta(days=LOOK_BACK), until, filters))
    found = sorted(unlike(days, first.date(), until), key=lambda each: -abs(each.score))[:limit]
    found.sort(key=lambda each: (-each.day.toordinal(), -abs(each.score)))
    rows = [{**_columns(each), "explanation": explanation(each, days)} for each in found]
    return pl.DataFrame(rows, schema=COLUMNS)


def unlike(days: pl.DataFrame, first: date, until: datetime) -> Iterator[Anomaly]:
    """Those of the days from `first` on that are unlike the ones before them. What is known ends at `until`, UTC."""
    last = (until - timedelta(microseconds=1)).date()
    summed = days.group_by("workspace", "provider", "day").agg(pl.col(_SUMS).sum()).sort("workspace", "provider", "day")
    for (workspace, provider), mine in summed.partition_by("workspace", "provider", as_dict=True).items():
        known = {row[0]: Sums(*row[1:]) for row in mine.select("day", *_SUMS).iter_rows()}
        course = {day: known.get(day, Sums()) for day in _days(min(known), last)}
        for day in _days(max(first, min(known)), last):
            partial = until < datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
            yield from _judged(str(workspace), str(provider), course, day, partial=partial)


def _judged(
    workspace: str, provider: str, course: Mapping[date, Sums], day: date, *, partial: bool
) -> Iterator[Anomaly]:
    earlier = {each: course[each] for each in _days(day - timedelta(days=LOOK_BACK), day - timedelta(days=1))
               if each in course}  # fmt: skip
    sent = usual({each: float(sums.attempts) for each, sums in earlier.items()}, day)
    if sent is None or max(course[day].attempts, sent.expected) < LEAST_ATTEMPTS:
        return
    for name, measure in MEASURES.items():
        value = measure.of(course[day])
        known = {each: was for each, sums in earlier.items() if (was := measure.of(sums)) is not None}
        before = usual(known, day)
        # A share of a handful is nobody's trouble.
        if value is None or before is None or (measure.only_up and course[day].attempts < LEAST_ATTEMPTS):
            continue
        volume = float(course[day].attempts) if measure.only_up else sent.expected
        spread = max(before.spread, measure.chance(before.expected, volume), measure.least / FAR)
        score = (value - before.expected) / spread
        if score >= FAR or (score <= -FAR and not partial and not measure.only_up):
            low, high = max(0.0, before.expected - FAR * spread), before.expected + FAR * spread
            yield Anomaly(
                day, workspace, provider, name, value, before.expected, low, high, score, partial, before.days
            )


def _days(first: date, last: date) -> Iterator[date]:
    for ahead in range((last - first).days + 1):
        yield first + timedelta(days=ahead)


def _columns(each: Anomaly) -> dict[str, Any]:
    """All but its days."""
    names = [name for name in COLUMNS if name != "explanation"]
    return dict(zip(names, astuple(each), strict=False))
