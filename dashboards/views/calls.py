"""Calls: a list to narrow down, and the way into each."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from analytics import listing
from dashboards import data, parts, tables
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
    head = parts.head(context, "Calls")
    _search()
    parts.live(head, lambda: _list(context, head))


def _search() -> None:
    st.text_input(
        "Search",
        key="search",
        bind="query-params",
        placeholder="Part of an id",
        icon=":material/search:",
        help="Finds call, request, conversation and trace ids that contain this.",
    )


def _list(context: parts.Context, head: parts.Head) -> None:
    search = st.session_state.get("search") or ""
    limit = st.session_state.setdefault("calls_shown", PAGE)
    span = head.span
    rows = data.ask(context, listing.newest, span, head.filters, search, limit + 1)
    if rows.is_empty():
        parts.nothing(span, filtered=bool(head.filters or search))
        return
    shown = rows.head(limit)
    chosen = st.dataframe(
        _table(shown),
        hide_index=True,
        height=min(38 + 35 * shown.height, 640),
        column_config=_columns(),
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
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
    told = f"The newest {shown} calls" if more else say.many(shown, "calls")
    st.caption(f"{told}. Select a row to see its attempts, meters and prices.")
    if more and shown < MOST:
        st.button("Show older calls", on_click=_longer, icon=":material/expand_more:")
    elif more:
        st.caption("For older ones choose another period or a filter; for all of them, an export.")


def _longer() -> None:
    st.session_state["calls_shown"] += PAGE


_SIGNS = {"ok": "✓", "error": "✗", "refused": "⊘", "abandoned": "✗", "cancelled": "–", "open": "…"}  # noqa: RUF001
"""Beside the word, so that trouble is seen at a glance."""


def _table(rows: pl.DataFrame) -> pl.DataFrame:
    """What the list shows of each call, as much as fits 1280 px: the outcome is who answered, or why none did."""
    answered = pl.format("{} · {}", "provider", "model")
    cost = pl.struct("cost_usd", "priced").map_elements(_cost, pl.String)
    return rows.select(
        pl.col("started_at").dt.replace_time_zone("UTC"),
        pl.format("{} {}", pl.col("status").replace(_SIGNS), "status").alias("status"),
        "alias",
        pl.when(pl.col("status") == "ok").then(answered).otherwise(tables.troubles("error_type")).alias("outcome"),
        cost.alias("cost"),
        "duration_ms",
        "time_to_first_token_ms",
        "input_tokens",
        "output_tokens",
        "attempts",
    )


def _cost(row: dict[str, Any]) -> str:
    return "" if row["priced"] is None else say.money(row["cost_usd"], unpriced=not row["priced"])


def _columns() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "started_at": st.column_config.DatetimeColumn(
            "Started (UTC)", format="D MMM HH:mm:ss", timezone="UTC", width=120
        ),
        "status": text("Status", width=95),
        "alias": text("Alias", width=105),
        "outcome": text("Answered by", width=205, help="Provider and model that answered; if none did, why."),
        "cost": text("Cost", width=80, help=means.COST, alignment="right"),
        "duration_ms": number("ms", width=70, format="localized", step=1, help=means.DURATION),
        "time_to_first_token_ms": number("First ms", width=70, format="localized", step=1, help=means.TIME_TO_FIRST),
        "input_tokens": number("In", width=65, format="localized", help="Input tokens, cached ones included."),
        "output_tokens": number("Out", width=65, format="localized", help="Output tokens, reasoning included."),
        "attempts": number("Tried", width=55, help="Attempts; more than one: it was tried again, or moved on."),
    }
