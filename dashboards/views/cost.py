"""Cost: what it came to, what for and for whom, what caches saved, and where the prices are from."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

import altair as alt
import polars as pl
import streamlit as st

from analytics import costs, overview, sums, usage
from analytics.overview import Row
from analytics.period import Period
from analytics.question import Filters
from dashboards import charts, data, parts, tables
from dashboards import definitions as means
from dashboards import filters as narrowing
from dashboards import format as say
from dashboards.views import savings

MOST = 9
"""Values that the chart tells apart."""
TABS = ("Meters", "Spenders", "Cache", "Prices", "Unusual days", "Saving")
OF_MONEY = ("meter", "provider", "model", "alias", "workspace", "key", "caller")


class Look(NamedTuple):
    """What a part of the page is about. `filters`: those that costs know."""

    context: parts.Context
    span: Period
    before: Period | None
    filters: Filters
    chosen: Filters


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Cost", compare=True)
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    span = head.span
    now = data.ask(context, overview.totals, span, head.filters)
    if not now["calls"]:
        parts.nothing(span, filtered=bool(head.filters))
        return
    _cards(now, data.ask(context, overview.totals, head.before, head.filters) if head.before else None)
    _unpriced(now["unpriced_calls"], usage.counted(head.filters))
    look = Look(context, span, head.before, parts.does_not_apply("costs", head.filters), head.filters)
    _over_time(look)
    tabs = st.tabs(TABS, key="cost_part", bind="query-params")
    for name, tab in zip(TABS, tabs, strict=True):
        if tab.open:
            with tab:
                _PARTS[name](look)


def _cards(now: Row, before: Row | None) -> None:
    figures: dict[str, tuple[Callable[[Row], Decimal | None], str]] = {
        "Cost": (lambda row: row["cost_usd"], means.COST),
        "A thousand calls": (lambda row: per(row["cost_usd"], row["calls"], 1000), means.PER_CALLS),
        "A million tokens": (
            lambda row: per(row["cost_usd"], row["input_tokens"] + row["output_tokens"], 10**6),
            means.PER_TOKENS,
        ),
        "At risk": (lambda row: row["cost_at_risk_usd"], means.AT_RISK),
    }
    with st.container(horizontal=True):
        for label, (figure, meaning) in figures.items():
            change = say.change(figure(now), figure(before)) if before else None
            unpriced = now["unpriced_calls"] if label != "At risk" else 0
            parts.card(label, say.money(figure(now), unpriced=unpriced), change, meaning)


def _unpriced(number: int, counted: str) -> None:
    """`counted`: calls, or attempts at a provider."""
    if number:
        meaning = means.UNPRICED if counted == "calls" else means.UNPRICED_THERE
        told = f":orange-badge[{say.many(number, counted)} without a known price]"
        st.caption(f"{told} What is unknown is not in these figures.", help=meaning)


def per(usd: Decimal | None, of: int, size: int) -> Decimal | None:
    """What `size` of them cost; None of nothing."""
    return None if usd is None or not of else usd * size / of


def _over_time(look: Look) -> None:
    title, chooser = st.columns([2, 1], vertical_alignment="bottom")
    title.subheader("Over time", anchor=False)
    with chooser:
        by = narrowing.one_of("By", _by(look), "cost_by")
    name = by.rpartition(":")[2]
    rows = data.ask(look.context, costs.course, look.span, look.filters, by).rename({by: name})
    rows = rows.with_columns(tables.spoken(name)) if by == "meter" else rows
    if rows.is_empty():
        st.caption("Nothing that has a price.")
        return
    step = costs.money_step(look.span)
    drawn = charts.stacked(charts.folded(rows, name, "cost_usd", MOST), name, "cost_usd", "Cost (USD)", step)
    shown = _beside_before(look, drawn)
    st.altair_chart(shown, key="cost_course", alt=f"Bars over time: cost by {name}, a bar a {step}")
    if shown is not drawn:
        st.caption(means.BEFORE)


def _beside_before(look: Look, drawn: alt.Chart) -> charts.Drawn:
    """With the course of the period before, if there is one to compare with."""
    if look.before is None:
        return drawn
    former = data.ask(look.context, costs.course, look.before, look.filters, "meter")
    if former.is_empty():
        return drawn
    whole = former.group_by("at").agg(pl.col("cost_usd").sum()).sort("at")
    return charts.with_before(drawn, charts.moved(whole, look.before, look.span), "cost_usd", "Cost (USD)")


def _by(look: Look) -> list[str]:
    tags = {value.partition("=")[0] for value in data.choosable(look.context, look.span).get("tag", [])}
    mine = look.context.who.workspace is None
    return [*(name for name in OF_MONEY if name != "workspace" or mine), *(f"tag:{key}" for key in sorted(tags))]


def _meters(look: Look) -> None:
    rows = data.ask(look.context, costs.by_meter, look.span, look.filters)
    shown = rows.with_columns(tables.spoken("meter"), tables.exactly("cost_usd"), tables.roughly("usd_per_million"))
    tables.plain(shown, {**costs.MEANS, "unit": "What the meter counts."}, key="meters", title="cost by meter")
    tables.csv(rows, "cost-by-meter", "meters_csv")
    st.subheader("Token mix", anchor=False, help=costs.MEANS["tokens"])
    mix = data.ask(look.context, costs.token_mix, look.span, look.filters)
    figure = pl.format(
        "{} ({}%)", pl.col("tokens").map_elements(say.count, pl.String), (pl.col("share") * 100).round(1)
    )
    told = mix.filter(pl.col("tokens") > 0).with_columns(tables.spoken("kind"), figure.alias("label"))
    st.altair_chart(charts.ranked(told, "kind", "tokens", "Tokens"), key="mix", alt="Bars: tokens by kind")


def _spenders(look: Look) -> None:
    choices = sorted((name for name in _by(look) if name != "meter"), key=lambda name: name != "caller")
    by = narrowing.one_of("Of", choices, "spender", width=220)
    name = by.rpartition(":")[2]
    rows = data.ask(look.context, sums.dearest, look.span, look.filters, by).rename({by: name})
    shown = charts.named(rows, name).with_columns(tables.exactly("cost_usd"), tables.exactly("previous_cost_usd"))
    former = ["previous_cost_usd", "change"] if rows["previous_cost_usd"].sum() else []
    shown = shown.select(name, "cost_usd", "share", *former, "calls", "tokens", "unpriced")
    tables.plain(shown, {**costs.MEANS, "calls": means.CALLS}, key="spenders", title=f"the dearest by {name}")
    tables.csv(rows, f"top-{name}", "spenders_csv")


def _cache(look: Look) -> None:
    rows = data.ask(look.context, costs.cache, look.span, look.filters)
    net = rows["net_usd"].drop_nulls().sum() if rows.height else Decimal(0)
    st.metric("Saved by caches", say.money(Decimal(net or 0)), help=costs.MEANS["net_usd"], width=260, border=True)
    money = [tables.exactly(name) for name in ("saved_usd", "paid_more_usd", "net_usd")]
    tables.plain(rows.with_columns(*money), costs.MEANS, key="caches", title="caching by model")
    st.caption(f"{costs.MEANS['saved_usd']} {costs.MEANS['paid_more_usd']}")
    tables.csv(rows, "caching", "caches_csv")


def _prices(look: Look) -> None:
    rows = data.ask(look.context, costs.provenance, look.span, look.filters)
    tables.plain(rows.with_columns(tables.exactly("cost_usd")), costs.MEANS, key="sources", title="prices by source")
    st.subheader("What is not sure", anchor=False)
    doubts = data.ask(look.context, costs.doubts, look.span, look.filters)
    if doubts.is_empty():
        st.caption("Nothing: all usage was reported by providers, and has a price.")
        return
    of_money = pl.col("doubt") != "at_risk"
    shown = doubts.with_columns(
        tables.spoken("doubt"),
        pl.when(of_money & pl.col("cost_usd").is_null())
        .then(pl.lit("unknown"))
        .otherwise(tables.exactly("cost_usd"))
        .alias("cost_usd"),
        tables.exactly("cost_at_risk_usd"),
    )
    tables.plain(shown, costs.MEANS, key="doubts", title="what is unpriced, estimated or at risk")


_PARTS: dict[str, Callable[[Look], None]] = {
    "Meters": _meters,
    "Spenders": _spenders,
    "Cache": _cache,
    "Prices": _prices,
    "Unusual days": lambda look: savings.unusual(look.context, look.span, look.chosen),
    "Saving": lambda look: savings.suggested(look.context, look.span, look.chosen),
}
