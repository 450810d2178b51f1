"""Budgets: how full each is, when it begins anew, and what its window will come to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
import streamlit as st

from analytics import outlook, standing
from analytics.burn import MEANS
from dashboards import budget_rows, control, data, filters, parts, running
from dashboards import format as say
from dashboards.budget_rows import REACHED, SIGNS, SOFT, Row, amount, counted
from dashboards.views import one_budget

STATE = (
    "ok; soft alert: it passed its soft threshold (80 % unless said otherwise) in this window; used up: calls are "
    "refused, unless it only alerts; opening: what is spent is being found out."
)
RESETS = "When its window ends and it begins anew."
REFUSED = "Calls that found no room in it in this window, since the sidecar's start."
ALERTS = "Given once for a budget, window and threshold, in the period above."


def show(context: parts.Context) -> None:
    """The page."""
    head = parts.head(context, "Budgets")
    parts.live(head, lambda: _body(context, head))


def _body(context: parts.Context, head: parts.Head) -> None:
    stated = data.ask_whole(context, outlook.forecasts)
    told, _ = running.heard(context, control.budgets, _workspaces(context, stated))
    rows = budget_rows.rows(stated, told or ())
    shown = budget_rows.narrowed(rows, head.filters)
    _told(head)
    if not rows:
        _none()
    elif not shown:
        st.info("**No budget with these filters.** Take one away.", icon=":material/search_off:")
    else:
        _cards(shown)
        one_budget.show(context, shown[_table(context, shown)])
    _alerts(context, head)


def _workspaces(context: parts.Context, stated: pl.DataFrame) -> tuple[str, ...]:
    """Whose budgets the sidecar is asked for."""
    if context.who.workspace is not None:
        return (context.who.workspace,)
    return tuple(sorted({running.DEFAULT_WORKSPACE, *stated["workspace"]}))


def _told(head: parts.Head) -> None:
    if out := [filters.label(name) for name in head.filters if name not in budget_rows.FOLLOWED]:
        st.caption(f":material/filter_alt_off: Budgets are not narrowed by {' or '.join(out)}.")


def _none() -> None:
    st.info("**There are no budgets.** Limit what a workspace, an alias, a caller or a key may use:",
            icon=":material/savings:")  # fmt: skip
    st.code(
        "taximeter budgets create --usd 100                      # the workspace, each month\n"
        "taximeter budgets create --usd 5 --window day --alias smart\n"
        "taximeter budgets create --tokens 1000000 --window week --caller TOKEN_ID",
        language="shell",
    )


def _cards(rows: Sequence[Row]) -> None:
    by_state = {state: {row["budget_id"] for row in rows if row["state"] == state} for state in (SOFT, REACHED)}
    refused = {row["budget_id"]: row["refused"] for row in rows if row["refused"] is not None}
    ahead = [row["exhausted_at"] for row in rows if row["window_end"] and row["state"] != REACHED]
    soonest = min(filter(None, ahead), default=None)
    figures = {
        "Budgets": (str(len({row["budget_id"] for row in rows})), "Each may limit dollars, tokens and requests."),
        "Soft alert": (str(len(by_state[SOFT])), STATE),
        "Used up": (str(len(by_state[REACHED])), STATE),
        "Calls refused": (say.count(sum(refused.values())) if refused else say.ABSENT, REFUSED),
        "Next used up (UTC)": (f"{soonest:%-d %b %H:%M}" if soonest else "none", outlook.MEANS["exhausted_at"]),
    }
    with st.container(horizontal=True):
        for label, (value, meaning) in figures.items():
            st.metric(label, value, help=meaning, border=True, width="stretch")


def _table(context: parts.Context, rows: Sequence[Row]) -> int:
    """The rows; returns the one to look at more closely, the fullest unless another was selected."""
    several = {"workspace": context.who.workspace is None, "sidecar": len({row["sidecar_id"] for row in rows}) > 1}
    columns = [name for name in _SHOWN if several.get(name, True)]
    chosen = st.dataframe(
        pl.DataFrame([_cells(row) for row in rows], infer_schema_length=None).select(columns),
        hide_index=True, placeholder="", column_config=_COLUMNS, key="budgets",
        on_select="rerun", selection_mode="single-row",
        alt="Table of budgets, the fullest first. Select one to see how it got there.",
    )  # fmt: skip
    selected = chosen.selection.rows
    return selected[0] if selected and selected[0] < len(rows) else 0


_SHOWN = ("name", "used", "state", "spent", "remaining", "resets", "at_end", "refused", "of", "workspace", "sidecar")
"""In the order of what a narrow screen should show first."""


def _cells(row: Row) -> dict[str, Any]:
    unit = row["unit"]
    return {
        "name": row["name"],
        "workspace": row["workspace"],
        "of": budget_rows.subject(row),
        "state": f"{SIGNS.get(row['state'], row['state'])}{' (only alerts)' if row['soft_only'] else ''}",
        "used": row["used_share"],
        "spent": f"{amount(unit, row['spent'])} of {amount(unit, row['limit'])}{counted(unit)}",
        "remaining": amount(unit, row["remaining"]),
        "at_end": amount(unit, row["at_end"]),
        "resets": row["window_end"],
        "refused": row["refused"],
        "sidecar": row["sidecar_id"],
    }


def _alerts(context: parts.Context, head: parts.Head) -> None:
    span = head.span
    known = {name: wanted for name, wanted in head.filters.items() if name == "workspace"}
    rows = data.ask(context, standing.alerts, span, known)
    st.subheader("Alerts", anchor=False, help=ALERTS)
    st.caption(say.span(span.start, span.end))
    if rows.is_empty():
        st.caption("None.")
        return
    cells = [
        {
            "at": budget_rows.utc(row["at"]),
            "name": row["name"],
            "workspace": row["workspace"],
            "of": budget_rows.subject(row),
            "threshold": {"soft": "▲ soft", "hard": "✗ limit"}.get(row["threshold"], row["threshold"]),
            "spent": f"{amount(unit, row['spent_amount'])} of {amount(unit, row['limit_amount'])}{counted(unit)}",
            "delivery": row["delivery"].replace("_", " "),
        }
        for row in rows.iter_rows(named=True)
        if (unit := row["unit"])
    ]
    st.dataframe(pl.DataFrame(cells), hide_index=True, placeholder="", column_config=_COLUMNS, key="alerts",
                 alt="Table of alerts that budgets gave, the newest first")  # fmt: skip


_number, _text, _moment = st.column_config.NumberColumn, st.column_config.TextColumn, st.column_config.DatetimeColumn
_COLUMNS: dict[str, Any] = {
    "name": _text("Budget", pinned=True),
    "workspace": _text("Workspace"),
    "of": _text("Of", help="Whose calls count: all of the workspace, an alias', a caller's; or a key's attempts."),
    "state": _text("State", help=STATE),
    "used": st.column_config.ProgressColumn("Used", help=MEANS["used_share"], min_value=0, max_value=1,
                                            format="percent", width=105),
    "spent": _text("Spent", help=f"{MEANS['spent']} {MEANS['limit']}", alignment="right"),
    "remaining": _text("Left", help=f"{MEANS['remaining']} {MEANS['held']}", alignment="right"),
    "resets": _moment("Begins anew (UTC)", help=RESETS, format="D MMM HH:mm", timezone="UTC"),
    "at_end": _text("By then", help=outlook.MEANS["at_end"], alignment="right"),
    "refused": _number("Refused", help=REFUSED, format="localized"),
    "sidecar": _text("Sidecar", help="Each holds its own budgets exactly."),
    "at": _moment("At (UTC)", format="D MMM YYYY HH:mm", timezone="UTC"),
    "threshold": _text("Passed"),
    "delivery": _text("Webhook", help="What became of telling the webhook; empty: there is none, or not yet."),
}  # fmt: skip
