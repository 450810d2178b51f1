"""One budget: its burn-down with the forecast's band, and the same in words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import streamlit as st

from analytics import burn, outlook
from dashboards import budget_rows, data, parts
from dashboards.budget_rows import Row, amount, counted, moment
from dashboards.charts import burn as drawing

CHART = "Solid: what was left. Dashed: what will be left if it goes on so, in its 80 % band. Dotted: an even pace."

APART = Decimal("0.05")
"""Of the limit: so far the ledger's course may end from what a sidecar states, unsaid."""


def show(context: parts.Context, row: Row) -> None:
    """The chart, and what it says."""
    unit = row["unit"]
    title = f"{row['name'] or row['budget_id']}: {budget_rows.subject(row)}"
    st.subheader(title, anchor=False, help=outlook.MEANS["at_end"])
    now = datetime.now(UTC)
    words = [_spent(row), _resets(row, now), _ahead(row), _exhausted(row, now)]
    st.markdown(" ".join(word for word in words if word))
    course = data.ask_whole(context, burn.burn, row["budget_id"], unit)
    start = row["window_start"] or _first(course)
    if start is None or start >= now:
        st.caption("Nothing has been counted in this window yet.")
        return
    drawn = drawing.drawn(course, _burn(row, start, now), unit)
    st.altair_chart(
        drawn, key="burn", alt=f"Burn-down of {title}. {' '.join(words).replace('**', '').replace('$', '')}"
    )
    st.caption(CHART)
    if row["method"]:
        st.caption(f"Forecast: {row['method']}.")
    if not course.is_empty() and abs(course["spent"][-1] - row["spent"]) > row["limit"] * APART:
        st.caption("The course is the ledger's, of all sidecars; what is spent is what this sidecar has counted.")


def _first(course: pl.DataFrame) -> datetime | None:
    """Of a budget without a window: when it first counted something."""
    return None if course.is_empty() else budget_rows.utc(course["at"].min())  # type: ignore[arg-type]


def _burn(row: Row, start: datetime, now: datetime) -> drawing.Burn:
    end = row["window_end"]
    return drawing.Burn(
        limit=float(row["limit"]),
        start=start.replace(tzinfo=None),
        now=(min(now, end) if end else now).replace(tzinfo=None),
        end=end.replace(tzinfo=None) if end else None,
        spent=float(row["spent"]),
        at_end=row["at_end"],
        low=row["low"],
        high=row["high"],
        hard=not row["soft_only"],
    )


def _spent(row: Row) -> str:
    unit = row["unit"]
    held = f", {_safe(amount(unit, row['held']))} held by calls under way" if row["held"] else ""
    spent, limit, left = (_safe(amount(unit, row[name])) for name in ("spent", "limit", "remaining"))
    return f"**{spent} of {limit}{counted(unit)}** spent{held}; {left} left."


def _resets(row: Row, now: datetime) -> str:
    end = row["window_end"]
    if end is None:
        return "It never begins anew."
    zone = f" ({row['window']} in {row['time_zone']})" if row["time_zone"] not in (None, "UTC") else ""
    days = (end - now).days
    away = f", in {days} days" if days > 1 else ""
    return f"It begins anew on {moment(end)}{zone}{away}."


def _ahead(row: Row) -> str:
    if row["at_end"] is None or row["window_end"] is None:
        return ""
    at_end, low, high = (_safe(amount(row["unit"], row[name])) for name in ("at_end", "low", "high"))
    return f"If it goes on so it comes to **{at_end}** by then (80 % interval: {low} to {high})."


def _exhausted(row: Row, now: datetime) -> str:
    at = row["exhausted_at"]
    if row["state"] == budget_rows.REACHED:
        return "It is used up: it only alerts, and calls go on." if row["soft_only"] else "It is used up."
    if at is None or at <= now:
        return "" if row["at_end"] is None else "It is not used up in this window."
    return f"It is used up on **{moment(at)}**."


def _safe(text: str) -> str:
    """Two dollar signs in a line would be taken for a formula."""
    return text.replace("$", "\\$")
