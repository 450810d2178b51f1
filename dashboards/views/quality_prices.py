"""Where prices are from, and what was priced anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from analytics import costs, facts, standing
from analytics.costs import MEANS
from analytics.period import Period
from analytics.question import Filters
from dashboards import control, data, parts, running, said
from dashboards import format as say

REVISED = "Costs that were priced anew. The sums show the new values; the old ones are kept."
SOURCES = "Prices in force, by where they are from. Costs of past calls keep the price of their day."


def show(context: parts.Context, span: Period, filters: Filters) -> None:
    """Prices that were charged, those in force, and costs that were changed since."""
    _provenance(context, span, {name: wanted for name, wanted in filters.items() if facts.knows("costs", name)})
    _rerated(context, span, {name: wanted for name, wanted in filters.items() if name in standing.REVISED_BY})


def _provenance(context: parts.Context, span: Period, filters: Filters) -> None:
    rows = data.ask(context, costs.provenance, span, filters)
    st.subheader("Where prices are from", anchor=False, help=MEANS["price_source"])
    if rows.is_empty():
        st.caption("No request of the period has a price.")
        return
    st.dataframe(rows.select("price_source", "price_version", "attempts", money("cost_usd")), hide_index=True,
                 placeholder="", column_config=_SOURCES, key="provenance",
                 alt="Table of price sources with their requests and cost")  # fmt: skip
    prices = running.heard(context, control.prices)[0] if running.sees_operators(context) else None
    if prices:
        st.markdown("**In force now**", help=SOURCES)
        st.dataframe(_in_force(prices), hide_index=True, placeholder="", column_config=_SOURCES, key="prices",
                     alt="Table of the sources of the prices in force")  # fmt: skip


def _in_force(prices: Sequence[said.Price]) -> pl.DataFrame:
    """Columns: price_source, price_version, models, oldest, newest."""
    rows = pl.DataFrame({
        "price_source": [each.source or "none" for each in prices],
        "price_version": [each.version.partition("@")[0] for each in prices],
        "dated": [each.dated or None for each in prices],
    }, schema_overrides={"dated": pl.String})  # fmt: skip
    return (
        rows.group_by("price_source", "price_version")
        .agg(pl.len().alias("models"), pl.col("dated").min().alias("oldest"), pl.col("dated").max().alias("newest"))
        .sort("models", "price_source", descending=[True, False])
    )


def _rerated(context: parts.Context, span: Period, filters: Filters) -> None:
    rows = data.ask(context, standing.rerated, span, filters)
    if rows.is_empty():
        return
    st.subheader("Priced anew", anchor=False, help=REVISED)
    st.dataframe(
        rows.select(
            pl.col("at").dt.replace_time_zone("UTC"), "reason", "actor", "calls", "was_unpriced",
            money("before_usd"), money("after_usd"),
        ),
        hide_index=True, placeholder="", column_config=_RERATED, key="rerated",
        alt="Table of when costs were priced anew, and what they were before",
    )  # fmt: skip


def money(name: str) -> pl.Expr:
    """Exact decimals in words: a table would show them as floats."""
    return pl.col(name).map_elements(say.money, pl.String).fill_null("unknown").alias(name)


_number, _text = st.column_config.NumberColumn, st.column_config.TextColumn
_SOURCES: dict[str, Any] = {
    "price_source": _text("Source", help=MEANS["price_source"]),
    "price_version": _text("Edition", help=MEANS["price_version"]),
    "attempts": _number("Requests", help=MEANS["attempts"], format="localized"),
    "cost_usd": _text("Cost", help=MEANS["cost_usd"], alignment="right"),
    "models": _number("Models", help="Configured models whose price is from there.", format="localized"),
    "oldest": _text("Oldest price", help="The day from which it holds, or on which it was read."),
    "newest": _text("Newest price", help="The day from which it holds, or on which it was read."),
}
_RERATED: dict[str, Any] = {
    "at": st.column_config.DatetimeColumn("At (UTC)", format="D MMM YYYY HH:mm", timezone="UTC"),
    "reason": "Reason",
    "actor": _text("By", help="Who asked for it."),
    "calls": _number("Calls", format="localized"),
    "was_unpriced": _number("Had no price", help="Requests that had none before.", format="localized"),
    "before_usd": _text("Cost before", alignment="right"),
    "after_usd": _text("Cost after", alignment="right"),
}
