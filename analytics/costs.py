"""Costs: what was paid for by meter, what tokens there were, where prices come from, and how it went over time.

The cache, doubts and the ranking are in modules of their own, and asked for here.
"""

from __future__ import annotations

import polars as pl

from analytics import caching, facts
from analytics.answering import Source
from analytics.caching import cache
from analytics.courses import money_in_steps, money_step, share
from analytics.doubts import doubted_calls, doubts
from analytics.kinds import ATTEMPTS
from analytics.overview import frame
from analytics.period import Period
from analytics.question import Filters, Question
from analytics.ranking import top
from analytics.unit_prices import Charged

__all__ = [
    "MEANS",
    "UNITS",
    "by_meter",
    "by_meter_question",
    "cache",
    "course",
    "course_question",
    "doubted_calls",
    "doubts",
    "money_step",
    "provenance",
    "provenance_question",
    "token_mix",
    "token_mix_question",
    "top",
]

UNITS = {"requests": "requests", "images": "images", "characters": "characters", "milliseconds": "milliseconds",
         "provider_cost": ""}  # fmt: skip
"""What a meter counts, if not tokens. "": what a provider states as billed has no quantity beside its dollars."""
MEANS = {
    **caching.MEANS,
    "meter": "What is counted. Meters do not overlap: input here is the uncached part.",
    "quantity": "How much of it was charged for. Usage without a price is not in it.",
    "cost_usd": "US dollars, of every attempt, at the prices of the day of the call. What has no price is not in it.",
    "usd_per_million": "What a million of them cost on average, by quantity.",
    "share": "Part of the whole, in the period and with the filters chosen.",
    "tokens": "Tokens of all attempts. Kinds do not overlap: input is the uncached part, output is without reasoning.",
    "price_source": (
        "Where the price came from: the public price list, your own overrides, the provider's bill, or declared free."
    ),
    "price_version": "Which edition of that source.",
    "attempts": "Requests to providers with a cost from there.",
    "unpriced": "Requests with usage for which no price is known. Their cost is unknown, not zero.",
    "estimated": "Requests whose usage no provider reported, so that it was estimated from their size.",
    "at_risk": "Requests that broke before their usage was known, and that the provider may have billed nevertheless.",
    "cost_at_risk_usd": "What providers may have billed for such requests at most; not in the cost.",
    "previous_cost_usd": "The cost in the period of the same length before; before a calendar month, the month before.",
    "change": "Against that earlier cost. Empty where there was none.",
}
"""What each figure means, in a sentence."""

_KINDS = ("input", "cache_read", "cache_write", "output", "reasoning")


def by_meter(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """The dearest first. Columns: meter, unit (UNITS, else "tokens"), quantity (NULL where there is no unit), attempts
    (charged by this meter), cost_usd, share (of the cost), usd_per_million (mean list price, DECIMAL(38, 12)).

    Raises BadQuestion."""
    answer = frame(source, by_meter_question(span, filters))
    prices = [
        None if not row["quantity"] else round(Charged(row["quantity"], row["attempts"], row["listed"]).price, 12)
        for row in answer.iter_rows(named=True)
    ]
    return answer.select(
        "meter",
        pl.col("meter").replace_strict(UNITS, default="tokens", return_dtype=pl.String).alias("unit"),
        "quantity",
        "attempts",
        "cost_usd",
        share("cost_usd").alias("share"),
        pl.Series("usd_per_million", prices, dtype=pl.Decimal(38, 12)),
    )


def by_meter_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: meter, quantity, attempts, cost_usd, listed (quantity * USD per million, summed). Raises BadQuestion."""
    costs = facts.costs(span.start, span.end, filters)
    sql = f"""SELECT meter, CAST(sum(quantity) FILTER (meter <> 'provider_cost') AS BIGINT) AS quantity,
  CAST(sum(attempts) AS BIGINT) AS attempts, CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd,
  CAST(sum(quantity * price_per_million_usd) AS DECIMAL(38, 12)) AS listed
FROM {costs.sql} GROUP BY ALL ORDER BY cost_usd DESC, meter"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, costs.params)


def token_mix(source: Source, span: Period, filters: Filters | None = None, by: str | None = None) -> pl.DataFrame:
    """Kinds of tokens, of all attempts, priced or not. Columns: `by` (of attempts), kind (input: the uncached part;
    cache_read, cache_write; output: without reasoning; reasoning), tokens, share (of the row's `by`).

    Raises BadQuestion."""
    named = [by] if by else []
    long = frame(source, token_mix_question(span, filters, by)).unpivot(
        _KINDS, index=named, variable_name="kind", value_name="tokens"
    )
    whole = pl.col("tokens").sum().over(named) if named else pl.col("tokens").sum()
    return long.with_columns(share("tokens", whole).alias("share")).sort(named, maintain_order=True)


def token_mix_question(span: Period, filters: Filters | None = None, by: str | None = None) -> Question:
    """Columns: `by`, then tokens by kind: input, cache_read, cache_write, output, reasoning. Raises BadQuestion."""
    asked = [ATTEMPTS.dimension(by)] if by else []
    attempts = facts.attempts(span.start, span.end, filters)
    selected = "".join(f"{each.selected}, " for each in asked)
    sql = f"""SELECT {selected}
  CAST(greatest(coalesce(sum(input_tokens - cache_read_tokens - cache_write_tokens), 0), 0) AS BIGINT) AS input,
  CAST(coalesce(sum(cache_read_tokens), 0) AS BIGINT) AS cache_read,
  CAST(coalesce(sum(cache_write_tokens), 0) AS BIGINT) AS cache_write,
  CAST(greatest(coalesce(sum(output_tokens - reasoning_tokens), 0), 0) AS BIGINT) AS output,
  CAST(coalesce(sum(reasoning_tokens), 0) AS BIGINT) AS reasoning
FROM {attempts.sql}{" GROUP BY ALL" if asked else ""}"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*(value for each in asked for value in each.params), *attempts.params))


def provenance(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """Where prices come from, the dearest first. Columns: those of `provenance_question`, share. BadQuestion."""
    return frame(source, provenance_question(span, filters)).with_columns(share("cost_usd").alias("share"))


def provenance_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: price_source (genai-prices | override | provider | declared), price_version, attempts, cost_usd.

    `attempts`: of each caller, model and day, those charged by the commonest meter; so never more than there were,
    and all of them where each has one meter in common, as chats have output. Raises BadQuestion."""
    costs = facts.costs(span.start, span.end, filters)
    sql = f"""SELECT price_source, price_version, CAST(sum(commonest) AS BIGINT) AS attempts,
  CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd
FROM (
  SELECT price_source, price_version, max(attempts) AS commonest, sum(cost_usd) AS cost_usd
  FROM (
    SELECT price_source, price_version, day, workspace, caller, operation, provider, model, meter,
      sum(attempts) AS attempts, sum(cost_usd) AS cost_usd
    FROM {costs.sql} GROUP BY ALL
  ) GROUP BY price_source, price_version, day, workspace, caller, operation, provider, model
) GROUP BY ALL ORDER BY cost_usd DESC, price_source, price_version"""  # noqa: S608 - pieces of this package
    return Question(sql, costs.params)


def course(source: Source, span: Period, filters: Filters | None = None, by: str = "meter") -> pl.DataFrame:
    """Money over time. Columns: at (the step's start, UTC; `money_step` says how long steps are), `by` (meter,
    provider, model, key, alias, workspace, caller, price_source, tag:<key> …), cost_usd. What cost nothing is left
    out. By what calls have, a call that is partly unpriced has no cost; by target, its priced attempts have theirs.

    Raises BadQuestion."""
    return frame(source, course_question(span, filters, by))


def course_question(span: Period, filters: Filters | None = None, by: str = "meter") -> Question:
    """As `course`. Raises BadQuestion."""
    kind, paid, step = money_in_steps(span, [by], filters)
    asked = kind.dimension(by)
    sql = f"""SELECT {step} AS "at", {asked.selected}, CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd
FROM {paid.sql} GROUP BY ALL HAVING sum(cost_usd) > 0
ORDER BY "at", {asked.column}"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*asked.params, *paid.params))
