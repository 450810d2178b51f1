"""Figures over time."""

from __future__ import annotations

import altair as alt
import polars as pl

from analytics.period import Period
from dashboards import theme
from dashboards.charts.axes import HEIGHT, TIMES, WORDS, colours, in_utc, named

Drawn = alt.Chart | alt.LayerChart
STEPS = {"minute": "1m", "hour": "1h", "day": "1d", "week": "1w", "month": "1mo"}
"""How long a grain is."""
FIGURES = {True: ",.6~f", False: ","}
"""Of money, and of all else."""


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
            y=alt.Y("low:Q", title=title, axis=_figures(money=money)),
            y2="high:Q",
            color=colours(dimension, shown),
            tooltip=[
                alt.Tooltip("time:N", title="From"),
                alt.Tooltip(f"{dimension}:N", title=dimension.capitalize()),
                alt.Tooltip(f"{value}:Q", title=title, format=FIGURES[money]),
            ],
        )
        .properties(height=HEIGHT)
    )
    return drawn


def _figures(*, money: bool) -> alt.Axis:
    """Of what is counted, no halves."""
    return alt.Axis(tickCount=5, format="$~f") if money else alt.Axis(tickCount=5, format="~s", tickMinStep=1)


def with_before(drawn: alt.Chart, before: pl.DataFrame, value: str, title: str) -> alt.LayerChart:
    """The same, and a pale line of what was before. Columns: at (moved into this period), `value`."""
    shown = in_utc(before.select("at", pl.col(value).cast(pl.Float64)))
    line = (
        alt.Chart(shown)
        .mark_line(color=WORDS, strokeDash=[4, 3], strokeWidth=1.5, opacity=0.75, interpolate="step-after")
        .encode(
            x="at:T",
            y=f"{value}:Q",
            tooltip=[
                alt.Tooltip("time:N", title="The period before, moved to"),
                alt.Tooltip(f"{value}:Q", title=title, format=FIGURES[value == "cost_usd"]),
            ],
        )
    )
    return alt.LayerChart(layer=[drawn, line], height=HEIGHT)


def on_canvas(drawn: Drawn) -> Drawn:
    """Drawn as a picture: a browser takes long to lay out a thousand elements of SVG."""
    drawn.usermeta = {"embedOptions": {"renderer": "canvas"}}
    return drawn


def moved(before: pl.DataFrame, former: Period, span: Period) -> pl.DataFrame:
    """What was before, at the times it is compared with; what has no such time is left out."""
    by = pl.col("at") + (span.start - former.start)
    return before.with_columns(by).filter(pl.col("at") < span.end.replace(tzinfo=None))


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
        legend=alt.Legend(orient="top", title=None, symbolType="stroke", symbolDash=[1, 0]),
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


def folded(frame: pl.DataFrame, dimension: str, value: str, most: int) -> pl.DataFrame:
    """The `most` largest of the dimension's values in all, and the others as one. Columns: at, `dimension`, `value`."""
    sums = (
        frame.group_by(dimension)
        .agg(pl.col(value).cast(pl.Float64).sum())
        .sort(value, dimension, descending=[True, False])
    )
    kept = sums.head(most)[dimension].implode()
    told = pl.when(pl.col(dimension).is_in(kept)).then(dimension).otherwise(pl.lit(theme.OTHERS)).alias(dimension)
    return frame.group_by("at", told, maintain_order=True).agg(pl.col(value).sum())
