"""Figures beside each other."""

from __future__ import annotations

import altair as alt
import polars as pl

from dashboards.charts.axes import WORDS, colours, named


def ranked(frame: pl.DataFrame, dimension: str, value: str, title: str) -> alt.LayerChart:
    """A bar each with its figure beside it, in the frame's order. Columns: `dimension`, `value`, "label"."""
    shown = frame.with_columns(pl.col(value).cast(pl.Float64).fill_null(0))
    told = named(shown, dimension)
    base = alt.Chart(told).encode(
        y=alt.Y(f"{dimension}:N", sort=told[dimension].to_list(), title=None, axis=alt.Axis(labelLimit=140)),
        x=alt.X(f"{value}:Q", title=None, axis=None, scale=alt.Scale(domainMax=_room(shown[value], shown["label"]))),
        tooltip=[alt.Tooltip(f"{dimension}:N", title=dimension.capitalize()), alt.Tooltip("label:N", title=title)],
    )
    bars = base.mark_bar(height=16, cornerRadiusEnd=2).encode(color=colours(dimension, shown).legend(None))
    text = base.mark_text(align="left", dx=5, color=WORDS).encode(text="label:N")
    drawn: alt.LayerChart = (bars + text).properties(height=alt.Step(30))
    return drawn


def _room(values: pl.Series, labels: pl.Series) -> alt.ExprRef:
    """An axis' end that leaves room for the longest label beside the longest bar, however narrow the chart."""
    pixels = 10 + 6 * int(str(labels.str.len_chars().max() or 0))
    return alt.ExprRef(f"{float(str(values.max() or 1))} * width / max(width - {pixels}, width / 4)")
