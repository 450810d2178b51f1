"""Charts: frames in, Altair out. Nothing is asked or shown here. Times are UTC."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from dashboards import format as say
from dashboards import theme

HEIGHT = 260
WORDS = "#808080"
"""Of figures beside bars: to be read on light and on dark."""
STEPS = {"minute": "1m", "hour": "1h", "day": "1d", "month": "1mo"}
"""How long a grain is."""
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
        legend=alt.Legend(orient="top", title=None, columns=4, labelLimit=140),
    )


TIMES = alt.Axis(
    labelExpr="utchours(datum.value) || utcminutes(datum.value) "
    "? utcFormat(datum.value, '%H:%M') : utcFormat(datum.value, '%-d %b')",
    labelOverlap=True,
    tickCount=8,
    grid=False,
)
"""Hours in the day, and the date at its midnight."""


def _utc(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        pl.col("at").dt.replace_time_zone("UTC"), pl.col("at").dt.strftime("%Y-%m-%d %H:%M UTC").alias("time")
    )


def stacked(frame: pl.DataFrame, dimension: str, value: str, title: str, step: str) -> alt.Chart:
    """A stack of bars a time. Columns: at, `dimension`, `value`. `step`: the grain, "hour"."""
    shown = _utc(piled(frame, dimension, value, STEPS[step]))
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
        _utc(frame.select("at", "p50_ms", "p95_ms"))
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


def ranked(frame: pl.DataFrame, dimension: str, value: str, title: str) -> alt.LayerChart:
    """A bar each with its figure beside it, in the frame's order. Columns: `dimension`, `value`, "label"."""
    shown = frame.with_columns(pl.col(value).cast(pl.Float64).fill_null(0))
    told = named(shown, dimension)
    base = alt.Chart(told).encode(
        y=alt.Y(f"{dimension}:N", sort=told[dimension].to_list(), title=None, axis=alt.Axis(labelLimit=140)),
        x=alt.X(f"{value}:Q", title=None, axis=None, scale=alt.Scale(domainMax=_room(shown[value]))),
        tooltip=[alt.Tooltip(f"{dimension}:N", title=dimension.capitalize()), alt.Tooltip("label:N", title=title)],
    )
    bars = base.mark_bar(height=16, cornerRadiusEnd=2).encode(color=colours(dimension, shown).legend(None))
    text = base.mark_text(align="left", dx=5, color=WORDS).encode(text="label:N")
    drawn: alt.LayerChart = (bars + text).properties(height=alt.Step(30))
    return drawn


def _room(values: pl.Series) -> float:
    """An axis' end that leaves room for words beside the longest bar."""
    return 1.25 * float(str(values.max() or 1))


def attempts(frame: pl.DataFrame) -> alt.LayerChart:
    """A call's attempts one under the other, from the call's start on. Columns of `attempt_rows`."""
    y = alt.Y("name:N", sort=frame["name"].to_list(), title=None, axis=alt.Axis(labelLimit=150))
    x = alt.X("from_ms:Q", title="ms since the call came in", axis=alt.Axis(tickCount=6),
              scale=alt.Scale(domain=[0, _room(frame["to_ms"])]))  # fmt: skip
    tips = [
        alt.Tooltip(f"{name}:N", title=name.capitalize())
        for name in ("name", "model", "status", "took", "first", "reason")
    ]
    base = alt.Chart(named(frame, "provider"))
    bars = base.mark_bar(height=22, cornerRadius=3).encode(
        y=y,
        x=x,
        x2="to_ms:Q",
        color=colours("provider", frame).legend(None),
        opacity=alt.Opacity("ok:N", scale=alt.Scale(domain=[True, False], range=[1.0, 0.45]), legend=None),
        tooltip=tips,
    )
    firsts = (
        base.transform_filter("isValid(datum.first_ms)")
        .mark_tick(thickness=3, size=22, color="white")
        .encode(y=y, x="first_ms:Q", tooltip=[alt.Tooltip("first:N", title="First token after")])
    )
    words = base.mark_text(align="left", dx=6, color=WORDS).encode(y=y, x="to_ms:Q", text="label:N")
    drawn: alt.LayerChart = (bars + firsts + words).properties(height=alt.Step(36))
    return drawn


def attempt_rows(call: dict[str, Any], tried: list[dict[str, Any]]) -> pl.DataFrame:
    """What `attempts` draws: ms since the call's start, and words."""

    def since(at: Any) -> float | None:
        return None if at is None else float((at - call["started_at"]).total_seconds() * 1000)

    return pl.DataFrame(
        [
            {
                "name": f"{each['number']} · {each['provider']}",
                "model": each["model"],
                "provider": each["provider"],
                "status": each["status"],
                "ok": each["status"] == "ok",
                "from_ms": since(each["started_at"]),
                "to_ms": since(each["ended_at"]) or since(each["started_at"]),
                "first_ms": since(each["first_token_at"]),
                "took": say.duration(each["duration_ms"]),
                "first": say.duration(each["time_to_first_token_ms"]),
                "reason": reason(each) or "none",
                "label": f"{reason(each) or each['status']}, {say.duration(each['duration_ms'])}",
            }
            for each in tried
        ],
        schema_overrides={"from_ms": pl.Float64, "to_ms": pl.Float64, "first_ms": pl.Float64},
    )  # fmt: skip


def reason(attempt: dict[str, Any]) -> str:
    """Why an attempt gave no answer: "429 rate limited"; empty if it did."""
    status = attempt["http_status"]
    code = str(status) if status and status >= 400 else ""
    return " ".join(part for part in (code, attempt["error_type"].replace("_", " ")) if part)
