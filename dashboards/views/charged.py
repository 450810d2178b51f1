"""What is to be charged to whom, and the months that are closed."""

from __future__ import annotations

import polars as pl
import streamlit as st

from analytics import contents, sums, words
from analytics.chargeback import Line, as_csv, shown
from dashboards import data, parts, tables
from dashboards import definitions as means
from dashboards import filters as narrowing
from dashboards import format as say

BY = ("workspace", "caller", "alias", "key", "provider", "model")
MEANS = {
    "calls": means.CALLS,
    "cost": means.COST,
    "share": "Of the whole cost of the period and filters.",
    "unpriced_calls": means.UNPRICED,
    "estimated_calls": means.ESTIMATED,
}


def chargeback(context: parts.Context, head: parts.Head) -> None:
    """A line a value, and one for what has none; together they are what is owed."""
    span = head.span
    by = narrowing.one_of("Charge by", _by(context, head), "charge_by", width=220)
    told = data.ask(context, sums.charged, span, head.filters, by)
    if not told.lines:
        parts.nothing(span, filtered=bool(head.filters))
        return
    rows = [_row(by, line) for line in told.lines]
    tables.plain(pl.DataFrame(rows), MEANS, key="chargeback", title=f"what is charged by {by}")
    calls = f"{told.total.calls:,} {words.noun(told.total.calls, 'calls')}"
    total = f"Together **{_exact(told.total)}** for {calls}, {say.span(span.start, span.end)}."
    st.markdown(total.replace("$", "\\$"))
    name = by.rpartition(":")[2]
    st.download_button(
        "Download as CSV", as_csv(told), f"taximeter-chargeback-{name}-{span.start:%Y%m%d}-{span.end:%Y%m%d}.csv",
        "text/csv", on_click="ignore", icon=":material/download:", key="chargeback_csv",
    )  # fmt: skip


def _by(context: parts.Context, head: parts.Head) -> list[str]:
    """Tags first: they are what most charge by."""
    tags = {value.partition("=")[0] for value in data.choosable(context, head.span).get("tag", [])}
    mine = context.who.workspace is None
    return [*(f"tag:{key}" for key in sorted(tags)), *(name for name in BY if name != "workspace" or mine)]


def _row(by: str, line: Line) -> dict[str, object]:
    return {
        by.rpartition(":")[2]: shown([by], line.values)[0],
        "calls": line.calls,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cost": _exact(line),
        "share": None if line.share is None else float(line.share),
        "unpriced_calls": line.unpriced_calls,
        "estimated_calls": line.estimated_calls,
    }


def _exact(line: Line) -> str:
    if line.cost_usd is None:
        return "unknown"
    return f"{'≥ ' if line.unpriced_calls else ''}{say.exact(line.cost_usd)}"


def closed(context: parts.Context) -> None:
    """Their billing rows never change: what comes later is a correction in the first open month."""
    rows = data.ask_of_all(context, contents.closed_months)
    if rows is None:
        st.info("Closed months are shown to auditors and operators: they are of all workspaces.",
                icon=":material/lock:")  # fmt: skip
        return
    if rows.is_empty():
        st.info("**No month is closed yet.** Billing rows of open months still change as usage comes in.",
                icon=":material/lock_open:")  # fmt: skip
        st.code("taximeter periods close 2026-10", language="shell")
        return
    told = rows.with_columns(
        pl.col("month").dt.strftime("%Y-%m"),
        pl.col("closed_at").dt.strftime("%Y-%m-%d %H:%M UTC"),
        tables.exactly("cost_usd"),
        tables.exactly("corrections_usd"),
    )
    tables.plain(told, {"sha256": "Of the closed rows."}, key="closed", title="closed months")
