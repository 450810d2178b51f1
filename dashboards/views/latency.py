"""Latency: how long callers waited, for the whole and for its first part, and what of it was Taximeter's own."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from analytics import waits
from analytics.period import Period
from analytics.question import Filters
from analytics.waits import MEANS, SHARES
from dashboards import charts, data, links, parts
from dashboards import format as say
from dashboards.charts import waits as drawing

MEASURES = {"Duration": "duration", "First token": "first_token", "Overhead": "overhead"}
DIMENSIONS = {"By provider": "provider", "By model": "model", "By alias": "alias"}
APPROXIMATE = (
    "Read from bins that lie 4 % apart, so that a month need not be read call by call: each figure is within 2 % of "
    "the exact one."
)
EXACTLY = f"Read every call. For periods of at most {waits.LONGEST.days} days; shorter ones than 2 days always are."
EXACT = "Exact, to the microsecond."


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Latency", compare=True)
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    span, chosen = head.span, head.filters
    exactly = _exactly(span)
    rows = {measure: data.ask(context, waits.waits, span, chosen, measure, (), exactly=exactly).to_dicts()[0]
            for measure in MEASURES.values()}  # fmt: skip
    if not rows["duration"]["times"]:
        parts.nothing(span, filtered=bool(chosen))
        return
    binned = waits.from_bins(span, chosen, exactly=exactly)
    st.caption(f"{say.span(span.start, span.end)} {':gray-badge[±2 %]' if binned else ':green-badge[exact]'}",
               help=APPROXIMATE if binned else EXACT)  # fmt: skip
    _cards(context, head, rows, exactly=exactly)
    _over_time(context, span, chosen, exactly=exactly)
    _table(context, span, chosen, exactly=exactly)
    links.to_calls("See the calls", head.period, chosen, status="ok")


def _exactly(span: Period) -> bool:
    """Offered where it makes a difference, and can be."""
    if not waits.from_bins(span) or span.length > waits.LONGEST:
        return False
    return st.toggle("Exact", key="exact", bind="query-params", help=EXACTLY)


def _cards(context: parts.Context, head: parts.Head, rows: dict[str, dict[str, Any]], *, exactly: bool) -> None:
    """A row of three for each measure that was timed."""
    for label, measure in MEASURES.items():
        now = rows[measure]
        if now["p50_ms"] is None:
            continue
        before = None
        if head.before:
            (before,) = data.ask(
                context, waits.waits, head.before, head.filters, measure, (), exactly=exactly
            ).to_dicts()
        with st.container(horizontal=True):
            for share in SHARES:
                delta = say.change(now[share], before[share]) if before else None
                meaning = f"{MEANS[measure]} {MEANS[share]}"
                parts.card(f"{label} {share[:3]}", say.duration(now[share]), delta, meaning, "inverse")


def _over_time(context: parts.Context, span: Period, filters: Filters, *, exactly: bool) -> None:
    title, choice = st.columns([3, 2], vertical_alignment="center")
    title.subheader("Over time", anchor=False)
    with choice:
        chosen = st.segmented_control("Measure", list(MEASURES), default="Duration", key="timed", bind="query-params",
                                      required=True, label_visibility="collapsed") or "Duration"  # fmt: skip
    rows = data.ask(context, waits.course, span, filters, MEASURES[chosen], exactly=exactly)
    if rows["p50_ms"].is_null().all():
        st.caption("None was timed: only streams have a first token.")
        return
    st.altair_chart(drawing.drawn(rows), key="course",
                    alt=f"Line chart of {chosen.lower()} over time: {_extremes(rows)}")  # fmt: skip


def _extremes(rows: pl.DataFrame) -> str:
    """The chart for who cannot see it."""
    known = rows.drop_nulls("p95_ms")
    worst = known.sort("p95_ms", descending=True).row(0, named=True)
    least, most = (say.duration(float(str(found))) for found in (known["p50_ms"].min(), known["p50_ms"].max()))
    when = f"{worst['at']:%Y-%m-%d %H:%M} UTC"
    return f"p50 from {least} to {most}, p95 highest at {when} with {say.duration(worst['p95_ms'])}"


def _table(context: parts.Context, span: Period, filters: Filters, *, exactly: bool) -> None:
    title, choice = st.columns([3, 2], vertical_alignment="center")
    title.subheader("By whom", anchor=False, help=MEANS["times"])
    with choice:
        by = st.segmented_control("Group", list(DIMENSIONS), default="By provider", key="whose", bind="query-params",
                                  required=True, label_visibility="collapsed") or "By provider"  # fmt: skip
    name = DIMENSIONS[by]
    rows = data.ask(context, waits.waits, span, filters, "duration", (name,), exactly=exactly)
    for measure in ("first_token", "overhead"):
        more = data.ask(context, waits.waits, span, filters, measure, (name,), exactly=exactly)
        rows = rows.join(more.drop("times"), on=name, how="left", suffix=f"_{measure}")
    st.dataframe(
        charts.named(rows, name), hide_index=True, placeholder="", column_config=_columns(name), key=f"table-{name}",
        alt=f"Table of latency percentiles by {name}, the most calls first",
    )  # fmt: skip


def _columns(name: str) -> dict[str, Any]:
    number = st.column_config.NumberColumn
    timed = {
        f"{share}{f'_{measure}' if measure != 'duration' else ''}": number(
            f"{label}{share[:3]} ms", help=f"{MEANS[measure]} {MEANS[share]}",
            format="%.1f" if measure == "overhead" else "%.0f",
        )
        for measure, label in {"duration": "", "first_token": "First ", "overhead": "Overhead "}.items()
        for share in SHARES
    }  # fmt: skip
    return {
        name: st.column_config.TextColumn(name.capitalize(), pinned=True),
        "times": number("Calls", help=MEANS["times"], format="localized"),
        **timed,
    }
