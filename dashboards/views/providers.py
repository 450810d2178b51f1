"""Providers: how each fares now, and how they compare on like calls."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from analytics import providers
from analytics.period import Period
from analytics.providers import MEANS
from analytics.question import Filters
from dashboards import data, parts
from dashboards import format as say
from dashboards.views import provider_health

LIKE = (
    "Providers are asked different things, so only calls of the same alias, operation and size of prompt are put "
    "beside each other, and both sides are weighted alike. How good the answers were, no figure says."
)
NOTHING = (
    f"**Nothing to compare.** Two providers need {providers.LEAST} attempts each at the same alias, with prompts of "
    "like size. Choose a longer period, or take a filter away."
)
SIDES = {"Providers": "provider", "Models": "model"}


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Providers")
    parts.live(head, lambda: _body(context, head.span, head.filters))


def _body(context: parts.Context, span: Period, filters: Filters) -> None:
    provider_health.show(context, filters)
    _compared(context, span, filters)


def _compared(context: parts.Context, span: Period, filters: Filters) -> None:
    title, choice = st.columns([3, 2], vertical_alignment="center")
    title.subheader("On like calls", anchor=False, help=LIKE)
    with choice:
        side = st.segmented_control("Compare", list(SIDES), default="Providers", key="side", bind="query-params",
                                    required=True, label_visibility="collapsed")  # fmt: skip
    known = parts.does_not_apply("latencies", filters)
    rows = data.ask(context, providers.compared, span, known, by=SIDES[side or "Providers"])
    st.caption(say.span(span.start, span.end))
    if rows.is_empty():
        st.info(NOTHING, icon=":material/balance:")
        return
    st.dataframe(
        rows.select(
            pl.col("target").str.replace("/", " · ", literal=True),
            pl.col("against").str.replace("/", " · ", literal=True),
            "attempts", "success_share", "p50_ms", "p95_ms", "mean_ms", _usd("usd_per_1k"), _usd("usd_per_1m_tokens"),
            "overlap",
        ),
        hide_index=True, placeholder="", column_config=_COMPARED, key="compared",
        alt="Table of providers beside each other on like calls, two rows a pair",
    )  # fmt: skip
    st.caption("Two rows a pair: each side on the calls that both had.")


def _usd(name: str) -> pl.Expr:
    return pl.col(name).map_elements(say.money, pl.String).fill_null("unknown").alias(name)


_number, _text = st.column_config.NumberColumn, st.column_config.TextColumn
_COMPARED: dict[str, Any] = {
    "target": _text("Who", pinned=True),
    "against": _text("Beside"),
    "attempts": _number("Attempts", help=MEANS["attempts"], format="localized"),
    "success_share": _number("Success", help=MEANS["success_share"], format="percent"),
    "p50_ms": _number("p50 ms", help=MEANS["p50_ms"], format="%.0f"),
    "p95_ms": _number("p95 ms", help=MEANS["p95_ms"], format="%.0f"),
    "mean_ms": _number("Mean ms", help=MEANS["mean_ms"], format="%.0f"),
    "usd_per_1k": _text("For 1,000 answers", help=MEANS["usd_per_1k"], alignment="right"),
    "usd_per_1m_tokens": _text("For 1M tokens", help=MEANS["usd_per_1m_tokens"], alignment="right"),
    "overlap": _number("Overlap", help=MEANS["overlap"], format="percent"),
}
