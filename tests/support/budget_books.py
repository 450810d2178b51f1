"""Frames of budgets, as a sidecar writes them."""

from __future__ import annotations

from taximeter.journal.v1 import journal_pb2

DAY_NS = 86_400 * 10**9
AT_NS = 1_767_225_600 * 10**9  # 2026-01-01T00:00:00Z
USD = 10**12


def alert(name: str = "b1:1:soft", *, at_ns: int = AT_NS, **more: object) -> journal_pb2.BudgetAlert:
    """80 of 100 dollars, on the first of January."""
    fields: dict[str, object] = {
        "alert_id": name,
        "budget_id": "b1",
        "name": "january",
        "workspace": "acme",
        "scope": "workspace",
        "threshold": "soft",
        "unit": "usd",
        "limit": 100 * USD,
        "spent": 80 * USD,
        "at_ns": at_ns,
        "window_start_ns": AT_NS,
        "window_end_ns": AT_NS + 31 * DAY_NS,
        "call_id": "01JCALL",
    }
    return journal_pb2.BudgetAlert(**(fields | more))  # type: ignore[arg-type]  # test shorthand


def alerted(name: str = "b1:1:soft", **more: object) -> journal_pb2.Frame:
    return journal_pb2.Frame(budget_alert=alert(name, **more))  # type: ignore[arg-type]  # test shorthand


def budget_state(
    budget_id: str = "b1", *, unit: str = "usd", limit: int = 100, spent: int = 80, held: int = 5
) -> journal_pb2.BudgetState:
    """Amounts in dollars, or counts."""
    factor = USD if unit == "usd" else 1
    return journal_pb2.BudgetState(
        budget_id=budget_id,
        name=f"name of {budget_id}",
        workspace="acme",
        scope="workspace",
        window_start_ns=AT_NS,
        window_end_ns=AT_NS + 31 * DAY_NS,
        measures=[journal_pb2.BudgetMeasure(unit=unit, limit=limit * factor, spent=spent * factor, held=held * factor)],
    )


def state(*budgets: journal_pb2.BudgetState, at_ns: int = AT_NS) -> journal_pb2.Frame:
    return journal_pb2.Frame(state=journal_pb2.State(at_ns=at_ns, budgets=budgets))
