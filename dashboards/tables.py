"""Tables of usage that several pages show: their columns, what these mean, and their CSV."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import streamlit as st

from analytics import words
from dashboards import charts
from dashboards import definitions as means
from dashboards import format as say

NAMES = {
    "cost_usd": "Cost",
    "cost_at_risk_usd": "At risk",
    "previous_cost_usd": "Before",
    "usd_per_million": "Mean for a million",
    "price_source": "Price from",
    "price_version": "Edition",
    "read_tokens": "Read",
    "written_tokens": "Written",
    "input_tokens": "Input",
    "output_tokens": "Output",
    "cost": "Cost",
    "hit_share": "Hits",
    "saved_usd": "Saved",
    "paid_more_usd": "Paid more",
    "net_usd": "Net",
    "left_out_tokens": "Left out",
}
"""Of columns whose name is not what a person calls them."""


def with_tokens(frame: pl.DataFrame) -> pl.DataFrame:
    """Tokens: input and output."""
    return frame.with_columns((pl.col("input_tokens") + pl.col("output_tokens")).alias("tokens"))


def with_label(frame: pl.DataFrame) -> pl.DataFrame:
    """Cost as text in column `label`."""
    told = pl.struct("cost_usd", "unpriced_calls").map_elements(
        lambda row: say.money(row["cost_usd"], unpriced=row["unpriced_calls"]), pl.String
    )
    return frame.with_columns(told.alias("label"))


def with_cost_share(frame: pl.DataFrame) -> pl.DataFrame:
    """Column `cost_share`: of what all rows cost; empty where that is not known."""
    cost = pl.col("cost_usd").cast(pl.Float64)
    return frame.with_columns(pl.when(cost.sum() > 0).then(cost / cost.sum()).alias("cost_share"))


def with_change(frame: pl.DataFrame, before: pl.DataFrame, by: str, value: str) -> pl.DataFrame:
    """Column `change`: against the same value before, 0.1 is a tenth more; empty where there was nothing."""
    former = before.select(by, pl.col(value).cast(pl.Float64).alias("former"))
    change = pl.when(pl.col("former") > 0).then(pl.col(value).cast(pl.Float64) / pl.col("former") - 1)
    return frame.join(former, on=by, how="left").with_columns(change.alias("change")).drop("former")


def with_rates(frame: pl.DataFrame) -> pl.DataFrame:
    """Columns `share` of all calls, `erring`: the share of calls that ended in an error."""
    calls = pl.col("calls")
    return frame.with_columns(
        pl.when(calls.sum() > 0).then(calls / calls.sum()).alias("share"),
        pl.when(calls > 0).then(pl.col("errors") / calls).alias("erring"),
    )


def with_tried(frame: pl.DataFrame, tried: pl.DataFrame) -> pl.DataFrame:
    """Columns `attempts` at each provider, and `failing`: the share of them that failed."""
    at = tried.select("provider", "attempts", (pl.col("failed") / pl.col("attempts")).alias("failing"))
    return frame.drop("attempts", strict=False).join(at, on="provider", how="left")


def show(rows: pl.DataFrame, by: str, columns: list[str], *, title: str, key: str, calls: str = means.CALLS) -> None:
    """Rows by the dimension `by`. `title` says what it is to who cannot see it."""
    st.dataframe(
        charts.named(rows, by).select(by, *columns),
        hide_index=True,
        placeholder="",
        column_config=_columns(by, calls),
        key=key,
        alt=f"Table of {title}",
    )


def spoken(column: str) -> pl.Expr:
    """Words without their underscores."""
    return pl.col(column).str.replace_all("_", " ")


def troubles(column: str) -> pl.Expr:
    """Error types, fallback reasons and reasons of skips, in the words that callers are told."""
    return pl.col(column).fill_null("").map_elements(words.trouble, pl.String).alias(column)


def exactly(column: str) -> pl.Expr:
    """Money as text, every figure of it; empty where there is none."""
    return pl.col(column).map_elements(lambda usd: say.exact(usd) if usd is not None else "", pl.String)


def roughly(column: str) -> pl.Expr:
    """Money as text, rounded for reading; empty where there is none."""
    return pl.col(column).map_elements(lambda usd: say.money(usd) if usd is not None else "", pl.String)


def plain(rows: pl.DataFrame, meanings: Mapping[str, str], *, title: str, key: str) -> None:
    """Rows as they are; a column's name and its type say how it is shown, `meanings` what it is."""
    config = {name: _column(name, kind, meanings.get(name)) for name, kind in rows.schema.items()}
    st.dataframe(rows, hide_index=True, placeholder="", column_config=config, key=key, alt=f"Table of {title}")


def _column(name: str, kind: pl.DataType, meaning: str | None) -> Any:
    label = NAMES.get(name, name.replace("_", " ").capitalize())
    if kind.is_float() and name in ("share", "change", "hit_share"):
        return st.column_config.NumberColumn(label, help=meaning, format="percent")
    if kind.is_numeric():
        return st.column_config.NumberColumn(label, help=meaning, format="localized")
    return st.column_config.TextColumn(
        label,
        help=meaning,
        alignment="right" if name.endswith("_usd") or name in ("cost", "usd_per_million") else "left",
    )


def csv(rows: pl.DataFrame, name: str, key: str) -> None:
    """A button that downloads the table, exact and whole."""
    st.download_button(
        "Download this table as CSV",
        rows.write_csv().encode(),
        f"taximeter-{name}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
        key=key,
    )


def _columns(by: str, calls: str) -> dict[str, Any]:
    number, text, percent = st.column_config.NumberColumn, st.column_config.TextColumn, "percent"
    return {
        by: text(by.capitalize(), pinned=True),
        "label": text("Cost", help=means.COST, alignment="right"),
        "cost_share": st.column_config.ProgressColumn("Of all", help="Share of what all rows cost.", format=percent),
        "calls": number("Calls", help=calls, format="localized"),
        "share": number("Share", help="Of all calls of the period and filters.", format=percent),
        "change": number("Change", help=f"Of the measure chosen above. {means.PREVIOUS}", format=percent),
        "attempts": number("Tried", help=means.ATTEMPTS, format="localized"),
        "failing": number("Failed", help=means.FAILED, format=percent),
        "erring": number("Errors", help=means.ERROR_RATE, format=percent),
        "fallbacks": number("Fallbacks", help=means.FALLBACKS, format="localized"),
        "tokens": number("Tokens", help=means.TOKENS, format="compact"),
        "input_tokens": number("In", help="Input tokens, cached ones included.", format="compact"),
        "output_tokens": number("Out", help="Output tokens, reasoning included.", format="compact"),
        "p50_ms": number("p50 ms", help=means.P50, format="%.0f"),
        "p95_ms": number("p95 ms", help=means.P95, format="%.0f"),
    }
