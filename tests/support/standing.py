"""Ledgers with budgets and a target's state beside a week of calls, as a sidecar's frames leave them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.core.call import CallRecord
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from tests.support.analytics import ns
from tests.support.blank import blank

USD = 10**12


def budget(name: str, unit: str, limit: int, spent: int, **more: str) -> journal_pb2.BudgetState:
    """Of this month, in picodollars or counts. `more`: workspace (default), scope (workspace), subject."""
    now = datetime.now(UTC)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
    return journal_pb2.BudgetState(
        budget_id=f"bud_{name}",
        name=name,
        window_start_ns=ns(start),
        window_end_ns=ns(end),
        measures=[journal_pb2.BudgetMeasure(unit=unit, limit=limit, spent=spent)],
        **{"workspace": "default", "scope": "workspace", **more},
    )


def alert(state: journal_pb2.BudgetState, threshold: str) -> journal_pb2.BudgetAlert:
    """That this budget passed it just now."""
    (measure,) = state.measures
    return journal_pb2.BudgetAlert(
        alert_id=f"{state.budget_id}:{threshold}", budget_id=state.budget_id, name=state.name,
        workspace=state.workspace, scope=state.scope, subject=state.subject, threshold=threshold, unit=measure.unit,
        limit=measure.limit, spent=measure.spent, at_ns=ns(datetime.now(UTC)) - 10**9,
        window_start_ns=state.window_start_ns, window_end_ns=state.window_end_ns, call_id="01CALL",
    )  # fmt: skip


def standing(
    path: Path, records: Iterable[CallRecord], budgets: Iterable[journal_pb2.BudgetState],
    alerts: Iterable[journal_pb2.BudgetAlert] = (), targets: Iterable[journal_pb2.TargetState] = (),
) -> Path:  # fmt: skip
    """A ledger of these."""
    frames = [journal_pb2.Frame(finished=to_proto(record)) for record in records]
    frames += [journal_pb2.Frame(budget_alert=each) for each in alerts]
    state = journal_pb2.State(at_ns=ns(datetime.now(UTC)), budgets=list(budgets), targets=list(targets))
    frames.append(journal_pb2.Frame(state=state))
    ledger = Ledger(blank(path))
    try:
        ledger.book(fold("sidecar-a", (0, 0), (0, len(frames)), frames))
    finally:
        ledger.close()
    return path
