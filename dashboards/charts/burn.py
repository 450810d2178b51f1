"""What is left of a budget, down to now, and on to its window's end with the forecast's band. Times are UTC."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import altair as alt
import polars as pl

from dashboards import theme
from dashboards.charts.axes import TIMES


@dataclass(frozen=True, slots=True)
class Burn:
    """A budget's window as it is drawn: one unit, floats, because nothing here is summed or shown as exact."""

    limit: float
    start: datetime
    now: datetime
    end: datetime | None
    """None: the window never ends, and nothing is foretold."""
    spent: float
    """Now."""
    at_end: float | None = None
    low: float | None = None
    high: float | None = None
    """What will be spent by the end, and the band around it."""
    hard: bool = True
    """Its limit refuses what would come after it."""


def past(course: pl.DataFrame, burn: Burn) -> pl.DataFrame:
    """Of at, spent (so far, summed up): columns at, left. It begins at the limit and ends with what is left now."""
    between = course.filter((pl.col("at") > burn.start) & (pl.col("at") < burn.now)).sort("at")
    return pl.DataFrame(
        {
            "at": [burn.start, *between["at"].to_list(), burn.now],
            "left": [burn.limit, *(burn.limit - float(spent) for spent in between["spent"]), burn.limit - burn.spent],
        },
        schema_overrides={"at": pl.Datetime("us")},
    )


def ahead(burn: Burn) -> pl.DataFrame:
    """Columns at, left, low, high: what is left from now to the window's end. Empty where nothing is foretold.

    Below nothing nothing is left: a hard limit refuses what would come then."""
    if burn.end is None or burn.at_end is None or burn.low is None or burn.high is None:
        return pl.DataFrame(schema=_AHEAD)
    now = burn.limit - burn.spent
    floor = min(0.0, now) if burn.hard else -math.inf
    ends = {
        "left": burn.limit - burn.at_end,
        "low": burn.limit - burn.high,
        "high": burn.limit - burn.low,
    }
    times = [burn.now + (burn.end - burn.now) * step / _STEPS for step in range(_STEPS + 1)]
    lines = {
        name: [max(floor, now + (end - now) * step / _STEPS) for step in range(_STEPS + 1)]
        for name, end in ends.items()
    }
    return pl.DataFrame({"at": times, **lines}, schema=_AHEAD)


_STEPS = 40
_AHEAD: Any = {"at": pl.Datetime("us"), "left": pl.Float64, "low": pl.Float64, "high": pl.Float64}


def drawn(course: pl.DataFrame, burn: Burn, unit: str) -> alt.LayerChart:
    """`unit`: "usd", "tokens", "requests". Solid: what was; dashed: the forecast in its band; dotted: an even pace."""
    money = unit == "usd"
    figures = "$,.2~f" if money else ",.0f"
    y = alt.Y(
        "left:Q",
        title=f"Left ({'USD' if money else unit})",
        axis=alt.Axis(tickCount=5, format="$~s" if money else "~s"),
    )
    x = alt.X("at:T", title=None, scale=alt.Scale(type="utc"), axis=TIMES)
    tips: list[Any] = [
        alt.Tooltip("time:N", title="At"), alt.Tooltip("left:Q", title="Left", format=figures),
    ]  # fmt: skip
    was = alt.Chart(_told(past(course, burn))).mark_line(
        color=theme.PALETTE[0], strokeWidth=2.5, interpolate="step-after"
    )
    layers: list[alt.Chart] = [_even(burn).encode(x=x, y=y)] if burn.end else []
    foretold = ahead(burn)
    if not foretold.is_empty():
        base = alt.Chart(_told(foretold))
        band = [
            alt.Tooltip("low:Q", title="Left at least", format=figures),
            alt.Tooltip("high:Q", title="Left at most", format=figures),
        ]
        layers += [
            base.mark_area(color=theme.PALETTE[1], opacity=0.3, line=False).encode(
                x=x, y=alt.Y("low:Q"), y2="high:Q", tooltip=[*tips, *band]
            ),
            base.mark_line(color=theme.PALETTE[1], strokeDash=[6, 4], strokeWidth=2).encode(
                x=x, y=y, tooltip=[*tips, *band]
            ),
        ]
    layers.append(was.encode(x=x, y=y, tooltip=tips))
    layers.append(alt.Chart(pl.DataFrame({"left": [0.0]})).mark_rule(color=theme.STATUS["error"]).encode(y=y))
    return cast("alt.LayerChart", alt.layer(*layers).properties(height=220))


def _even(burn: Burn) -> alt.Chart:
    ends = pl.DataFrame(
        {"at": [burn.start, burn.end], "left": [burn.limit, 0.0]}, schema_overrides={"at": pl.Datetime("us")}
    )
    made: alt.Chart = alt.Chart(_told(ends)).mark_line(color=theme.NOBODY, strokeDash=[2, 3], strokeWidth=1)
    return made


def _told(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col("at").dt.replace_time_zone("UTC"), pl.col("at").dt.strftime("%Y-%m-%d %H:%M UTC").alias("time")
    )
