"""Who costs most: callers, keys, tags and others, with their share, and against the period before."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.courses import OF_TARGET, share
from analytics.kinds import ATTEMPTS, CALLS
from analytics.overview import frame
from analytics.period import Period
from analytics.question import Filters, Question

TOP = 10
_MONEY = """CAST(CASE WHEN sum({unpriced}) = 0 OR sum(cost_usd) > 0 THEN coalesce(sum(cost_usd), 0) END
    AS DECIMAL(38, 12)) AS cost_usd,
  CAST(sum(cost_at_risk_usd) AS DECIMAL(38, 12)) AS cost_at_risk_usd, CAST(sum({unpriced}) AS BIGINT) AS {unpriced}"""
_TOKENS = "CAST(sum(input_tokens + output_tokens) AS BIGINT) AS tokens"
MEASURES = ("calls", "tokens", "cost_usd", "cost_at_risk_usd", "unpriced")


def top(
    source: Source, span: Period, by: str = "caller", filters: Filters | None = None, limit: int = TOP
) -> pl.DataFrame:
    """The dearest `limit` values of `by`: caller, key, tag:<key>, alias, workspace, provider, model …

    Columns: `by` under its own name ("" if a call has none), calls, tokens (input and output), cost_usd (NULL where
    nothing of it has a price), cost_at_risk_usd, unpriced (calls, or attempts by target), share (of the cost of all,
    not of the `limit` only), previous_cost_usd (in `span.previous`), change (0.5: half as much again; NULL if there
    was no cost before). Raises BadQuestion."""
    now = frame(source, top_question(span, by, filters)).with_columns(share("cost_usd").alias("share"))
    before = frame(source, top_question(span.previous, by, filters))
    # A value that is not there before cost nothing, which is known; one without a price cost what nobody knows.
    earlier = before.select(by, previous_cost_usd=pl.col("cost_usd"), there=pl.lit(True))
    previous = pl.when(pl.col("there").is_null()).then(pl.lit(Decimal(0), pl.Decimal(38, 12)))
    cost, old = pl.col("cost_usd").cast(pl.Float64), pl.col("previous_cost_usd").cast(pl.Float64)
    return (
        now.head(limit)
        .join(earlier, on=by, how="left", maintain_order="left")
        .with_columns(previous.otherwise(pl.col("previous_cost_usd")).alias("previous_cost_usd"))
        .with_columns(pl.when(old > 0).then((cost - old) / old).alias("change"))
        .drop("there")
    )


def top_question(span: Period, by: str, filters: Filters | None = None) -> Question:
    """Columns: `by`, MEASURES; the dearest first. Raises BadQuestion."""
    asked = CALLS.dimension(by)
    by_target = bool(OF_TARGET & {by, *(filters or {})})
    calls = facts.calls(span.start, span.end, filters)
    if not by_target:
        money = _MONEY.format(unpriced="unpriced_calls")
        inner = f"""SELECT {asked.selected}, CAST(sum(calls) AS BIGINT) AS calls, {_TOKENS}, {money}
FROM {calls.sql} GROUP BY ALL"""  # noqa: S608 - pieces of this package, no values
        params = (*asked.params, *calls.params)
    else:
        attempts = facts.attempts(span.start, span.end, filters)
        money = _MONEY.format(unpriced="unpriced_attempts")
        inner = f"""SELECT coalesce(counted.{asked.column}, used.{asked.column}) AS {asked.column},
  coalesce(calls, 0) AS calls, coalesce(tokens, 0) AS tokens,
  CASE WHEN attempts IS NULL THEN 0 ELSE cost_usd END AS cost_usd, coalesce(cost_at_risk_usd, 0) AS cost_at_risk_usd,
  coalesce(unpriced_attempts, 0) AS unpriced_attempts
FROM (SELECT {asked.selected}, CAST(sum(calls) AS BIGINT) AS calls FROM {calls.sql} GROUP BY ALL) AS counted
FULL JOIN (SELECT {ATTEMPTS.dimension(by).selected}, sum(attempts) AS attempts, {_TOKENS}, {money}
  FROM {attempts.sql} GROUP BY ALL) AS used USING ({asked.column})"""  # noqa: S608 - pieces of this package
        params = (*asked.params, *calls.params, *asked.params, *attempts.params)
    unpriced = "unpriced_attempts" if by_target else "unpriced_calls"
    sql = f"""SELECT {asked.column}, calls, tokens, CAST(cost_usd AS DECIMAL(38, 12)) AS cost_usd,
  CAST(cost_at_risk_usd AS DECIMAL(38, 12)) AS cost_at_risk_usd, {unpriced} AS unpriced
FROM ({inner}) ORDER BY cost_usd DESC NULLS LAST, tokens DESC, calls DESC, {asked.column}"""  # noqa: S608 - the same
    return Question(sql, params)
