"""Overview: the period's figures, their course, and who they went to."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import polars as pl
import streamlit as st

from analytics import overview, sums
from analytics.overview import Row
from analytics.period import Period
from analytics.question import Filters
from analytics.usage import EXACT
from dashboards import charts, data, parts, tables
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

MEASURES = {"Calls": "calls", "Cost": "cost_usd", "Tokens": "tokens", "Errors": "errors"}
MOST = 12
"""Bars beside a table."""
DIMENSIONS = {"By provider": "provider", "By alias": "alias"}


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Overview", compare=True)
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    span, filters = head.span, head.filters
    now = data.ask(context, overview.totals, span, filters)
    if not now["calls"]:
        parts.nothing(span, filtered=bool(filters))
        return
    whole = tables.with_tokens(data.ask(context, sums.course, span, filters))
    # Of days the percentiles are known; of the hours of a long period every call would have to be read.
    grain = "day" if span.length > EXACT else None
    timed = data.ask(context, sums.course, span, filters, None, grain, timed=True)
    before = data.ask(context, overview.totals, head.before, filters) if head.before else None
    _cards(now, before, _courses(whole, timed, span))
    _doubts(now, span)
    _over_time(context, head)
    st.subheader("Latency over time", anchor=False)
    st.altair_chart(charts.percentiles(timed), key="latency", alt="Line chart of p50 and p95 latency over the period")
    _by_provider(context, span, filters)
    _by_alias(context, span, filters)


def _courses(whole: pl.DataFrame, timed: pl.DataFrame, span: Period) -> dict[str, list[float]]:
    """What each card's small chart shows: sums with their zeros, latencies where there were calls."""
    sums = overview.filled(whole, span, [card.course for card in CARDS])
    return {
        card.course: (timed if card.course.endswith("_ms") else sums)[card.course].drop_nulls().to_list()
        for card in CARDS
    }


def _cards(now: Row, before: Row | None, courses: dict[str, list[float]]) -> None:
    """Two rows of three."""
    for row in (CARDS[:3], CARDS[3:]):
        with st.container(horizontal=True):
            for card in row:
                _card(card, now, before, courses[card.course])


def _card(card: Card, now: Row, before: Row | None, course: list[float]) -> None:
    change = say.change(card.figure(now), card.figure(before)) if before else None
    st.metric(
        card.label,
        card.said(now),
        change,
        delta_arrow="off" if change == say.SAME else "auto",
        delta_color="inverse" if card.worse_up and change != say.SAME else "off",
        delta_description="vs. before" if change else None,
        help=f"{card.meaning} {means.PREVIOUS}",
        border=True,
        width="stretch",
        height="stretch",
        chart_data=course,
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
        said.append(f":gray-badge[{say.count(now['fallbacks'])} with a fallback]")
    st.caption(" ".join(said), help=f"{means.UNPRICED} {means.ESTIMATED} {means.FALLBACKS}")


def _over_time(context: parts.Context, head: parts.Head) -> None:
    title, measures, dimensions = st.columns([2, 3, 2], vertical_alignment="center")
    title.subheader("Over time", anchor=False)
    with measures:
        measure = _choice("Measure", list(MEASURES), "measure")
    with dimensions:
        by = _choice("Group", list(DIMENSIONS), "by")
    dimension, column = DIMENSIONS[by], MEASURES[measure]
    span, axis = head.span, "Cost (USD)" if measure == "Cost" else measure
    rows = tables.with_tokens(data.ask(context, sums.course, span, head.filters, dimension))
    bars = charts.stacked(charts.folded(rows, dimension, column, MOST), dimension, column, axis, overview.grain(span))
    drawn: charts.Drawn = bars
    if head.before:
        former = tables.with_tokens(data.ask(context, sums.course, head.before, head.filters))
        drawn = charts.with_before(bars, charts.moved(former, head.before, span), column, axis)
    st.altair_chart(drawn, key="course", alt=f"Bars over time: {measure.lower()} {by.lower()}")


def _choice(label: str, options: list[str], key: str) -> str:
    chosen = st.segmented_control(
        label, options, default=options[0], key=key, bind="query-params", required=True, label_visibility="collapsed"
    )
    return chosen or options[0]


def _by_provider(context: parts.Context, span: Period, filters: Filters) -> None:
    used = data.ask(context, sums.sums, span, filters, "provider")
    rows = tables.with_tried(used, data.ask(context, sums.tried, span, filters))
    _ranking("Providers", rows, "provider", ["attempts", "failing"], calls=means.ANSWERED)


def _by_alias(context: parts.Context, span: Period, filters: Filters) -> None:
    rows = data.ask(context, sums.sums, span, filters, "alias")
    rows = rows.with_columns((pl.col("errors") / pl.col("calls")).alias("erring"))
    _ranking("Aliases", rows, "alias", ["erring", "fallbacks"], calls=means.CALLS)


def _ranking(title: str, rows: pl.DataFrame, dimension: str, own: list[str], calls: str) -> None:
    """Cost as bars, and beside it all figures."""
    rows = tables.with_label(tables.with_tokens(rows))
    st.subheader(title, anchor=False)
    left, right = st.columns([1, 2], gap="medium")
    drawn = charts.ranked(rows.head(MOST), dimension, "cost_usd", "Cost")
    left.altair_chart(drawn, key=f"cost-{dimension}", alt=f"Bars: cost by {dimension}")
    with right:
        columns = ["label", "calls", *own, "tokens", "p50_ms", "p95_ms"]
        tables.show(rows, dimension, columns, title=f"{title.lower()}, the dearest first", key=f"table-{dimension}",
                    calls=calls)  # fmt: skip
