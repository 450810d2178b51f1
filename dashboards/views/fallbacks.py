"""Fallbacks: how often a call moved on, from whom to whom, why, and what that saved and cost."""

from __future__ import annotations

from typing import Any

import polars as pl
import streamlit as st

from analytics import fallbacks, overview
from analytics.fallbacks import MEANS
from analytics.overview import Row
from analytics.period import Period
from analytics.question import Filters
from dashboards import charts, data, filters, links, parts, tables
from dashboards import format as say
from dashboards.charts import sankey

FLOW = "A ribbon is as thick as the number of moves. It has the colour of the provider that was left, and then of the "
FLOW += "one that took over. Point at one to see its figures."


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Fallbacks", compare=True)
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    span, chosen = head.span, head.filters
    of_calls = _known(chosen)
    aliases = data.ask(context, fallbacks.rescue, span, of_calls)
    whole = _whole(aliases)
    if not whole["calls"]:
        parts.nothing(span, filtered=bool(chosen))
        return
    _cards(whole, _whole(data.ask(context, fallbacks.rescue, head.before, of_calls)) if head.before else None)
    _told(span, chosen, of_calls)
    if not whole["fallbacks"]:
        st.info("**No call had to fall back** in this period.", icon=":material/check_circle:")
        return
    _flow(context, span, parts.does_not_apply("fallbacks", chosen))
    _over_time(context, span, of_calls)
    _aliases(aliases)
    links.to_calls("See the calls that were not answered", head.period, chosen, status="error")


def _known(chosen: Filters) -> Filters:
    """Calls are counted by alias: a call that failed was answered by no provider."""
    return {name: wanted for name, wanted in chosen.items() if name in fallbacks.RESCUE_NARROWED_BY}


def _told(span: Period, chosen: Filters, known: Filters) -> None:
    st.caption(say.span(span.start, span.end))
    if out := [filters.label(name) for name in chosen if name not in known]:
        st.caption(f":material/filter_alt_off: All but the flow is not narrowed by {' or '.join(out)}.")


def _whole(aliases: pl.DataFrame) -> Row:
    """All aliases in one."""
    (sums,) = aliases.select(pl.col("calls", "fallbacks", "rescued", "failed", "lost_ms", "lost_usd").sum()).to_dicts()
    waited = sums["rescued"] + sums["failed"]
    return {
        **sums,
        "fallback_rate": sums["fallbacks"] / sums["calls"] if sums["calls"] else None,
        "rescue_rate": sums["rescued"] / waited if waited else None,
        "lost_ms_mean": sums["lost_ms"] / sums["fallbacks"] if sums["fallbacks"] else None,
    }


def _cards(now: Row, before: Row | None) -> None:
    waited = now["rescued"] + now["failed"]
    figures: dict[str, tuple[str, str, parts.Judged]] = {
        "Fell back": (say.share(now["fallbacks"], now["calls"]), "fallback_rate", "inverse"),
        "Rescued": (say.share(now["rescued"], waited), "rescue_rate", "normal"),
        "Rescued calls": (say.count(now["rescued"]), "rescued", "off"),
        "Time lost, mean": (say.duration(now["lost_ms_mean"]), "lost_ms_mean", "inverse"),
        "Money lost": (say.money(now["lost_usd"]), "lost_usd", "inverse"),
    }
    with st.container(horizontal=True):
        for label, (value, name, good) in figures.items():
            delta = say.change(now[name], before[name]) if before else None
            parts.card(label, value, delta, MEANS[name], good)


def _flow(context: parts.Context, span: Period, narrowed: Filters) -> None:
    flows = data.ask(context, fallbacks.flows, span, narrowed)
    st.subheader("Who took over from whom", anchor=False, help=f"{FLOW} {MEANS['moves']}")
    if flows.is_empty():
        st.caption("No moves with these filters.")
        return
    st.altair_chart(sankey.drawn(flows), key="flow", alt=sankey.told(flows))
    with st.expander("The same as a table", icon=":material/table:"):
        st.dataframe(_flow_rows(flows), hide_index=True, placeholder="", column_config=_FLOWS, key="flows",
                     alt="Table of moves from target to target, the most first")  # fmt: skip


def _flow_rows(flows: pl.DataFrame) -> pl.DataFrame:
    return flows.select(
        pl.format("{} · {}", "from_provider", "from_model").alias("left"),
        pl.format("{} · {}", "to_provider", "to_model").alias("reached"),
        tables.troubles("reason"),
        "moves",
        "rescue_rate",
        (pl.col("lost_ms") / pl.col("moves")).alias("lost_ms_mean"),
        _money("lost_usd"),
        _money("price_difference_usd"),
    )


def _money(name: str) -> pl.Expr:
    """Exact decimals in words: a frame's table would show them as floats."""
    return pl.col(name).map_elements(say.money, pl.String).fill_null("unknown").alias(name)


def _over_time(context: parts.Context, span: Period, narrowed: Filters) -> None:
    rows = data.ask(context, fallbacks.course, span, narrowed, "fallback_reason")
    rows = rows.filter(pl.col("fallbacks") > 0).with_columns(tables.troubles("fallback_reason"))
    if rows.is_empty():
        return
    st.subheader("Reasons over time", anchor=False, help="Calls that fell back, by why they first did.")
    drawn = charts.stacked(rows, "fallback_reason", "fallbacks", "Calls", overview.grain(span))
    st.altair_chart(drawn, key="reasons", alt="Bars over time: calls that fell back, by reason")


def _aliases(aliases: pl.DataFrame) -> None:
    rows = aliases.filter(pl.col("fallbacks") > 0)
    st.subheader("By alias", anchor=False, help=MEANS["rescue_rate"])
    st.dataframe(
        charts.named(rows, "alias").select(
            "alias", "calls", "fallbacks", "fallback_rate", "rescued", "failed", "rescue_rate", "lost_ms_mean",
            _money("lost_usd"),
        ),
        hide_index=True, placeholder="", column_config=_ALIASES, key="aliases",
        alt="Table of aliases: how often each fell back, and how often that rescued the call",
    )  # fmt: skip


_number, _text = st.column_config.NumberColumn, st.column_config.TextColumn
_SHARED: dict[str, Any] = {
    "rescue_rate": _number("Rescued", help=MEANS["rescue_rate"], format="percent"),
    "lost_ms_mean": _number("Lost ms, mean", help=MEANS["lost_ms_mean"], format="%.0f"),
    "lost_usd": _text("Money lost", help=MEANS["lost_usd"], alignment="right"),
}
_FLOWS: dict[str, Any] = _SHARED | {
    "left": _text("From", pinned=True),
    "reached": _text("To"),
    "reason": _text("Because of", help=MEANS["reason"]),
    "moves": _number("Moves", help=MEANS["moves"], format="localized"),
    "lost_ms_mean": _number("Lost ms, mean", help="Time spent in the target that was left, for a move.", format="%.0f"),
    "price_difference_usd": _text("Dearer by", help=MEANS["price_difference_usd"], alignment="right"),
}
_ALIASES: dict[str, Any] = _SHARED | {
    "alias": _text("Alias", pinned=True),
    "calls": _number("Calls", help=MEANS["calls"], format="localized"),
    "fallbacks": _number("Fell back", help=MEANS["fallbacks"], format="localized"),
    "fallback_rate": _number("Share", help=MEANS["fallback_rate"], format="percent"),
    "rescued": _number("Answered", help=MEANS["rescued"], format="localized"),
    "failed": _number("Not answered", help=MEANS["failed"], format="localized"),
}
