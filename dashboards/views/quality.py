"""Data quality: what the figures do not know, and how far behind they are."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from analytics import costs, errors, standing
from analytics.costs import MEANS
from analytics.period import Period
from analytics.question import Filters
from dashboards import data, links, parts
from dashboards import definitions as means
from dashboards import format as say
from dashboards.views import quality_prices

ABANDONED = (
    "Calls whose sidecar ended in the middle of them: their usage is estimated, and their cost may differ from what is "
    "billed."
)
LAG = "How long ago the oldest entry was written that is not in the ledger yet."
BACKLOG = "Journal that the bookkeeper has still to read. It is read in order, and nothing of it is lost."
TELEMETRY = "Journal whose spans and metrics have still to be sent to the collector."
CORRUPT = "Entries of the journal that could not be read and were skipped: each may be a call that is not counted."
ROLLED = "Days before this one are summed up: questions about them need not read single calls."
SINCE = "Of days before this one the calls themselves were deleted for their age. Their sums are kept."


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Data quality")
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    span, chosen = head.span, head.filters
    _ledger(context, span)
    (whole,) = data.ask(context, costs.doubted_calls, span, chosen).to_dicts()
    st.subheader("In doubt", anchor=False, help="Of the calls of the period.")
    st.caption(say.span(span.start, span.end))
    if not whole["calls"]:
        parts.nothing(span, filtered=bool(chosen))
        return
    _cards(whole, data.ask(context, errors.by_type, span, chosen))
    _doubts(context, span, parts.does_not_apply("costs", chosen))
    links.to_calls("See abandoned calls", head.period, chosen, status="abandoned")
    quality_prices.show(context, span, chosen)


def _ledger(context: parts.Context, span: Period) -> None:
    """How fresh and how whole the books are."""
    status = data.status(context)
    rolled = data.ask(context, standing.rolled, span)
    st.subheader("The ledger", anchor=False)
    if not status.live:
        st.info("**The bookkeeper is not running.** This is the ledger's file; calls since are in the journal, and are "
                "booked when it starts.", icon=":material/power_off:")  # fmt: skip
    figures = {
        "Behind": (f"{status.lag_s:.0f} s" if status.live else say.ABSENT, LAG),
        "Still to book": (_bytes(status.backlog_bytes) if status.live else say.ABSENT, BACKLOG),
        "Telemetry to send": (_bytes(status.telemetry_backlog_bytes) if status.live else say.ABSENT, TELEMETRY),
        "Unreadable": (say.count(status.corrupt_frames) if status.live else say.ABSENT, CORRUPT),
        "Summed up until": (_day(rolled.until), ROLLED),
    }
    with st.container(horizontal=True):
        for label, (value, meaning) in figures.items():
            st.metric(label, value, help=meaning, border=True, width="stretch")
    if status.corrupt_frames:
        st.warning("**Some of the journal could not be read.** `taximeter doctor` says where, and what to do.",
                   icon=":material/warning:")  # fmt: skip
    if rolled.since.year > _NEVER:
        st.caption(f"Single calls are kept from {rolled.since:%-d %b %Y} on; of older ones, sums.", help=SINCE)


_NEVER = 1970


def _day(day: Any) -> str:
    return "never" if day.year <= _NEVER else f"{day:%-d %b %Y}"


def _bytes(count: int) -> str:
    """ "0 B", "12.3 MB"."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _cards(whole: dict[str, Any], types: pl.DataFrame) -> None:
    abandoned = int(types.filter(pl.col("status") == "abandoned")["calls"].sum())
    figures = {
        "Without a price": (whole["unpriced_calls"], means.UNPRICED),
        "Estimated": (whole["estimated_calls"], means.ESTIMATED),
        "Abandoned": (abandoned, ABANDONED),
        "Maybe billed": (whole["maybe_billed_calls"], MEANS["at_risk"]),
    }
    with st.container(horizontal=True):
        for label, (count, meaning) in figures.items():
            st.metric(label, say.count(count), f"{say.share(count, whole['calls'])} of calls", delta_color="off",
                      delta_arrow="off", help=meaning, border=True, width="stretch")  # fmt: skip
        st.metric("At risk", say.money(whole["cost_at_risk_usd"]), help=means.AT_RISK, border=True, width="stretch",
                  height="stretch")  # fmt: skip


_KINDS = {
    "unpriced": ("Without a price", "unpriced", ("provider", "model", "attempts", "tokens")),
    "estimated": ("Estimated usage", "estimated", ("provider", "model", "attempts", "tokens", "cost_usd")),
    "at_risk": ("Maybe billed besides", "at_risk", ("provider", "model", "attempts", "cost_at_risk_usd")),
}
"""A doubt's title, its meaning's name, and what is known of it."""


def _doubts(context: parts.Context, span: Period, filters: Filters) -> None:
    rows = data.ask(context, costs.doubts, span, filters)
    if rows.is_empty():
        st.info("**Nothing is in doubt**: every request has reported usage and a known price.",
                icon=":material/check_circle:")  # fmt: skip
        return
    for doubt, (title, meaning, columns) in _KINDS.items():
        found = rows.filter(pl.col("doubt") == doubt)
        if found.is_empty():
            continue
        st.markdown(f"**{title}**", help=MEANS[meaning])
        st.dataframe(
            found.select(quality_prices.money(name) if name.endswith("_usd") else pl.col(name) for name in columns),
            hide_index=True, placeholder="", column_config=_DOUBTS, key=f"doubt-{doubt}",
            alt=f"Table by provider and model: {title.lower()}",
        )  # fmt: skip
        if doubt == "unpriced":
            _set_price(found)


def _set_price(found: pl.DataFrame) -> None:
    """With the provider and model that are missed most."""
    provider, model = found.select("provider", "model").row(0)
    st.caption("Set the price (US dollars for a million tokens), and price the calls of the past anew:")
    st.code(
        f"taximeter prices set {provider} '{model}' input=0.50 output=1.50\ntaximeter prices rerate", language="shell"
    )


_number, _text = st.column_config.NumberColumn, st.column_config.TextColumn
_DOUBTS: dict[str, Any] = {
    "provider": _text("Provider", pinned=True),
    "model": _text("Model"),
    "attempts": _number("Requests", format="localized"),
    "tokens": _number("Tokens", help="Input and output, as far as they are known.", format="compact"),
    "cost_usd": _text("Cost", help=MEANS["cost_usd"], alignment="right"),
    "cost_at_risk_usd": _text("At most", help=MEANS["cost_at_risk_usd"], alignment="right"),
}
