"""Budgets in the journal: as they stand for its snapshots, each alert, and as a start finds them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from sidecar.budget import Alert, Budgets, Status, WindowState
from sidecar.core.control import BudgetScope, Window
from sidecar.journal import Journal, Left
from taximeter.journal.v1 import journal_pb2

_MOST = 2**63 - 1


class BudgetStanding:
    """A `journal.Standing`."""

    def __init__(self, budgets: Budgets) -> None:
        self._budgets = budgets

    def windows(self) -> list[journal_pb2.BudgetWindow]:
        return [window_message(state) for state in self._budgets.windows()]

    @property
    def clock_ns(self) -> int:
        """Never 0: a snapshot without budgets says so too."""
        return self._budgets.now_ns()

    @property
    def size_bytes(self) -> int:
        return self._budgets.size_bytes


def restore(left: Left, budgets: Budgets) -> None:
    """Budgets go on from where they stood: to be followed by the definitions in force."""
    budgets.restore(map(window_state, left.windows.values()), complete=left.fresh)
    budgets.see(left.clock_ns)
    for record, inside in left.records:
        budgets.charge(record, inside)
    for alert in left.alerts:
        budgets.restore_alert(alert.budget_id, alert.window_start_ns, alert.threshold, alert.at_ns)


def window_message(state: WindowState) -> journal_pb2.BudgetWindow:
    values = {**asdict(state), "scope": state.scope.value, "window": state.window.value}
    spent = {name: at_most(values[name]) for name in ("spent_picodollars", "spent_tokens", "spent_requests")}
    return journal_pb2.BudgetWindow(**(values | spent))


def window_state(message: journal_pb2.BudgetWindow) -> WindowState:
    values: dict[str, Any] = {field.name: getattr(message, field.name) for field in message.DESCRIPTOR.fields}
    return WindowState(**{**values, "scope": BudgetScope(message.scope), "window": Window(message.window)})


def alert_message(alert: Alert) -> journal_pb2.BudgetAlert:
    return journal_pb2.BudgetAlert(**(asdict(alert) | {"spent": at_most(alert.spent)}))


def at_most(amount: int) -> int:
    """What the journal's 64 bits hold: nine million dollars, more than any limit. It is spent all the same."""
    return min(amount, _MOST)


class AlertDesk:
    """Alerts go to the journal and the log. Until there is a journal they wait."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._waiting: list[Alert] = []
        self._journal: Journal | None = None

    def told(self, alert: Alert) -> None:
        self._log.warning("budget_alert", **{name: value for name, value in asdict(alert).items() if value != ""})
        if self._journal is None:
            self._waiting.append(alert)
        else:
            self._journal.alert(alert_message(alert))

    def opened(self, journal: Journal) -> None:
        self._journal = journal
        for alert in self._waiting:
            journal.alert(alert_message(alert))
        self._waiting.clear()


class InTurn:
    """How budgets stand, as many at a time as a frame takes without holding calls up; the others' turn comes later."""

    def __init__(self, budgets: Budgets, definitions: Callable[[], Iterable[str]], most: int = 500) -> None:
        """`definitions`: ids of all budgets in force."""
        self._budgets = budgets
        self._definitions = definitions
        self._most = most
        self._waiting: list[str] = []

    def next(self) -> list[Status]:
        if not self._waiting:
            self._waiting = list(self._definitions())
        now, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        return [status for budget_id in now if (status := self._budgets.status(budget_id)) is not None]
