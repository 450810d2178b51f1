"""What charts share: names, colours, axes of time. Times are UTC."""

from __future__ import annotations

import altair as alt
import polars as pl

from dashboards import theme

HEIGHT = 260
WORDS = "#808080"
"""Of figures beside bars: to be read on light and on dark."""
LEGEND_COLUMNS = alt.ExprRef("width < 400 ? 2 : width < 850 ? 4 : 5")
LEGEND_WORDS = alt.ExprRef("width < 400 ? max(60, width / 2 - 35) : 140")
"""Pixels of each. A telephone has room for two columns, and those not wide."""
_NAMED_NOTHING = {"provider": "(none answered)", "alias": "(no alias)"}


def named(frame: pl.DataFrame, dimension: str) -> pl.DataFrame:
    """Empty names told in words."""
    nothing = _NAMED_NOTHING.get(dimension, "(none)")
    return frame.with_columns(
        pl.when(pl.col(dimension) == "").then(pl.lit(nothing)).otherwise(dimension).alias(dimension)
    )


def colours(dimension: str, frame: pl.DataFrame) -> alt.Color:
    """The dimension's colours, with a legend above the chart."""
    domain, shades = theme.scale(dimension, frame[dimension].to_list())
    nothing = _NAMED_NOTHING.get(dimension, "(none)")
    return alt.Color(
        f"{dimension}:N",
        scale=alt.Scale(domain=[value or nothing for value in domain], range=shades),
        legend=alt.Legend(orient="top", title=None, columns=LEGEND_COLUMNS, labelLimit=LEGEND_WORDS),
    )


TIMES = alt.Axis(
    labelExpr="utchours(datum.value) || utcminutes(datum.value) "
    "? utcFormat(datum.value, '%H:%M') : utcFormat(datum.value, '%-d %b')",
    labelOverlap=True,
    tickCount=alt.ExprRef("width < 400 ? 4 : 8"),
    grid=False,
)
"""Hours in the day, and the date at its midnight."""


def in_utc(frame: pl.DataFrame) -> pl.DataFrame:
    """Column `at` with its zone, and `time`: the same in words."""
    return frame.with_columns(
        pl.col("at").dt.replace_time_zone("UTC"), pl.col("at").dt.strftime("%Y-%m-%d %H:%M UTC").alias("time")
    )


def room(values: pl.Series) -> float:
    """An axis' end that leaves room for words beside the longest bar."""
    return 1.25 * float(str(values.max() or 1))
