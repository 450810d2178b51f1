"""Caching of prompts at the providers: what share of the input was read from it, what that saved, what writing cost."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal, localcontext

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.courses import share
from analytics.overview import frame
from analytics.period import Period
from analytics.question import Filters, Question
from analytics.unit_prices import Model, daily_prices, nearest, prices_question, usd

WRITES = ("cache_write", "cache_write_1h")
MEANS = {
    "input_tokens": "All input tokens, whether read from the cache, written to it, or neither.",
    "read_tokens": "Input tokens that the provider had in its cache.",
    "written_tokens": "Input tokens that the provider put into its cache.",
    "hit_share": "Of all input tokens, the share that was read from the cache.",
    "saved_usd": "Tokens read from the cache, each at the model's input price of the day less that of a cached token.",
    "paid_more_usd": "Tokens written to the cache, each at the price of a written token less the day's input price.",
    "net_usd": "What the cache saved, less what writing to it cost more.",
    "left_out_tokens": "Tokens read or written whose prices are not known: their saving is not in the sums.",
}
"""What each figure means, in a sentence."""
_USD = pl.Decimal(38, 12)


def cache(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """Columns: provider, model, input_tokens (cached ones included), read_tokens, written_tokens, hit_share (of
    the input), saved_usd, paid_more_usd, net_usd (all three NULL where no token has known prices), left_out_tokens.
    The most read first; models without any input are not there.

    The arithmetic, for each day: saved = tokens read * (input price - cache-read price); paid more = tokens written *
    (cache-write price - input price), for an hour's writes at their own price. Prices are those that the same model's
    rows of that day were charged at, their mean by quantity if there were several (tiers, overrides); a day without
    uncached input takes the input price of the model's nearest day in the period. Read or written tokens without a
    cost line (unpriced; billed by the provider as one sum; a model that charges them as plain input) or without any
    input price are left out, and counted in `left_out_tokens`. Raises BadQuestion."""
    tokens = frame(source, tokens_question(span, filters))
    told = worth(frame(source, prices_question(span, filters, daily=True)))
    joined = tokens.join(told, on=["provider", "model"], how="left")
    touched = pl.col("read_tokens") + pl.col("written_tokens")
    left_out = pl.max_horizontal(touched - pl.col("covered").fill_null(0), 0)
    none_known = (touched > 0) & (pl.col("covered").fill_null(0) == 0)
    saved, more = (
        pl.when(~none_known).then(pl.col(name).fill_null(Decimal(0)).cast(_USD)).alias(name)
        for name in ("saved_usd", "paid_more_usd")
    )
    return joined.select(
        *tokens.columns,
        share("read_tokens", pl.col("input_tokens")).alias("hit_share"),
        saved,
        more,
        (saved - more).cast(_USD).alias("net_usd"),
        left_out.alias("left_out_tokens"),
    )


def tokens_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: provider, model, input_tokens, read_tokens, written_tokens, of all attempts. Raises BadQuestion."""
    attempts = facts.attempts(span.start, span.end, filters)
    sql = f"""SELECT provider, model, CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
  CAST(sum(cache_read_tokens) AS BIGINT) AS read_tokens, CAST(sum(cache_write_tokens) AS BIGINT) AS written_tokens
FROM {attempts.sql} GROUP BY ALL HAVING sum(input_tokens + cache_read_tokens + cache_write_tokens) > 0
ORDER BY read_tokens DESC, input_tokens DESC, provider, model"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, attempts.params)


def worth(answer: pl.DataFrame) -> pl.DataFrame:
    """From the answer to `prices_question`, daily. Columns: provider, model, saved_usd, paid_more_usd, covered (tokens
    in them). Only models with such a token."""
    inputs = daily_prices(answer, "input")
    saved: dict[Model, Decimal] = defaultdict(Decimal)
    more: dict[Model, Decimal] = defaultdict(Decimal)
    covered: dict[Model, int] = defaultdict(int)
    with localcontext(prec=60):
        for model, day, meter, quantity, listed in _touching(answer):
            price = nearest(inputs.get(model, {}), day)
            if price is None:
                continue
            covered[model] += quantity
            if meter in WRITES:
                more[model] += listed - quantity * price
            else:
                saved[model] += quantity * price - listed
    rows = [(*model, usd(saved[model]), usd(more[model]), tokens) for model, tokens in covered.items()]
    schema: dict[str, type[pl.DataType] | pl.DataType]
    schema = {"provider": pl.String, "model": pl.String, "saved_usd": _USD, "paid_more_usd": _USD, "covered": pl.Int64}
    return pl.DataFrame(rows, schema, orient="row")


def _touching(answer: pl.DataFrame) -> list[tuple[Model, date, str, int, Decimal]]:
    """The rows of cached tokens."""
    rows = answer.filter(pl.col("meter").is_in(["cache_read", *WRITES]))
    return [
        ((row["provider"], row["model"]), row["day"], row["meter"], row["quantity"], row["listed"])
        for row in rows.iter_rows(named=True)
    ]
