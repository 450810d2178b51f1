"""Errors: what callers were told, what providers did, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import polars as pl
import streamlit as st

from analytics import errors, facts, overview
from analytics.errors import MEANS
from analytics.period import Period
from analytics.question import Filters
from dashboards import charts, data, links, parts, tables
from dashboards import definitions as means
from dashboards import format as say
from dashboards.charts import heat

UNANSWERED = ("error", "refused", "abandoned")
"""Statuses of calls that count as errors."""
STATUS = (
    "error: failed at all providers that were tried. refused: before any was asked, as for a budget or a missing key. "
    "abandoned: the sidecar ended in the middle of it."
)
HEAT = "Share of the calls that ended in an error, by the hour (UTC) of their start. Point at a cell for the counts."
BY_WEEKDAY, BY_DAY = "By weekday", "By day"
LONG = timedelta(days=14)


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Errors", compare=True)
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    span, chosen = head.span, head.filters
    hours = data.ask(context, errors.by_hour, span, chosen)
    if not hours["calls"].sum():
        parts.nothing(span, filtered=bool(chosen))
        return
    types = data.ask(context, errors.by_type, span, chosen)
    known = {name: wanted for name, wanted in chosen.items() if facts.knows("attempts", name)}
    tried = data.ask(context, errors.by_provider, span, known)
    before = data.ask(context, errors.by_hour, head.before, chosen) if head.before else None
    _cards(hours, before, types, tried)
    st.caption(say.span(span.start, span.end))
    if types.is_empty():
        st.info("**Every call was answered** in this period.", icon=":material/check_circle:")
    else:
        _over_time(context, span, chosen)
        _hours(hours, span)
        _types(types, head)
    _tried(tried, head)


def _cards(hours: pl.DataFrame, before: pl.DataFrame | None, types: pl.DataFrame, tried: pl.DataFrame) -> None:
    calls, failed = int(hours["calls"].sum()), int(hours["errors"].sum())
    refused = int(types.filter(pl.col("status") == "refused")["calls"].sum())
    figures: dict[str, tuple[str, str, str | None]] = {
        "Errors": (say.count(failed), MEANS["errors"], _change(hours, before, "errors")),
        "Error rate": (say.share(failed, calls), means.ERROR_RATE, _change(hours, before, "rate")),
        "Refused": (say.count(refused), "Errors before any provider was asked.", None),
        "Failed attempts": (say.count(int(tried["failed"].sum())), MEANS["failed"], None),
    }
    with st.container(horizontal=True):
        for label, (value, meaning, delta) in figures.items():
            parts.card(label, value, delta, meaning, "inverse")


def _change(now: pl.DataFrame, before: pl.DataFrame | None, name: str) -> str | None:
    return None if before is None else say.change(_figure(now, name), _figure(before, name))


def _figure(hours: pl.DataFrame, name: str) -> float | None:
    calls, failed = int(hours["calls"].sum()), int(hours["errors"].sum())
    if name == "errors":
        return failed
    return failed / calls if calls else None


def _over_time(context: parts.Context, span: Period, filters: Filters) -> None:
    st.subheader("Over time", anchor=False, help=MEANS["errors"])
    rows = data.ask(context, errors.course, span, filters).with_columns(_did("error_type"))
    drawn = charts.stacked(rows, "error_type", "errors", "Errors", overview.grain(span))
    st.altair_chart(drawn, key="course", alt="Bars over time: calls that ended in an error, by type")


def _hours(hours: pl.DataFrame, span: Period) -> None:
    title, choice = st.columns([3, 2], vertical_alignment="center")
    title.subheader("By hour", anchor=False, help=HEAT)
    with choice:
        usual = BY_WEEKDAY if span.length >= LONG else BY_DAY
        rows = st.segmented_control("Rows", [BY_WEEKDAY, BY_DAY], default=usual, key="rows", required=True,
                                    label_visibility="collapsed")  # fmt: skip
    cells = heat.by_weekday(hours) if rows == BY_WEEKDAY else heat.by_day(hours)
    shown = heat.WEEKDAYS if rows == BY_WEEKDAY else cells["row"].unique().sort().to_list()
    st.altair_chart(heat.drawn(cells, shown), key="heat", alt=heat.told(cells))


def _types(types: pl.DataFrame, head: parts.Head) -> None:
    st.subheader("What callers were told", anchor=False, help=MEANS["calls"])
    st.dataframe(
        types.with_columns(tables.troubles("error_type")),
        hide_index=True, placeholder="", column_config=_TYPES, key="types",
        alt="Table of errors by status and type, the most first",
    )  # fmt: skip
    links.to_calls("See these calls", head.period, head.filters, status=UNANSWERED)


def _tried(tried: pl.DataFrame, head: parts.Head) -> None:
    st.subheader("What providers did", anchor=False, help=MEANS["failed"])
    parts.does_not_apply("attempts", head.filters)
    if tried.is_empty():
        st.caption("No attempt failed.")
        return
    told = tried.with_columns(_did("error_type"), pl.col("http_status").cast(pl.String)).drop("share")
    chosen = st.dataframe(
        told, hide_index=True, placeholder="", column_config=_TRIED, key="tried",
        on_select="rerun", selection_mode="single-row",
        alt="Table of failed attempts by provider, type and HTTP status. Select a row to get to the calls.",
    )  # fmt: skip
    if chosen.selection.rows:
        provider = tried["provider"][chosen.selection.rows[0]]
        links.to_calls(f"See the calls that went to {provider}", head.period, head.filters, provider=provider)
    else:
        st.caption("Select a row to get to the calls that went there.")


def _did(name: str) -> pl.Expr:
    """What has no kind of error is what a sidecar left in the middle."""
    return pl.when(pl.col(name) == "").then(pl.lit("abandoned")).otherwise(tables.troubles(name)).alias(name)


_number, _text = st.column_config.NumberColumn, st.column_config.TextColumn
_TYPES: dict[str, Any] = {
    "status": _text("Status", help=STATUS),
    "error_type": _text("Type", help=MEANS["error_type"]),
    "calls": _number("Calls", help=MEANS["calls"], format="localized"),
    "share": _number("Of all errors", help=MEANS["share"], format="percent"),
    "rate": _number("Of all calls", help=MEANS["error_rate"], format="percent"),
}
_TRIED: dict[str, Any] = {
    "provider": _text("Provider", pinned=True),
    "error_type": _text("Type", help=MEANS["error_type"]),
    "http_status": _text("HTTP status", help=MEANS["http_status"], alignment="right"),
    "failed": _number("Failed", help=MEANS["failed"], format="localized"),
    "attempts": _number("Attempts", help=MEANS["attempts"], format="localized"),
    "failure_rate": _number("Failure rate", help=MEANS["failure_rate"], format="percent"),
}
