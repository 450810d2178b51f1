"""When calls fail: a cell an hour of the day. Times are UTC."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import polars as pl

from dashboards import format as say
from dashboards import theme

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ROW_PX = 26
_AROUND_PX = 130
"""Legend and axis."""
_MOST_DAYS = 31


def by_weekday(hours: pl.DataFrame) -> pl.DataFrame:
    """Of hour (UTC), calls, errors: columns row ("Mon"), at (0 to 23), calls, errors, share. None without a call."""
    return _cells(hours.with_columns(pl.col("hour").dt.weekday().replace_strict(_NAMES).alias("row")))


def by_day(hours: pl.DataFrame) -> pl.DataFrame:
    """The same with a row a day ("2026-11-03"): the period's last 31."""
    rows = hours.with_columns(pl.col("hour").dt.strftime("%Y-%m-%d").alias("row"))
    return _cells(rows.filter(pl.col("row").is_in(rows["row"].unique().sort().tail(_MOST_DAYS).to_list())))


_NAMES = dict(enumerate(WEEKDAYS, start=1))


def _cells(rows: pl.DataFrame) -> pl.DataFrame:
    busy = rows.filter(pl.col("calls") > 0)
    sums = busy.group_by("row", pl.col("hour").dt.hour().cast(pl.Int64).alias("at")).agg(
        pl.col("calls").sum(), pl.col("errors").sum()
    )
    return sums.with_columns((pl.col("errors") / pl.col("calls")).alias("share")).sort("row", "at")


def drawn(cells: pl.DataFrame, rows: Sequence[str]) -> alt.Chart:
    """The stronger, the larger the share. `rows`: all of them, from top to bottom, those without a call too.

    One colour from faint to full, so that it is read on light and on dark, and whatever colours one can tell."""
    shown = cells.with_columns(
        pl.format("{} {}:00 to {}:00 UTC", "row", *(_two(pl.col("at") + more) for more in (0, 1))).alias("when"),
        pl.struct("errors", "calls").map_elements(lambda cell: say.share(cell["errors"], cell["calls"]), pl.String)
        .alias("told"),
    )  # fmt: skip
    most = float(str(cells["share"].max() or 0)) or 1.0
    strength = alt.Opacity(
        "share:Q",
        scale=alt.Scale(domain=[0, most], range=[0.05, 1]),
        legend=alt.Legend(title="Share of errors", format=".1~%", orient="top", tickCount=4, symbolType="square",
                          columns=alt.ExprRef("width < 400 ? 4 : 8"),
                          symbolFillColor=theme.STATUS["error"], symbolStrokeWidth=0),
    )  # fmt: skip
    made: alt.Chart = (
        alt.Chart(shown)
        .mark_rect(color=theme.STATUS["error"], stroke=theme.NOBODY, strokeWidth=0.4)
        .encode(
            x=alt.X("at:O", title="Hour of the day (UTC)", scale=alt.Scale(domain=list(range(24))),
                    axis=alt.Axis(labelAngle=0, labelOverlap=True, values=list(range(0, 24, 3)))),
            y=alt.Y("row:N", title=None, scale=alt.Scale(domain=list(rows)), axis=alt.Axis(labelLimit=90)),
            opacity=strength,
            tooltip=[
                alt.Tooltip("when:N", title="Hour"), alt.Tooltip("told:N", title="Share of errors"),
                alt.Tooltip("errors:Q", title="Errors", format=","), alt.Tooltip("calls:Q", title="Calls", format=","),
            ],
        )
        .properties(height=len(rows) * _ROW_PX + _AROUND_PX)
    )  # fmt: skip
    return made


def _two(number: pl.Expr) -> pl.Expr:
    return number.cast(pl.String).str.zfill(2)


def told(cells: pl.DataFrame) -> str:
    """The chart for who cannot see it: its worst hours."""
    worst = cells.filter(pl.col("errors") > 0).sort(["share", "errors"], descending=True).head(3)
    if worst.is_empty():
        return "Heat map of errors by hour of the day: there were none."
    each = [
        f"{row['row']} {row['at']:02}:00 UTC, {say.share(row['errors'], row['calls'])} of {say.count(row['calls'])}"
        for row in worst.iter_rows(named=True)
    ]
    return f"Heat map of the share of errors by hour of the day. The worst: {'; '.join(each)}."
