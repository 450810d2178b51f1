"""Calls: a list to narrow down, and the way into each."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from dashboards import data, parts
from dashboards import definitions as means
from dashboards import format as say
from dashboards.views import one_call

PAGE = 100
MOST = 1000


def show(context: parts.Context) -> None:
    """The list; or the call that the URL names."""
    if call_id := st.query_params.get("call"):
        one_call.show(context, call_id)
        return
    head = parts.head("Calls")
    with parts.explaining():
        filters = parts.filters(context, head.span, _search)
        parts.live(head, lambda: _list(context, head, filters))


def _search() -> None:
    st.text_input(
        "Search",
        key="search",
        bind="query-params",
        placeholder="Part of an id",
        icon=":material/search:",
        help="Finds call, request, conversation and trace ids that contain this.",
    )


def _list(context: parts.Context, head: parts.Head, filters: parts.Chosen) -> None:
    search = st.session_state.get("search") or ""
    limit = st.session_state.setdefault("calls_shown", PAGE)
    span = head.span
    rows = data.call_list(context.home, span, filters, search, limit + 1)
    if rows.is_empty():
        parts.nothing(span, filtered=bool(filters or search))
        return
    shown = rows.head(limit)
    chosen = st.dataframe(
        _table(shown),
        hide_index=True,
        height=min(38 + 35 * shown.height, 640),
        column_config=_columns(),
        on_select="rerun",
        selection_mode="single-row",
        key="calls_table",
        alt="Table of calls, the newest first. Select a row to open the call.",
    )
    if chosen.selection.rows:
        _open(shown["call_id"][chosen.selection.rows[0]])
    _foot(shown.height, more=rows.height > limit)


def _open(call_id: str) -> None:
    del st.session_state["calls_table"]
    st.query_params["call"] = call_id
    st.rerun(scope="app")


def _foot(shown: int, *, more: bool) -> None:
    told = f"The newest {shown} calls" if more else f"{shown} call{'s' if shown > 1 else ''}"
    st.caption(f"{told}. Select a row to see its attempts, meters and prices.")
    if more and shown < MOST:
        st.button("Show older calls", on_click=_longer, icon=":material/expand_more:")
    elif more:
        st.caption("For older ones choose another period or a filter; for all of them, an export.")


def _longer() -> None:
    st.session_state["calls_shown"] += PAGE


def _table(rows: pl.DataFrame) -> pl.DataFrame:
    target = pl.when(pl.col("provider") == "").then(pl.lit("")).otherwise(pl.format("{} · {}", "provider", "model"))
    fallback = pl.when(pl.col("fallback_used").fill_null(False)).then(pl.lit(" after a fallback")).otherwise(pl.lit(""))
    return rows.select(
        pl.col("started_at").dt.replace_time_zone("UTC"),
        "status",
        "alias",
        target.alias("target"),
        "operation",
        pl.col("duration_ms"),
        pl.col("time_to_first_token_ms"),
        "input_tokens",
        "output_tokens",
        pl.col("cost_usd").map_elements(say.exact, pl.String, skip_nulls=True).alias("cost"),
        pl.format("{}{}", "attempts", fallback).alias("attempts"),
        pl.col("error_type").alias("error"),
        "call_id",
    ).with_columns(pl.when(rows["priced"].eq(False)).then(pl.lit("unpriced")).otherwise("cost").alias("cost"))


def _columns() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "started_at": st.column_config.DatetimeColumn("Started (UTC)", format="D MMM HH:mm:ss.SSS", timezone="UTC"),
        "status": text("Status"),
        "alias": text("Alias"),
        "target": text("Answered by", help="Provider and model of record; empty if none answered."),
        "operation": text("Operation"),
        "duration_ms": number("Duration ms", format="%.0f", help="From the request's arrival to its last byte."),
        "time_to_first_token_ms": number("First token ms", format="%.0f", help=means.TIME_TO_FIRST),
        "input_tokens": number("Input", format="localized", help="Tokens, cached ones included."),
        "output_tokens": number("Output", format="localized", help="Tokens, reasoning included."),
        "cost": text("Cost", help=means.COST),
        "attempts": text("Attempts"),
        "error": text("Error"),
        "call_id": text("Call id"),
    }
