"""Budgets as rows of a page: what the ledger says of them, and what the running sidecar adds. Nothing is asked here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from dashboards import format as say
from dashboards import said

Row = dict[str, Any]
OK, SOFT, REACHED, OPENING = "ok", "soft", "reached", "opening"
SIGNS = {OK: "✓ ok", SOFT: "▲ soft alert", REACHED: "✗ used up", OPENING: "… opening"}
FOLLOWED = ("workspace", "alias", "caller", "key")
"""Filters that narrow budgets: by whose they are."""


def rows(stated: pl.DataFrame, told: Iterable[said.Budget]) -> list[Row]:
    """A row a sidecar, budget and unit, the fullest first. `stated`: `analytics.outlook.forecasts`; `told`: of a
    running sidecar, empty where none is asked: then what it alone knows is None."""
    known = {each.budget_id: each for each in told}
    there = [_with(row, known.get(row["budget_id"])) for row in stated.iter_rows(named=True)]
    new = [_from(each, measure) for each in known.values() if each.budget_id not in set(stated["budget_id"])
           for measure in each.measures]  # fmt: skip
    return sorted(
        [*there, *new], key=lambda row: (-(row["used_share"] or 0), row["workspace"], row["name"], row["unit"])
    )


def _with(row: Mapping[str, Any], told: said.Budget | None) -> Row:
    state = told.state if told else _state(row)
    own: Row = {name: getattr(told, name) if told else None for name in _TOLD}
    times = {name: utc(row[name]) for name in ("window_start", "window_end", "exhausted_at")}
    return {**row, **own, **times, "state": state}


_TOLD = ("soft_percent", "soft_only", "refused", "time_zone", "imposed")
"""What only the sidecar says."""


def _state(row: Mapping[str, Any]) -> str:
    if row["alerted"] == "hard" or (row["used_share"] or 0) >= 1:
        return REACHED
    return SOFT if row["alerted"] == "soft" else OK


def _from(told: said.Budget, measure: said.Measure) -> Row:
    """Of a budget that the ledger does not know yet."""
    return {
        "sidecar_id": "", "budget_id": told.budget_id, "name": told.name, "workspace": told.workspace,
        "scope": told.scope, "subject": told.subject, "window": told.window, "unit": measure.unit,
        "window_start": told.start, "window_end": told.end, "limit": measure.limit, "spent": measure.spent,
        "held": measure.held, "remaining": measure.remaining, "used_share": measure.used, "at": None,
        "per_day": None, "at_end": None, "low": None, "high": None, "exhausted_at": None, "method": "",
        "state": told.state, **{name: getattr(told, name) for name in _TOLD},
    }  # fmt: skip


def narrowed(found: Iterable[Row], filters: Mapping[str, Any]) -> list[Row]:
    """Those whose workspace, alias, caller or key was chosen."""
    return [
        row for row in found if all(_of(row, name) in wanted for name, wanted in filters.items() if name in FOLLOWED)
    ]


def _of(row: Row, name: str) -> str:
    if name == "workspace":
        return str(row["workspace"])
    return str(row["subject"]) if row["scope"] == name else ""


def subject(row: Mapping[str, Any]) -> str:
    """ "alias smart", "the whole workspace"."""
    return "the whole workspace" if row["scope"] == "workspace" else f"{row['scope']} {row['subject']}"


def amount(unit: str, value: Decimal | float | None) -> str:
    """ "$80.10", "12,000"; an estimate is not shown exact."""
    if value is None:
        return say.ABSENT
    return say.money(Decimal(value)) if unit == "usd" else say.count(float(value))


def counted(unit: str) -> str:
    """What is behind an amount: nothing behind dollars."""
    return "" if unit == "usd" else f" {unit}"


def moment(at: datetime | None) -> str:
    """ "1 Dec 2026 00:00 UTC"."""
    return f"{at:%-d %b %Y %H:%M} UTC" if at else "never"


def utc(at: datetime | None) -> datetime | None:
    """The ledger's times have no zone."""
    return at.replace(tzinfo=UTC) if at else None
