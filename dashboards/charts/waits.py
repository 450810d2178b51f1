"""How long calls took, over time. Times are UTC."""

from __future__ import annotations

import altair as alt
import polars as pl

from dashboards import format as say
from dashboards import theme
from dashboards.charts.axes import HEIGHT, TIMES, in_utc

LINES = {
    "p50_ms": ("p50", theme.PALETTE[0], [1, 0]),
    "p95_ms": ("p95", theme.PALETTE[1], [6, 3]),
    "p99_ms": ("p99", theme.PALETTE[5], [2, 2]),
}
"""Column -> name, colour, dashes: told apart without colours too."""


def drawn(course: pl.DataFrame) -> alt.Chart:
    """Columns: at, p50_ms, p95_ms, p99_ms. In seconds, or in ms where all are short."""
    long = (
        in_utc(course)
        .unpivot(list(LINES), index=["at", "time"], variable_name="which", value_name="ms")
        .drop_nulls("ms")
        .with_columns(
            pl.col("which").replace({column: name for column, (name, *_) in LINES.items()}),
            pl.col("ms").map_elements(say.duration, pl.String).alias("told"),
        )
    )
    short = float(str(long["ms"].max() or 0)) < 1000
    shown = long.with_columns((pl.col("ms") / (1 if short else 1000)).alias("value"))
    names, colours, dashes = (list(each) for each in zip(*LINES.values(), strict=True))
    made: alt.Chart = (
        alt.Chart(shown)
        .mark_line(point=alt.OverlayMarkDef(size=18), interpolate="monotone")
        .encode(
            x=alt.X("at:T", title=None, scale=alt.Scale(type="utc"), axis=TIMES),
            y=alt.Y("value:Q", title="Milliseconds" if short else "Seconds", axis=alt.Axis(tickCount=5)),
            color=alt.Color("which:N", scale=alt.Scale(domain=names, range=colours),
                            legend=alt.Legend(orient="top", title=None, columns=3, symbolType="stroke")),
            strokeDash=alt.StrokeDash("which:N", scale=alt.Scale(domain=names, range=dashes), legend=None),
            tooltip=[alt.Tooltip("time:N", title="From"), alt.Tooltip("which:N", title="Percentile"),
                     alt.Tooltip("told:N", title="Took at most")],
        )
        .properties(height=HEIGHT)
    )  # fmt: skip
    return made
