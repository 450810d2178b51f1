"""Providers beside each other, on like calls only.

Providers are asked different things, so their plain averages say little. Two of them are compared within strata: calls
of the same alias and operation whose prompts are of the same size (a class spans a factor of 4). Only strata count in
which both have enough attempts; each figure is the mean over these strata, weighted for both alike by what the two of
them had there together. An attempt that failed has no known prompt, so the share that succeeded is compared by alias
and operation alone. Calls that named a model instead of an alias are not compared.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.overview import frame
from analytics.period import Period
from analytics.question import BadQuestion, Filters, Question

LEAST = 30
"""Attempts that each of two providers needs in a stratum."""
SIDES = {"provider": "provider", "model": "provider || '/' || model"}
"""What can be compared: providers, or a provider's models."""
MEANS = {
    "attempts": "Requests to this provider in the calls that are compared, cancelled ones left out.",
    "success_share": "Share of these attempts that gave a whole answer, were both asked for the same aliases.",
    "p50_ms": "Half of the answers took at most this long, on calls of the same alias, operation and size of prompt.",
    "p95_ms": "95 of 100 answers took at most this long, on calls of the same alias, operation and size of prompt.",
    "mean_ms": "How long an answer took on average, on calls of the same alias, operation and size of prompt.",
    "usd_per_1k": "What 1,000 answers cost, on calls of the same alias, operation and size of prompt.",
    "usd_per_1m_tokens": "What a million tokens, input and output as they came, cost on these calls.",
    "overlap": "Share of this provider's answers that have their like at the other one. The rest is not compared.",
}
"""How good the answers were, no figure says."""
COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "pair": pl.String,
    "target": pl.String,
    "against": pl.String,
    "attempts": pl.Int64,
    "success_share": pl.Float64,
    "p50_ms": pl.Float64,
    "p95_ms": pl.Float64,
    "mean_ms": pl.Float64,
    "usd_per_1k": pl.Decimal(38, 12),
    "usd_per_1m_tokens": pl.Decimal(38, 12),
    "overlap": pl.Float64,
    "strata": pl.Int64,
}
_LIKE = ["alias", "operation", "prompt_class"]
_PAIR = ["left", "right"]


def strata_question(start: datetime, end: datetime, by: str = "provider", filters: Filters | None = None) -> Question:
    """Columns: alias, operation, prompt_class, target, attempts, answered, and of those answered ms, tokens, cost_usd,
    unpriced. Cancelled attempts are left out. Raises BadQuestion."""
    known = facts.attempts(start, end, filters)
    answered = "FILTER (status = 'ok')"
    sql = f"""SELECT alias, operation, prompt_class, {_side(by)} AS target,
  CAST(sum(attempts) AS BIGINT) AS attempts,
  CAST(coalesce(sum(attempts) {answered}, 0) AS BIGINT) AS answered,
  coalesce(sum(duration_ms) {answered}, 0) AS ms,
  CAST(coalesce(sum(input_tokens + output_tokens) {answered}, 0) AS BIGINT) AS tokens,
  CAST(coalesce(sum(cost_usd) {answered}, 0) AS DECIMAL(38, 12)) AS cost_usd,
  CAST(coalesce(sum(unpriced_attempts) {answered}, 0) AS BIGINT) AS unpriced
FROM {known.sql} WHERE status <> 'cancelled' AND alias <> '' GROUP BY ALL"""  # noqa: S608 - pieces of this package
    return Question(sql, known.params)


def times_question(start: datetime, end: datetime, by: str = "provider", filters: Filters | None = None) -> Question:
    """Columns: alias, operation, prompt_class, target, ms (a bin's middle), times. Raises BadQuestion."""
    known = facts.latencies(start, end, {**(filters or {}), "measure": "attempt"})
    sql = f"""SELECT alias, operation, prompt_class, {_side(by)} AS target, latency_ms(bin) AS ms,
  CAST(sum(times) AS BIGINT) AS times
FROM {known.sql} WHERE alias <> '' GROUP BY ALL"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, known.params)


def compared(
    source: Source, span: Period, filters: Filters | None = None, *, by: str = "provider", least: int = LEAST
) -> pl.DataFrame:
    """COLUMNS: two rows a pair that has like calls, the pairs with most of them first.

    `by`: SIDES. Money is NULL where a price is unknown, percentiles where no time is. Filters: those that latencies
    know (analytics.facts.NARROWED_BY). Raises BadQuestion."""
    times = frame(source, times_question(span.start, span.end, by, filters))
    strata = frame(source, strata_question(span.start, span.end, by, filters))
    return side_by_side(strata, times, least)


def side_by_side(strata: pl.DataFrame, times: pl.DataFrame, least: int = LEAST) -> pl.DataFrame:
    """The answers of `strata_question` and `times_question`, judged. COLUMNS."""
    like = _shared(strata.filter(pl.col("answered") > 0), _LIKE, "answered", least)
    if like.is_empty():
        return pl.DataFrame(schema=COLUMNS)
    tried = _shared(strata.group_by("alias", "operation", "target").agg(pl.col("attempts", "answered").sum()),
                    ["alias", "operation"], "attempts", least)  # fmt: skip
    answers = dict(strata.group_by("target").agg(pl.col("answered").sum()).iter_rows())
    rows = []
    for (left, right, target), mine in sorted(like.partition_by([*_PAIR, "target"], as_dict=True).items()):
        asked = tried.filter((pl.col("left") == left) & (pl.col("right") == right) & (pl.col("target") == target))
        rows.append({
            "pair": f"{left} / {right}",
            "target": target,
            "against": right if target == left else left,
            "attempts": asked["attempts"].sum(),
            "success_share": _mean(asked, pl.col("answered") / pl.col("attempts")),
            **_percentiles(mine, times),
            "mean_ms": _mean(mine, pl.col("ms") / pl.col("answered")),
            **_money(mine),
            "overlap": mine["answered"].sum() / answers[target],
            "strata": mine.height,
        })  # fmt: skip
    drawn = pl.DataFrame(rows, schema=COLUMNS)
    return drawn.sort(pl.col("attempts").sum().over("pair"), "pair", "target", descending=[True, False, False])


def _side(by: str) -> str:
    if by not in SIDES:
        raise BadQuestion(f"cannot compare by {by!r}; there are: {', '.join(SIDES)}")
    return SIDES[by]


def _shared(strata: pl.DataFrame, like: list[str], size: str, least: int) -> pl.DataFrame:
    """Each pair's strata in which both have `least`; a row a side. New: left, right, weight (the size of both)."""
    enough = strata.filter(pl.col(size) >= least)
    pairs = enough.join(enough.select(*like, other="target", others=size), on=like, how="inner")
    return pairs.filter(pl.col("target") != pl.col("other")).with_columns(
        left=pl.min_horizontal("target", "other"),
        right=pl.max_horizontal("target", "other"),
        weight=pl.col(size) + pl.col("others"),
    )


def _mean(mine: pl.DataFrame, of: pl.Expr) -> float | None:
    """Over the strata, by weight."""
    if mine.is_empty():
        return None
    return float(mine.select((of * pl.col("weight")).sum() / pl.col("weight").sum()).item())


def _percentiles(mine: pl.DataFrame, times: pl.DataFrame) -> dict[str, float | None]:
    """Of the times of each stratum as if it had the weight of both sides."""
    timed = mine.select(*_LIKE, "target", "weight").join(times, on=[*_LIKE, "target"], how="inner")
    weighed = timed.with_columns(mass=pl.col("weight") * pl.col("times") / pl.col("times").sum().over(_LIKE))
    course = weighed.group_by("ms").agg(pl.col("mass").sum()).sort("ms").with_columns(pl.col("mass").cum_sum())
    whole = course["mass"].max() if course.height else None
    return {f"p{percent}_ms": _reached(course, whole, percent / 100) for percent in (50, 95)}


def _reached(course: pl.DataFrame, whole: Any, share: float) -> float | None:
    """The first time by which this share of all is over."""
    if whole is None:
        return None
    # Sums of floats: the last bin may miss the whole by its last digit.
    return float(course.filter(pl.col("mass") >= share * float(whole) * (1 - 1e-12))["ms"][0])


def _money(mine: pl.DataFrame) -> dict[str, Decimal | None]:
    """Exact but for the last division; unknown as soon as one price is."""
    if mine["unpriced"].sum():
        return {"usd_per_1k": None, "usd_per_1m_tokens": None}
    parts = [(row["weight"], row["answered"], row["cost_usd"], row["tokens"]) for row in mine.iter_rows(named=True)]
    weights = sum(weight for weight, *_ in parts)
    cost = sum((weight * cost / answered for weight, answered, cost, _ in parts), Decimal(0))
    tokens = sum((weight * Decimal(count) / answered for weight, answered, _, count in parts), Decimal(0))
    return {
        "usd_per_1k": _cut(1000 * cost / weights),
        "usd_per_1m_tokens": _cut(1_000_000 * cost / tokens) if tokens else None,
    }


def _cut(amount: Decimal) -> Decimal:
    """To the digits that a ledger's money has."""
    return amount.quantize(Decimal("1e-12"))
