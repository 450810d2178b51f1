"""Usage: who and what used how much, by any dimension and grain, as a chart and as a table."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import polars as pl
import streamlit as st

from analytics import overview, sums
from analytics.dimensions import OF_TARGET
from analytics.period import Period
from dashboards import charts, data, parts, tables
from dashboards import definitions as means
from dashboards import filters as narrowing
from dashboards import format as say

MEASURES = {"Calls": "calls", "Cost": "cost_usd", "Tokens": "tokens", "Errors": "errors"}
DIMENSIONS = ("provider", "model", "alias", "workspace", "key", "caller", "operation", "status")
GRAINS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
}
GRAIN = "How long a bar is; auto fits it to the period."
BARS = 400
"""Times that a chart is given at most."""
APART = 9
"""Values of a dimension that it tells apart; the others are one."""
COLUMNS = ("label", "calls", "share", "tokens", "input_tokens", "output_tokens", "erring", "fallbacks", "p50_ms",
           "p95_ms")  # fmt: skip
MANY = 50
"""Values from which on the others are left out of the chart."""


class Asked(NamedTuple):
    """What the page is about."""

    measure: str
    by: str
    grain: str

    @property
    def value(self) -> str:
        """The measure's column."""
        return MEASURES[self.measure]

    @property
    def name(self) -> str:
        """The dimension's column: of a tag its key."""
        return self.by.rpartition(":")[2]

    @property
    def axis(self) -> str:
        return "Cost (USD)" if self.measure == "Cost" else self.measure


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Usage", compare=True)
    with parts.explaining():
        asked = _asked(context, head.span)
        parts.live(head, lambda: _body(context, head, asked))


def _asked(context: parts.Context, span: Period) -> Asked:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = st.segmented_control(
            "Measure", list(MEASURES), default="Calls", key="usage_of", bind="query-params", required=True
        )
        by = narrowing.one_of("By", dimensions(context, span), "usage_by", width=190)
        grain = narrowing.one_of("Grain", ["auto", *grains(span)], "grain", width=120, meaning=GRAIN)
    return Asked(measure or "Calls", by, overview.grain(span) if grain == "auto" else grain)


def dimensions(context: parts.Context, span: Period) -> list[str]:
    """What this viewer can part usage by; tags by the keys there are."""
    there = data.choosable(context, span).get("tag", [])
    tags = sorted({f"tag:{value.partition('=')[0]}" for value in there})
    return [*(name for name in DIMENSIONS if name != "workspace" or context.who.workspace is None), *tags]


def grains(span: Period) -> list[str]:
    """Those that draw neither one bar nor thousands."""
    return [name for name, step in GRAINS.items() if 1 < span.length / step <= BARS]


def _body(context: parts.Context, head: parts.Head, asked: Asked) -> None:
    span, filters = head.span, head.filters
    rows = tables.with_tokens(data.ask(context, sums.sums, span, filters, asked.by))
    if rows.is_empty():
        parts.nothing(span, filtered=bool(filters))
        return
    rows = rows.sort(pl.col(asked.value).cast(pl.Float64), descending=True, nulls_last=True, maintain_order=True)
    _chart(context, head, asked, rows)
    _table(context, head, asked, rows)


def _chart(context: parts.Context, head: parts.Head, asked: Asked, rows: pl.DataFrame) -> None:
    """Of a dimension with many values only the largest are asked for: else there were bars without end."""
    span, many = head.span, rows.height > MANY
    filters = {**head.filters, asked.by: rows[asked.by].head(APART).to_list()} if many else head.filters
    course = tables.with_tokens(data.ask(context, sums.course, span, filters, asked.by, asked.grain))
    folded = charts.folded(course.rename({asked.by: asked.name}), asked.name, asked.value, APART)
    drawn = charts.stacked(folded, asked.name, asked.value, asked.axis, asked.grain)
    shown: charts.Drawn = drawn
    said = [f"The chart shows the {APART} largest of {rows.height:,}; the table has all."] if many else []
    if head.before and not many:
        former = tables.with_tokens(data.ask(context, sums.course, head.before, head.filters, None, asked.grain))
        if not former.is_empty():
            shown = charts.with_before(drawn, charts.moved(former, head.before, span), asked.value, asked.axis)
            said.append(means.BEFORE)
    told = f"Bars over time: {asked.measure.lower()} by {asked.name}, a bar a {asked.grain}"
    st.altair_chart(shown, key="usage_course", alt=told)
    st.caption(" ".join(said))


def _table(context: parts.Context, head: parts.Head, asked: Asked, rows: pl.DataFrame) -> None:
    columns = [*COLUMNS]
    if asked.by in OF_TARGET:  # a call that failed there is another's, or nobody's
        columns.remove("erring")
    if head.before:
        before = tables.with_tokens(data.ask(context, sums.sums, head.before, head.filters, asked.by))
        if not before.is_empty():
            rows = tables.with_change(rows, before, asked.by, asked.value)
            columns.insert(2, "change")
    if asked.by == "provider":
        rows = tables.with_tried(rows, data.ask(context, sums.tried, head.span, head.filters))
        columns[-3:-3] = ["attempts", "failing"]
    shown = tables.with_label(tables.with_rates(rows)).rename({asked.by: asked.name})
    calls = means.ANSWERED if asked.by in OF_TARGET else means.CALLS
    tables.show(shown, asked.name, columns, title=f"usage by {asked.name}", key="usage_table", calls=calls)
    with st.container(horizontal=True, vertical_alignment="center"):
        tables.csv(rows, f"usage-by-{asked.name}", "usage_csv")
        st.caption(
            f"{say.many(rows.height, 'rows')}, {say.span(head.span.start, head.span.end)}. Costs are exact in the file."
        )
