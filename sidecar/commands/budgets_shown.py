"""How budgets look on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sidecar.commands.show import about, count, usd

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

    from taximeter.v1 import budgets_pb2 as pb

COLUMNS = ("budget", "name", "of", "limits", "window", "soft alert", "unpriced", "made by")
STANDING = (
    *("budget", "name", "of", "state", "limit", "spent", "held", "left", "used", "forecast", "refused"),
    "begins anew",
)


def row(budget: pb.Budget) -> tuple[object, ...]:
    """Its cells, in the order of COLUMNS."""
    from taximeter.v1 import budgets_pb2 as pb

    soft = f"{budget.soft_percent} %" + (" only" if budget.soft_only else "")
    unpriced = "allowed" if budget.unpriced == pb.UNPRICED_ALLOW else "refused"
    made_by = budget.created_by + (" (imposed)" if budget.imposed else "")
    return (budget.budget_id, budget.name, of(budget), limits(budget), _window(budget), soft, unpriced, made_by)


def of(budget: pb.Budget) -> str:
    """ "workspace", "alias smart", "key_01m7..."."""
    from taximeter.v1 import budgets_pb2 as pb

    if budget.scope == pb.BUDGET_SCOPE_KEY:
        return budget.subject
    scope = pb.BudgetScope.Name(budget.scope).removeprefix("BUDGET_SCOPE_").lower()
    return f"{scope} {budget.subject}".rstrip()


def limits(budget: pb.Budget) -> str:
    """ "$100.00, 5,000 tokens"."""
    parts = [
        usd(Decimal(budget.limit_usd)) if budget.HasField("limit_usd") else "",
        f"{count(budget.limit_tokens)} tokens" if budget.HasField("limit_tokens") else "",
        f"{count(budget.limit_requests)} requests" if budget.HasField("limit_requests") else "",
    ]
    return ", ".join(filter(None, parts))


def standing(status: pb.BudgetStatus) -> Iterator[tuple[object, ...]]:
    """A row a measure, in the order of STANDING; one without any for a budget that is being opened."""
    budget = status.budget
    known = (budget.budget_id, budget.name, of(budget), status.state)
    begins = when(status.window_end) if status.HasField("window_end") else "never"
    for measure in status.measures:
        spent = (amount(measure.unit, text) for text in (measure.limit, measure.spent, measure.held, measure.remaining))
        yield (*known, *spent, f"{measure.used_percent:.1f} %", _ahead(measure), count(status.refused), begins)
    if not status.measures:
        yield (*known, *[None] * 6, count(status.refused), begins)


def line(status: pb.BudgetStatus) -> str:
    """ "$80.10 of $100.00 spent (80.1 %), $1.00 held"."""
    if not status.measures:
        return "what is spent is being found out"
    told = []
    for measure in status.measures:
        unit = "" if measure.unit == "usd" else f" {measure.unit}"
        limit, spent, held = (amount(measure.unit, text) for text in (measure.limit, measure.spent, measure.held))
        under_way = f", {held}{unit} held" if Decimal(measure.held) else ""
        told.append(f"{spent} of {limit}{unit} spent ({measure.used_percent:.1f} %){under_way}")
    return "; ".join(told) + (f" - {status.state}" if status.state != "ok" else "")


def amount(unit: str, text: str) -> str:
    return usd(Decimal(text)) if unit == "usd" else count(int(text))


def _ahead(measure: pb.BudgetMeasure) -> str | None:
    if not measure.HasField("forecast"):
        return None
    return about(Decimal(measure.forecast)) if measure.unit == "usd" else count(int(measure.forecast))


def when(at: Timestamp) -> str:
    """In the reader's own time."""
    return f"{datetime.fromtimestamp(at.seconds, UTC).astimezone():%Y-%m-%d %H:%M}"


def _window(budget: pb.Budget) -> str:
    from taximeter.v1 import budgets_pb2 as pb

    window = pb.BudgetWindow.Name(budget.window).removeprefix("BUDGET_WINDOW_").lower()
    return window if window == "total" else f"{window}, {budget.time_zone}"
