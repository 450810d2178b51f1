"""One call's attempts on a line of time."""

from __future__ import annotations

from typing import Any

import altair as alt
import polars as pl

from analytics import words
from dashboards import format as say
from dashboards.charts.axes import WORDS, colours, named, room


def attempts(frame: pl.DataFrame) -> alt.LayerChart:
    """A call's attempts one under the other, from the call's start on. Columns of `attempt_rows`."""
    y = alt.Y("name:N", sort=frame["name"].to_list(), title=None, axis=alt.Axis(labelLimit=150))
    x = alt.X("from_ms:Q", title="ms since the call came in", axis=alt.Axis(tickCount=6),
              scale=alt.Scale(domain=[0, room(frame["to_ms"])]))  # fmt: skip
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
    return " ".join(part for part in (code, words.trouble(attempt["error_type"])) if part)
