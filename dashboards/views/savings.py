"""Days that are unlike others, and what would have cost less: each as a card with its arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import streamlit as st

from analytics import anomalies, suggestions
from analytics.period import Period
from analytics.question import Filters
from dashboards import data, parts
from dashboards import format as say

CARDS = 12
MEASURES = {"cost_usd": "cost", "attempts": "requests", "error_share": "errors", "mean_ms": "latency"}
"""What is unusual of a day, in words."""
SURE = {"high": "green", "medium": "blue", "low": "gray"}
"""Confidence, as a badge's colour."""


def unusual(context: parts.Context, span: Period, chosen: Filters) -> None:
    """The period's days that are unlike the four weeks before."""
    filters = parts.does_not_apply("attempts", chosen)
    found = data.ask(context, anomalies.anomalies, span, filters)
    if found.is_empty():
        st.success("**Nothing unusual** in this period, by what each provider cost, answered and failed in the four "
                   "weeks before.", icon=":material/check_circle:")  # fmt: skip
        return
    st.caption("Compared with the same weekday of the four weeks before, or with all days where those are few.")
    for row in found.head(CARDS).iter_rows(named=True):
        _day(row, everywhere=context.who.workspace is None)
    if found.height > CARDS:
        st.caption(f"{found.height - CARDS} more: choose a shorter period or a filter.")


def _day(row: Mapping[str, Any], *, everywhere: bool) -> None:
    with st.container(border=True):
        where = f"{row['provider']} in {row['workspace']}" if everywhere else row["provider"]
        up = row["value"] > row["expected"]
        st.markdown(
            f"**{row['day']:%-d %b %Y} · {where}** :{'orange' if up else 'blue'}-badge[{MEASURES[row['measure']]} "
            f"{'above' if up else 'below'} the usual]{' :gray-badge[day not over]' if row['partial'] else ''}"
        )
        st.markdown(_plain(row["explanation"]))


def suggested(context: parts.Context, span: Period, chosen: Filters) -> None:
    """What would have cost less, those that save most first."""
    filters = parts.does_not_apply("fallbacks", parts.does_not_apply("costs", chosen))
    found = data.ask(context, suggestions.suggestions, span, filters)
    if not found:
        st.success("**Nothing to suggest** from this period's calls.", icon=":material/check_circle:")
        return
    st.caption(
        "Computed from the ledger alone, which knows prices and not how good an answer is. Nothing changes by itself."
    )
    for each in found[:CARDS]:
        _card(each)


def _card(each: suggestions.Suggestion) -> None:
    with st.container(border=True):
        title, saves = st.columns([3, 1])
        title.markdown(f"**{_plain(each.title)}** :{SURE[each.confidence]}-badge[{each.confidence} confidence]",
                       help=f"{suggestions.KINDS[each.kind]} {suggestions.MEANS['confidence']}")  # fmt: skip
        if each.saves_usd:
            saves.metric(
                "Would save", say.money(each.saves_usd), help=suggestions.MEANS["saves_usd"],
                delta=f"{say.money(each.saves_30d_usd)} in 30 days", delta_color="off", delta_arrow="off",
            )  # fmt: skip
        end = each.period.end - timedelta(microseconds=1)
        with st.expander(f"The arithmetic, of {each.period.start:%-d %b} to {end:%-d %b %Y}"):
            st.code("\n".join(each.arithmetic), language=None, wrap_lines=True)
            for line in each.unknown:
                st.markdown(f"- {_plain(line)}")


def _plain(text: str) -> str:
    """Dollar signs are money here, not formulas."""
    return text.replace("$", "\\$")
