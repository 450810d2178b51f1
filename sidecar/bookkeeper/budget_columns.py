"""What the journal says of budgets, as Arrow columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sidecar.bookkeeper.columns import INT, TEXT, TIME, Column, table
from sidecar.core.money import to_usd
from taximeter.journal.v1 import journal_pb2

SUM = pa.decimal128(38, 12)
_NOTHING = journal_pb2.BudgetMeasure()


def states(sidecar_id: str, state: journal_pb2.State) -> pa.Table:
    """A row a budget, with the measures that it limits."""
    count = len(state.budgets)
    rows = table(_STATE, state.budgets).add_column(0, "sidecar_id", pa.array([sidecar_id] * count, TEXT))
    return rows.append_column("at", pa.array([state.at_ns // 1000] * count, TIME))


def alerts(sidecar_id: str, told: Sequence[journal_pb2.BudgetAlert]) -> pa.Table:
    """A row an alert, however often it was told."""
    once = list({alert.alert_id: alert for alert in told}.values())
    return table(_ALERT, once).add_column(0, "sidecar_id", pa.array([sidecar_id] * len(once), TEXT))


def amount(unit: str, value: int) -> Decimal:
    """US dollars of picodollars, or the count."""
    return to_usd(value) if unit == "usd" else Decimal(value)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, TEXT, lambda message, name=name: getattr(message, name)) for name in names)  # type: ignore[misc]  # mypy cannot infer the lambda


def _time(name: str, field: str) -> Column:
    return Column(name, TIME, lambda message: getattr(message, field) // 1000 or None)


def _measured(unit: str, field: str) -> Callable[[journal_pb2.BudgetState], Any]:
    """None where the budget has no limit in that unit."""

    def read(state: journal_pb2.BudgetState) -> Any:
        found = next((measure for measure in state.measures if measure.unit == unit), None)
        value = getattr(found, field) if found is not None else None
        return value if value is None or unit != "usd" else to_usd(value)

    return read


_UNITS: Mapping[str, pa.DataType] = {"usd": SUM, "tokens": INT, "requests": INT}
_BUDGET = (*_text("budget_id", "name", "workspace", "scope", "subject"),)
_WINDOW = (_time("window_start", "window_start_ns"), _time("window_end", "window_end_ns"))
_STATE = (
    *_BUDGET,
    *_WINDOW,
    *(
        Column(f"{field}_{unit}", kind, _measured(unit, field))
        for unit, kind in _UNITS.items()
        for field in ("limit", "spent", "held")
    ),
)
_ALERT = (
    *_text("alert_id", "budget_id", "name", "workspace", "scope", "subject", "threshold", "unit"),
    Column("limit_amount", SUM, lambda alert: amount(alert.unit, alert.limit)),
    Column("spent_amount", SUM, lambda alert: amount(alert.unit, alert.spent)),
    *_WINDOW,
    *_text("call_id"),
    Column("at", TIME, lambda alert: alert.at_ns // 1000),
)
