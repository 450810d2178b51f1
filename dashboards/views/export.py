"""Exports: a period as a file with its manifest, what is to be charged to whom, and the months that are closed."""

from __future__ import annotations

import io
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import streamlit as st

from analytics import words
from analytics.contents import CONTENTS, FOCUS_NARROWED_BY
from analytics.exports import Format
from analytics.filing import Asked
from analytics.layouts import Written
from analytics.period import Period
from analytics.question import Filters
from dashboards import data, parts
from dashboards import definitions as means
from dashboards import format as say
from dashboards.views import charged

FORMATS = {"CSV": Format.CSV, "Parquet": Format.PARQUET, "JSON lines": Format.JSON_LINES}
FOR = ("for spreadsheets", "for analysis", "for programs")
ROWS = ("a row a call", "billing rows for FinOps tools", "the same with newer columns")
MIME = {
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.JSON_LINES: "application/jsonl",
}
MOST_BYTES = 128 << 20
"""What a browser is given: the file is held in memory until it is fetched. The command line has no such limit."""
MONTHS = 13
"""Offered to choose from."""
TABS = ("Files", "Chargeback", "Closed months")


class TooLarge(Exception):
    """For the browser."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file is the answer to."""

    content: str
    period: str
    filters: Filters
    form: Format


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that waits to be fetched."""

    wanted: Wanted
    name: str
    content: bytes
    manifest: bytes
    written: Written


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Exports", refreshed=False)
    files, charging, closed = st.tabs(TABS, key="export_part", bind="query-params")
    if files.open:
        with files, parts.explaining():
            _files(context, head)
    if charging.open:
        with charging, parts.explaining():
            charged.chargeback(context, head)
    if closed.open:
        with closed, parts.explaining():
            charged.closed(context)


def _files(context: parts.Context, head: parts.Head) -> None:
    content = st.radio("Rows", list(CONTENTS), captions=ROWS, horizontal=True, key="rows", bind="query-params")
    form = st.radio("Format", list(FORMATS), captions=FOR, horizontal=True, key="format", bind="query-params")
    content = content or "Calls"
    period, filters = head.period, head.filters
    if content != "Calls":
        period, filters = _month(), parts.only(FOCUS_NARROWED_BY, head.filters)
    wanted = Wanted(content, period, filters, FORMATS[form or "CSV"])
    span = data.period(period)
    asked = Asked(CONTENTS[content], span, filters, wanted.form)
    rows = data.export_rows(context, asked)
    st.markdown(f"**{rows:,} {words.noun(rows, 'rows')}**, {say.span(span.start, span.end)}. Costs are exact.")
    if not rows:
        parts.nothing(span, filtered=bool(filters))
        return
    if st.button("Prepare the file", type="primary", icon=":material/play_arrow:"):
        _prepare(context, wanted, asked, rows)
    ready = st.session_state.get("prepared")
    if ready and ready.wanted == wanted:
        _offer(ready)


def _month() -> str:
    """Billing rows are of whole months."""
    now = datetime.now(UTC)
    months = (now.year * 12 + now.month - 1 - back for back in range(MONTHS))
    offered = [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in months]
    chosen = st.selectbox(
        "Month", offered, key="month", bind="query-params", width=200, accept_new_options=True,
        help="Billing rows are of whole months (UTC). Type an earlier one like 2025-03.",
    )  # fmt: skip
    return chosen or offered[0]


def _prepare(context: parts.Context, wanted: Wanted, asked: Asked, rows: int) -> None:
    st.session_state.pop("prepared", None)
    bar = st.progress(0.0, "Reading the ledger")

    def told(done: int) -> None:
        bar.progress(min(done / rows, 1.0), f"{say.count(done)} of {say.many(rows, 'rows')}")

    file = _Limited()
    try:
        written, manifest = data.export(context, asked, file, told)
    except TooLarge:
        bar.empty()
        _too_large(wanted, asked.span)
        return
    bar.empty()
    kind = "" if wanted.content == "Calls" else "-" + wanted.content.lower().replace(" ", "-")
    name = f"taximeter{kind}-{asked.span.start:%Y%m%dT%H%M}-{asked.span.end:%Y%m%dT%H%M}.{asked.form}"
    st.session_state["prepared"] = Prepared(wanted, name, file.getvalue(), manifest, written)


class _Limited(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + len(data) > MOST_BYTES:
            raise TooLarge
        return super().write(data)


def _too_large(wanted: Wanted, span: Period) -> None:
    st.warning(
        f"**This file is too large for a browser** (over {MOST_BYTES >> 20} MB). Choose a shorter period, or write it "
        "where the ledger is, at any size:",
        icon=":material/hard_drive:",
    )
    period = f"{span.start:%Y-%m-%dT%H:%M:%S}..{span.end:%Y-%m-%dT%H:%M:%S}"
    focus = "" if wanted.content == "Calls" else f" --focus --focus-version {wanted.content.split()[1]}"
    since = period if not focus else wanted.period
    filters = "".join(
        f" --filter {shlex.quote(f'{name}={value}')}"
        for name, values in wanted.filters.items()
        for value in ([values] if isinstance(values, str) else values)
    )
    st.code(f"taximeter export --format {wanted.form}{focus} --since {since}{filters}", language="shell")


def _offer(ready: Prepared) -> None:
    written = ready.written
    with st.container(border=True):
        st.markdown(f":material/task: **{ready.name}** is ready: {len(ready.content) / 1e6:,.2f} MB")
        with st.container(horizontal=True):
            st.download_button(
                "Download the file", ready.content, ready.name, MIME[ready.wanted.form], on_click="ignore",
                type="primary", icon=":material/download:", key="download",
            )  # fmt: skip
            st.download_button(
                "Download its manifest", ready.manifest, f"{ready.name}.manifest.json", "application/json",
                on_click="ignore", icon=":material/receipt_long:", key="download_manifest",
                help="Rows, sums, hash and ledger position: what proves that a file is whole.",
            )  # fmt: skip
        with st.container(horizontal=True):
            st.metric("Rows", say.count(written.rows), help="Without the heading.", width=130)
            name = "cost_usd" if "cost_usd" in written.sums else "BilledCost"
            cost = Decimal(written.sums[name])
            st.metric("Cost", say.exact(cost), help=f"Exact sum of the column {name}.", width=280)
            for counted, number in written.counts.items():
                label = counted.removesuffix("_calls").capitalize()
                st.metric(label, say.count(number), help=means.COUNTED.get(counted, ""), width=130)
        st.caption("SHA-256 of the file")
        st.code(written.sha256, language=None)
