"""Figures over time."""

from __future__ import annotations

import altair as alt
import polars as pl

from dashboards import theme
from dashboards.charts.axes import HEIGHT, TIMES, colours, in_utc, named

STEPS = {"minute": "1m", "hour": "1h", "day": "1d", "month": "1mo"}
"""How long a grain is."""


def stacked(frame: pl.DataFrame, dimension: str, value: str, title: str, step: str) -> alt.Chart:
    """A stack of bars a time. Columns: at, `dimension`, `value`. `step`: the grain, "hour"."""
    shown = in_utc(piled(frame, dimension, value, STEPS[step]))
    money = value == "cost_usd"
    drawn: alt.Chart = (
        alt.Chart(named(shown, dimension))
        .mark_rect(stroke=None)
        .encode(
            x=alt.X("at:T", title=None, scale=alt.Scale(type="utc"), axis=TIMES),
            x2="until:T",
            y=alt.Y("low:Q", title=title, axis=alt.Axis(tickCount=5, format="$~f" if money else "~s")),
            y2="high:Q",
            color=colours(dimension, shown),
            tooltip=[
                alt.Tooltip("time:N", title="From"),
                alt.Tooltip(f"{dimension}:N", title=dimension.capitalize()),
                alt.Tooltip(f"{value}:Q", title=title, format=",.6~f" if money else ","),
            ],
        )
        .properties(height=HEIGHT)
    )
    return drawn


def piled(frame: pl.DataFrame, dimension: str, value: str, step: str) -> pl.DataFrame:
    """Where each bar lies: until, low, high besides the frame's columns; a time's bars one upon the other by name."""
    figures = frame.with_columns(pl.col(value).cast(pl.Float64).fill_null(0)).sort("at", dimension)
    high = pl.col(value).cum_sum().over("at")
    until = pl.col("at").dt.offset_by(step).dt.replace_time_zone("UTC")
    return figures.with_columns(high.alias("high"), (high - pl.col(value)).alias("low"), until.alias("until"))


def percentiles(frame: pl.DataFrame) -> alt.Chart:
    """Median and 95th percentile over time. Columns: at, p50_ms, p95_ms."""
    names = {"p50_ms": "p50 (half of the calls)", "p95_ms": "p95 (95 of 100)"}
    long = (
        in_utc(frame.select("at", "p50_ms", "p95_ms"))
        .unpivot(["p50_ms", "p95_ms"], index=["at", "time"], variable_name="which", value_name="ms")
        .drop_nulls("ms")
        .with_columns(pl.col("which").replace(names), (pl.col("ms") / 1000).alias("seconds"))
    )
    colour = alt.Color(
        "which:N",
        scale=alt.Scale(domain=list(names.values()), range=[theme.PALETTE[0], theme.PALETTE[1]]),
        legend=alt.Legend(orient="top", title=None),
    )
    drawn: alt.Chart = alt.Chart(long).mark_line(point=alt.OverlayMarkDef(size=18), interpolate="monotone").encode(
        x=alt.X("at:T", title=None, scale=alt.Scale(type="utc"), axis=TIMES),
        y=alt.Y("seconds:Q", title="Seconds", axis=alt.Axis(tickCount=5)),
        color=colour,
        strokeDash=alt.StrokeDash("which:N", sort=list(names.values()), legend=None),
        tooltip=[
            alt.Tooltip("time:N", title="From"),
            alt.Tooltip("which:N", title="Percentile"),
            alt.Tooltip("seconds:Q", title="Seconds", format=".3f"),
        ],
    ).properties(height=HEIGHT)  # fmt: skip
    return drawn
