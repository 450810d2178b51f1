"""Overview: the period's figures, their course, and who they went to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl
import streamlit as st

from analytics import overview
from analytics.overview import Row
from analytics.period import Period
from dashboards import charts, data, parts
from dashboards import definitions as means
from dashboards import format as say

Figure = float | Decimal | None


def _tokens(row: Row) -> int:
    return int(row["input_tokens"] + row["output_tokens"])


class Card(NamedTuple):
    """One figure of the period: how it is drawn from the totals, said, and judged."""

    label: str
    meaning: str
    figure: Callable[[Row], Figure]
    said: Callable[[Row], str]
    course: str
    """The measure that its small chart shows."""
    worse_up: bool = False
    """More of it is bad news; otherwise it is no news."""


CARDS = (
    Card("Calls", means.CALLS, lambda row: row["calls"], lambda row: say.count(row["calls"]), "calls"),
    Card("Tokens", means.TOKENS, _tokens, lambda row: say.count(_tokens(row)), "tokens"),
    Card("Cost", means.COST, lambda row: row["cost_usd"],
         lambda row: say.money(row["cost_usd"], unpriced=row["unpriced_calls"]), "cost_usd"),
    Card("Error rate", means.ERROR_RATE, lambda row: row["errors"] / row["calls"] if row["calls"] else None,
         lambda row: say.share(row["errors"], row["calls"]), "errors", worse_up=True),
    Card("p50 latency", means.P50, lambda row: row["p50_ms"], lambda row: say.duration(row["p50_ms"]), "p50_ms",
         worse_up=True),
    Card("p95 latency", means.P95, lambda row: row["p95_ms"], lambda row: say.duration(row["p95_ms"]), "p95_ms",
         worse_up=True),
)  # fmt: skip

MEASURES = {"calls": "Calls", "cost_usd": "Cost (USD)", "tokens": "Tokens", "errors": "Errors"}
DIMENSIONS = {"provider": "by provider", "alias": "by alias"}


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head("Overview")
    parts.live(head, lambda: _body(context, head.span))


def _body(context: parts.Context, span: Period) -> None:
    now = data.totals(context.home, span)
    if not now["calls"]:
        parts.nothing(span, filtered=False)
        return
    whole = _with_tokens(data.course(context.home, span))
    _cards(now, data.totals(context.home, span.previous), overview.filled(whole, span, [card.course for card in CARDS]))
    _doubts(now, span)
    _over_time(context, span)
    st.subheader("Latency over time", anchor=False)
    st.altair_chart(charts.percentiles(whole), key="latency", alt="Line chart of p50 and p95 latency over the period")
    left, right = st.columns(2, gap="large")
    with left:
        _by_provider(context, span)
    with right:
        _by_alias(context, span)


def _cards(now: Row, before: Row, course: pl.DataFrame) -> None:
    with st.container(horizontal=True):
        for card in CARDS:
            st.metric(
                card.label,
                card.said(now),
                say.change(card.figure(now), card.figure(before)),
                delta_color="inverse" if card.worse_up else "off",
                delta_description="vs. period before",
                help=f"{card.meaning} {means.PREVIOUS}",
                border=True,
                width=200,
                chart_data=course[card.course].to_list(),
                chart_type="area",
            )


def _doubts(now: Row, span: Period) -> None:
    """The period, and what its figures do not know."""
    said = [say.span(span.start, span.end)]
    if now["unpriced_calls"]:
        said.append(f":orange-badge[{say.count(now['unpriced_calls'])} calls without a known price]")
    if now["estimated_calls"]:
        said.append(f":gray-badge[{say.count(now['estimated_calls'])} with estimated usage]")
    if now["fallbacks"]:
        said.append(f":gray-badge[{say.count(now['fallbacks'])} answered or tried elsewhere after a fallback]")
    st.caption(" ".join(said), help=f"{means.UNPRICED} {means.ESTIMATED} {means.FALLBACKS}")


def _over_time(context: parts.Context, span: Period) -> None:
    title, measures, dimensions = st.columns([2, 3, 2], vertical_alignment="center")
    title.subheader("Over time", anchor=False)
    with measures:
        measure = st.segmented_control("Measure", list(MEASURES), default="calls", key="measure", bind="query-params",
                                       required=True, format_func=MEASURES.__getitem__,
                                       label_visibility="collapsed")  # fmt: skip
    with dimensions:
        by = st.segmented_control("Group", list(DIMENSIONS), default="provider", key="by", bind="query-params",
                                  required=True, format_func=DIMENSIONS.__getitem__,
                                  label_visibility="collapsed")  # fmt: skip
    measure, by = measure or "calls", by or "provider"
    drawn = charts.stacked(
        _with_tokens(data.course(context.home, span, by)), by, measure, MEASURES[measure], overview.grain(span)
    )
    st.altair_chart(drawn, key="course", alt=f"Bars over time: {MEASURES[measure]} {DIMENSIONS[by]}")


def _with_tokens(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns((pl.col("input_tokens") + pl.col("output_tokens")).alias("tokens"))


def _by_provider(context: parts.Context, span: Period) -> None:
    st.subheader("Providers", anchor=False)
    used = data.usage(context.home, span, "provider")
    rows = used.join(data.providers(context.home, span), on="provider", how="left", suffix="_tried")
    rows = rows.with_columns((pl.col("failed") / pl.col("attempts_tried")).alias("failing"))
    _ranked(rows.filter(pl.col("provider") != ""), "provider")
    st.dataframe(
        charts.named(_figures(rows, "provider", "attempts", "failing"), "provider"),
        hide_index=True,
        column_config=_columns("Provider", calls=means.ANSWERED),
        key="providers",
        alt="Table of providers: answered calls, attempts, failures, tokens, cost, latency",
    )


def _by_alias(context: parts.Context, span: Period) -> None:
    st.subheader("Aliases", anchor=False)
    rows = data.usage(context.home, span, "alias").with_columns((pl.col("errors") / pl.col("calls")).alias("erring"))
    _ranked(rows, "alias")
    st.dataframe(
        charts.named(_figures(rows, "alias", "erring", "fallbacks"), "alias"),
        hide_index=True,
        column_config=_columns("Alias", calls=means.CALLS),
        key="aliases",
        alt="Table of aliases: calls, errors, fallbacks, tokens, cost, latency",
    )


def _ranked(rows: pl.DataFrame, dimension: str) -> None:
    labelled = rows.with_columns(
        pl.struct("cost_usd", "unpriced_calls")
        .map_elements(lambda row: say.money(row["cost_usd"], unpriced=row["unpriced_calls"]), pl.String)
        .alias("label")
    )
    drawn = charts.ranked(labelled.head(8), dimension, "cost_usd", "Cost")
    st.altair_chart(drawn, key=f"cost-{dimension}", alt=f"Bars: cost by {dimension}")


def _figures(rows: pl.DataFrame, dimension: str, *own: str) -> pl.DataFrame:
    """What the table shows, as numbers that sort."""
    return _with_tokens(rows).select(
        dimension, "calls", *own, "tokens", pl.col("cost_usd").cast(pl.Float64), "p50_ms", "p95_ms"
    )


def _columns(name: str, calls: str) -> dict[str, Any]:
    number, percent = st.column_config.NumberColumn, "percent"
    dimension = name.lower()
    return {
        dimension: st.column_config.TextColumn(name, pinned=True),
        "calls": number("Calls", help=calls, format="localized"),
        "attempts": number("Attempts", help=means.ATTEMPTS, format="localized"),
        "failing": number("Failed", help=means.FAILED, format=percent),
        "erring": number("Errors", help=means.ERROR_RATE, format=percent),
        "fallbacks": number("Fallbacks", help=means.FALLBACKS, format="localized"),
        "tokens": number("Tokens", help=means.TOKENS, format="compact"),
        "cost_usd": number("Cost", help=means.COST, format="$%.4f"),
        "p50_ms": number("p50 ms", help=means.P50, format="%.0f"),
        "p95_ms": number("p95 ms", help=means.P95, format="%.0f"),
    }
