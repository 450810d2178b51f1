"""Money that is not certain: usage without a price, usage that was estimated, and what may have been billed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.courses import share
from analytics.kinds import CALLS
from analytics.overview import frame
from analytics.period import Period
from analytics.question import Filters, Question

DOUBTS = ("unpriced", "estimated", "at_risk")
TOKEN_METERS = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "output", "reasoning",
                "audio_output")  # fmt: skip
"""Meters whose unit is the token. They are disjoint."""
_COUNTS = ("unpriced_calls", "estimated_calls", "maybe_billed_calls")


def doubts(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """By doubt, provider and model, the most attempts first. Columns: doubt (of DOUBTS), provider, model, attempts,
    tokens, cost_usd, cost_at_risk_usd; NULL where a column does not apply.

    unpriced: attempts with usage and without a price; their tokens, by share where a day's row has priced ones too.
    estimated: attempts whose usage was estimated; tokens and cost of those that have a price (NULL: none has one).
    at_risk: attempts that broke before their usage was known, and what the provider may have billed for them at most;
    `attempts` counts all of the rows with such money, so it is an upper bound. What has no price at all has no money
    at risk either: `doubted_calls` counts it under maybe_billed_calls. Raises BadQuestion."""
    wide = frame(source, doubts_question(span, filters))
    named = wide.select("provider", "model")
    none = pl.lit(None, pl.Decimal(38, 12))
    parts = {
        "unpriced": (pl.col("unpriced_attempts"), pl.col("unpriced_tokens"), none, none),
        "estimated": (pl.col("estimated_attempts"), pl.col("estimated_tokens"), pl.col("estimated_usd"), none),
        "at_risk": (pl.col("at_risk_attempts"), pl.lit(None, pl.Int64), none, pl.col("cost_at_risk_usd")),
    }
    rows = [
        wide.select(
            pl.lit(doubt).alias("doubt"),
            *named.columns,
            attempts.alias("attempts"),
            tokens.alias("tokens"),
            cost.alias("cost_usd"),
            at_risk.alias("cost_at_risk_usd"),
        )
        for doubt, (attempts, tokens, cost, at_risk) in parts.items()
    ]
    return pl.concat(
        each.filter(pl.col("attempts") > 0).sort(["attempts", "provider", "model"], descending=[True, False, False])
        for each in rows
    )


def doubts_question(span: Period, filters: Filters | None = None) -> Question:
    """By provider and model: unpriced_attempts, unpriced_tokens, estimated_attempts, estimated_tokens, estimated_usd,
    at_risk_attempts, cost_at_risk_usd. Raises BadQuestion."""
    attempts = facts.attempts(span.start, span.end, filters)
    costs = facts.costs(span.start, span.end, filters)
    tokens = ", ".join(f"'{meter}'" for meter in TOKEN_METERS)
    sql = f"""WITH tried AS (
  SELECT provider, model, CAST(sum(unpriced_attempts) AS BIGINT) AS unpriced_attempts,
    CAST(sum((input_tokens + output_tokens) * unpriced_attempts // attempts) AS BIGINT) AS unpriced_tokens,
    CAST(sum(estimated_attempts) AS BIGINT) AS estimated_attempts,
    CAST(coalesce(sum(attempts) FILTER (cost_at_risk_usd > 0), 0) AS BIGINT) AS at_risk_attempts,
    CAST(sum(cost_at_risk_usd) AS DECIMAL(38, 12)) AS cost_at_risk_usd
  FROM {attempts.sql} GROUP BY ALL
), paid AS (
  SELECT provider, model, CAST(sum(quantity) FILTER (meter IN ({tokens})) AS BIGINT) AS estimated_tokens,
    CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS estimated_usd
  FROM {costs.sql} WHERE usage_source = 'estimated' GROUP BY ALL
)
SELECT tried.*, estimated_tokens, estimated_usd
FROM tried LEFT JOIN paid USING (provider, model)"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*attempts.params, *costs.params))


def doubted_calls(source: Source, span: Period, filters: Filters | None = None, by: Sequence[str] = ()) -> pl.DataFrame:
    """How many calls have a doubt. Columns: `by` (of calls; without it one row, the whole), calls, unpriced_calls,
    estimated_calls, maybe_billed_calls, cost_at_risk_usd, and of the calls: unpriced_share, estimated_share,
    maybe_billed_share (NULL of nothing). Raises BadQuestion."""
    answer = frame(source, doubted_calls_question(span, filters, by))
    return answer.with_columns(
        share(name, pl.col("calls")).alias(name.replace("_calls", "_share")) for name in _COUNTS
    ).with_columns(pl.col("cost_at_risk_usd").fill_null(Decimal(0)))


def doubted_calls_question(span: Period, filters: Filters | None = None, by: Sequence[str] = ()) -> Question:
    """Columns: `by`, calls, unpriced_calls, estimated_calls, maybe_billed_calls, cost_at_risk_usd. BadQuestion."""
    asked = [CALLS.dimension(name) for name in dict.fromkeys(by)]
    calls = facts.calls(span.start, span.end, filters)
    columns = "".join(f"{each.selected}, " for each in asked)
    counts = ", ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}" for name in ("calls", *_COUNTS))
    grouped = f" GROUP BY ALL ORDER BY calls DESC, {', '.join(each.column for each in asked)}" if asked else ""
    sql = f"""SELECT {columns}{counts}, CAST(sum(cost_at_risk_usd) AS DECIMAL(38, 12)) AS cost_at_risk_usd
FROM {calls.sql}{grouped}"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*(value for each in asked for value in each.params), *calls.params))
