"""What need not be paid or waited for: long prompts that a cache could give, and targets that never answer."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

from analytics.savings import Books, Suggestion
from analytics.words import count, lasting, ms, price, share, target, usd

MOST = 5
"""Suggestions to cache: those that save most."""
LEAST_USD = Decimal("0.01")
CACHED_ENOUGH = 0.5
"""Whoever reads this share of its long prompts from the cache has done what there is to do."""
LEAST_TRIES = 20
"""In vain, before a target is called dead."""
NEARLY_NEVER = 0.05
"""Share of attempts that were answered."""
_MILLION = 1_000_000
_TARGET = ["provider", "model"]


def cacheable(books: Books) -> Iterator[Suggestion]:
    """Callers' long prompts at models for which a price of reading from the cache was paid, that hardly used it."""
    prices = _prices(books)
    asking = ["workspace", "caller", "alias", *_TARGET]
    prompts = books.tried.group_by(asking).agg(pl.col("long_prompts", "long_input", "long_cached").sum())
    found = []
    for row in prompts.sort(asking).iter_rows(named=True):
        paid, cached = prices.get((row["workspace"], row["provider"], row["model"])) or (Decimal(0), Decimal(0))
        left = row["long_input"] - row["long_cached"]
        saved = (left * (paid - cached) / _MILLION).quantize(Decimal("1e-12"))
        if saved >= LEAST_USD and row["long_cached"] < CACHED_ENOUGH * row["long_input"]:
            found.append(_cached(books, row, paid, cached, saved))
    yield from sorted(found, key=lambda each: -each.saves_usd)[:MOST]


def _prices(books: Books) -> dict[tuple[str, str, str], tuple[Decimal, Decimal]]:
    """(workspace, provider, model) -> USD a million of input, and of input read from the cache."""
    sums = books.meters.group_by("workspace", *_TARGET, "meter").agg(pl.col("quantity", "cost_usd").sum())
    each = {
        (row["workspace"], row["provider"], row["model"], row["meter"]): _MILLION * row["cost_usd"] / row["quantity"]
        for row in sums.iter_rows(named=True)
    }
    return {
        (workspace, provider, model): (each[workspace, provider, model, "input"], cached)
        for (workspace, provider, model, meter), cached in each.items()
        if meter == "cache_read" and (workspace, provider, model, "input") in each
    }


def _cached(books: Books, row: dict[str, Any], paid: Decimal, cached: Decimal, saved: Decimal) -> Suggestion:
    who = target(row["provider"], row["model"])
    left = row["long_input"] - row["long_cached"]
    read = f"of which {share(row['long_cached'] / row['long_input'])} were read from the cache"
    where = f" for {row['alias']}" if row["alias"] else ""
    return Suggestion(
        kind="cacheable",
        title=f"{row['caller'] or 'callers without a name'}: let {who} cache long prompts{where}",
        saves_usd=saved,
        saves_30d_usd=books.month(saved),
        period=books.period,
        arithmetic=(
            f"{count(row['long_prompts'])} prompts of 1,024 tokens and more: {count(row['long_input'])} tokens, {read}",
            f"at most the rest: {count(left)} x ({price(paid)} - {price(cached)}) = {usd(saved)}",
        ),
        confidence="low",
        unknown=(
            "how much of these prompts is the same from call to call: this is the upper bound, if all of it were",
            "what writing to the cache costs where a provider charges for it: that is not taken off",
        ),
        evidence={name: row[name] for name in ("workspace", "caller", "alias", *_TARGET)},
    )


def dead_fallbacks(books: Books) -> Iterator[Suggestion]:
    """Targets of an alias that were tried often and answered never, or nearly never, in any workspace."""
    sums = pl.col("attempts", "answered", "failed_ms", "failed_usd", "at_risk_usd").sum()
    tried = books.tried.filter(pl.col("alias") != "").group_by("alias", *_TARGET).agg(sums)
    moves = books.moves.group_by("alias", *_TARGET).agg(pl.col("moves").sum())
    asked = tried.join(moves, on=["alias", *_TARGET], how="left").with_columns(pl.col("moves").fill_null(0))
    for row in asked.sort("alias", *_TARGET).iter_rows(named=True):
        if row["attempts"] >= LEAST_TRIES and row["answered"] <= NEARLY_NEVER * row["attempts"]:
            yield _dead(books, row)


def _dead(books: Books, row: dict[str, Any]) -> Suggestion:
    who, failed = target(row["provider"], row["model"]), row["attempts"] - row["answered"]
    never = "never answers" if not row["answered"] else "nearly never answers"
    calls = f"; {count(row['moves'])} times a call fell back to it" if row["moves"] else ""
    answered, waited = share(row["answered"] / row["attempts"]), f"{lasting(row['failed_ms'])} in all"
    risk = f"; {usd(row['at_risk_usd'])} more may have been billed" if row["at_risk_usd"] else ""
    return Suggestion(
        kind="dead_fallback",
        title=f"{row['alias']}: {who} {never}: take it out of the chain, or mend it",
        saves_usd=row["failed_usd"],
        saves_30d_usd=books.month(row["failed_usd"]),
        period=books.period,
        arithmetic=(
            f"{count(row['attempts'])} attempts, {count(row['answered'])} answered ({answered}){calls}",
            f"the {count(failed)} others kept their calls waiting for {ms(row['failed_ms'] / failed)} each, {waited}",
            f"they cost {usd(row['failed_usd'])}{risk}",
        ),
        confidence="high",
        unknown=("whether it was only out of order in this period: see its errors first",),
        evidence={name: row[name] for name in ("alias", *_TARGET)},
    )
