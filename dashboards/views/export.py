"""Export: a period's calls as a file, with the manifest of what is in it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import streamlit as st

from analytics import exports, listing
from analytics.exports import Format, Written
from analytics.period import Period
from analytics.question import Filters
from dashboards import data, parts
from dashboards import definitions as means
from dashboards import format as say

FORMATS = {"CSV": Format.CSV, "Parquet": Format.PARQUET, "JSON lines": Format.JSON_LINES}
FOR = ("for spreadsheets", "for analysis", "for programs")
MIME = {
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.JSON_LINES: "application/jsonl",
}
MOST_BYTES = 128 << 20
"""What a browser is given: the file is held in memory until it is fetched. The command line has no such limit."""


class TooLarge(Exception):
    """For the browser."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a file is the answer to."""

    period: str
    filters: Filters
    form: Format


@dataclass(frozen=True, slots=True)
class Prepared:
    """A file that waits to be fetched."""

    asked: Asked
    name: str
    content: bytes
    manifest: bytes
    written: Written


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Exports", refreshed=False)
    with parts.explaining():
        span, filters = head.span, head.filters
        form = st.radio(
            "Format",
            list(FORMATS),
            captions=FOR,
            horizontal=True,
            key="format",
            bind="query-params",
        )
        rows = data.ask(context, listing.count, span, filters)
        st.markdown(f"**{say.count(rows)} calls**, {say.span(span.start, span.end)}. One row a call; costs are exact.")
        if not rows:
            parts.nothing(span, filtered=bool(filters))
            return
        asked = Asked(head.period, filters, FORMATS[form or "CSV"])
        if st.button("Prepare the file", type="primary", icon=":material/play_arrow:"):
            _prepare(context, asked, span, rows)
        ready = st.session_state.get("prepared")
        if ready and ready.asked == asked:
            _offer(ready)


def _prepare(context: parts.Context, asked: Asked, span: Period, rows: int) -> None:
    st.session_state.pop("prepared", None)
    position = data.ledger_position(context)
    batches = data.batches(context, lambda seen: exports.export_question(span.start, span.end, seen), asked.filters)
    bar = st.progress(0.0, "Reading the ledger")

    def told(done: int) -> None:
        bar.progress(min(done / rows, 1.0), f"{say.count(done)} of {say.count(rows)} calls")

    file = _Limited()
    try:
        written = exports.write(batches, asked.form, file, told)
    except TooLarge:
        bar.empty()
        _too_large(asked.form, span)
        return
    bar.empty()
    st.session_state["prepared"] = Prepared(
        asked,
        f"taximeter-{span.start:%Y%m%dT%H%M}-{span.end:%Y%m%dT%H%M}.{asked.form}",
        file.getvalue(),
        exports.manifest(written, span.start, span.end, data.seen(context.who, asked.filters), position),
        written,
    )


class _Limited(io.BytesIO):
    def write(self, data: Any) -> int:
        if self.tell() + len(data) > MOST_BYTES:
            raise TooLarge
        return super().write(data)


def _too_large(form: Format, span: Period) -> None:
    st.warning(
        f"**This file is too large for a browser** (over {MOST_BYTES >> 20} MB). Choose a shorter period, or write it "
        "where the ledger is, at any size:",
        icon=":material/hard_drive:",
    )
    period = f"{span.start:%Y-%m-%dT%H:%M:%S}..{span.end:%Y-%m-%dT%H:%M:%S}"
    st.code(f"taximeter export --format {form} --since {period}", language="shell")


def _offer(ready: Prepared) -> None:
    written = ready.written
    with st.container(border=True):
        st.markdown(f":material/task: **{ready.name}** is ready: {len(ready.content) / 1e6:,.2f} MB")
        with st.container(horizontal=True):
            st.download_button(
                "Download the file", ready.content, ready.name, MIME[ready.asked.form], on_click="ignore",
                type="primary", icon=":material/download:", key="download",
            )  # fmt: skip
            st.download_button(
                "Download its manifest", ready.manifest, f"{ready.name}.manifest.json", "application/json",
                on_click="ignore", icon=":material/receipt_long:", key="download_manifest",
                help="Rows, sums, hash and ledger position: what proves that a file is whole.",
            )  # fmt: skip
        with st.container(horizontal=True):
            st.metric("Rows", say.count(written.rows), width=130)
            st.metric("Cost", say.exact(written.cost_usd), help="Exact sum of the column cost_usd.", width=280)
            st.metric("Unpriced", say.count(written.unpriced_calls), help=means.UNPRICED, width=130)
            st.metric("Estimated", say.count(written.estimated_calls), help=means.ESTIMATED, width=130)
        st.caption("SHA-256 of the file")
        st.code(written.sha256, language=None)
