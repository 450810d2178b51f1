"""Overview: the period's figures, their course, and who they went to."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from decimal import Decimal
from typing import NamedTuple

import polars as pl
import streamlit as st

from analytics import overview, sums, usage
from analytics.overview import Row
from analytics.period import Period
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
"""Colours in a bar."""
DIMENSIONS = {"By provider": "provider", "By alias": "alias"}
POINTS = 60
"""Of a card's small chart, as many as it has room for."""


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Overview", compare=True)
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    asked = _ask(context, head)
    now, former = asked.totals.result(), asked.totals_before
    if not now["calls"]:
        parts.nothing(head.span, filtered=bool(head.filters))
        return
    _cards(now, former.result() if former else None, _courses(asked, head.span))
    _doubts(now, head)
    _over_time(context, head, asked)
    st.subheader("Providers", anchor=False)
    rows = tables.with_tried(asked.providers.result(), asked.tried.result())
    _ranking(rows, "provider", ["attempts", "failing"], calls=means.ANSWERED)
    st.subheader("Aliases", anchor=False)
    rows = asked.aliases.result().with_columns((pl.col("errors") / pl.col("calls")).alias("erring"))
    _ranking(rows, "alias", ["erring", "fallbacks"], calls=means.CALLS)


class _Asked(NamedTuple):
    """All that the page shows, but for the bars."""

    totals: Future[Row]
    totals_before: Future[Row] | None
    course: Future[pl.DataFrame]
    timed: Future[pl.DataFrame]
    course_before: Future[pl.DataFrame] | None
    providers: Future[pl.DataFrame]
    tried: Future[pl.DataFrame]
    aliases: Future[pl.DataFrame]


def _ask(context: parts.Context, head: parts.Head) -> _Asked:
    span, before, filters = head.span, head.before, head.filters
    # Of days the percentiles are known; of the hours of a long period every call would have to be read.
    grain = "day" if span.length > usage.EXACT else None
    return _Asked(
        totals=data.soon(context, overview.totals, span, filters),
        totals_before=data.soon(context, overview.totals, before, filters) if before else None,
        course=data.soon(context, sums.course, span, filters),
        timed=data.soon(context, sums.course, span, filters, None, grain, timed=True),
        course_before=data.soon(context, sums.course, before, filters) if before else None,
        providers=data.soon(context, sums.sums, span, filters, "provider"),
        tried=data.soon(context, sums.tried, span, filters),
        aliases=data.soon(context, sums.sums, span, filters, "alias"),
    )


def _courses(asked: _Asked, span: Period) -> dict[str, list[float]]:
    """What each card's small chart shows: sums with their zeros, latencies where there were calls."""
    timed, whole = asked.timed.result(), tables.with_tokens(asked.course.result())
    sums = overview.filled(whole, span, [card.course for card in CARDS])
    return {
        card.course: timed[card.course].drop_nulls().to_list()
        if card.course.endswith("_ms")
        else overview.coarser(sums[card.course], POINTS).to_list()
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


def _doubts(now: Row, head: parts.Head) -> None:
    """The period, and what its figures do not know."""
    counted, span = usage.counted(head.filters), head.span
    said = [say.span(span.start, span.end)]
    if now["unpriced_calls"]:
        said.append(f":orange-badge[{say.many(now['unpriced_calls'], counted)} without a known price]")
    if now["estimated_calls"]:
        said.append(f":gray-badge[{say.many(now['estimated_calls'], counted)} with estimated usage]")
    if now["fallbacks"]:
        said.append(f":gray-badge[{say.many(now['fallbacks'], 'calls')} with a fallback]")
    unpriced = means.UNPRICED if counted == "calls" else means.UNPRICED_THERE
    st.caption(" ".join(said), help=f"{unpriced} {means.ESTIMATED} {means.FALLBACKS}")


def _over_time(context: parts.Context, head: parts.Head, asked: _Asked) -> None:
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
    if head.before and asked.course_before:
        former = charts.moved(tables.with_tokens(asked.course_before.result()), head.before, span)
        drawn = charts.with_before(bars, former, column, axis)
    st.altair_chart(charts.on_canvas(drawn), key="course", alt=f"Bars over time: {measure.lower()} {by.lower()}")


def _choice(label: str, options: list[str], key: str) -> str:
    chosen = st.segmented_control(
        label, options, default=options[0], key=key, bind="query-params", required=True, label_visibility="collapsed"
    )
    return chosen or options[0]


def _ranking(rows: pl.DataFrame, dimension: str, own: list[str], calls: str) -> None:
    rows = tables.with_cost_share(tables.with_label(tables.with_tokens(rows)))
    columns = ["label", "cost_share", "calls", *own, "tokens", "p50_ms", "p95_ms"]
    tables.show(rows, dimension, columns, title=f"{dimension}s, the dearest first", key=f"table-{dimension}",
                calls=calls)  # fmt: skip
