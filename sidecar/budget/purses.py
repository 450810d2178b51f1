"""All budgets in force, and how what they have spent comes to be known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sidecar.budget import alerts
from sidecar.budget.alerts import Alert
from sidecar.budget.index import Index
from sidecar.budget.purse import Purse, WindowState, state_of
from sidecar.budget.status import Status, status_of
from sidecar.core.control import Budget


class Purses:
    __slots__ = ("_by_id", "blank", "index", "size_bytes")

    def __init__(self) -> None:
        self._by_id: dict[str, Purse] = {}
        self.blank = False
        """Nothing was ever spent here: what a new budget has spent is known, and is nothing."""
        self.index = Index()
        self.size_bytes = 0
        """No less than all windows take as protobuf."""

    def follow(self, definitions: Mapping[str, Budget], now_ns: int) -> list[Alert]:
        """These are in force from now on. Gives the alerts that a changed limit calls for."""
        given: list[Alert] = []
        gone = self._by_id.keys() - definitions.keys()
        for budget_id in gone:
            del self._by_id[budget_id]
        others = bool(gone)
        for budget_id, budget in definitions.items():
            purse = self._by_id.get(budget_id)
            if purse is not None and (purse.budget is budget or purse.budget == budget):
                continue
            if purse is not None and purse.redefine(budget):
                given.extend(alerts.due(purse.at(now_ns) or purse.current, now_ns))
            else:
                self._by_id[budget_id] = Purse.begun(budget, now_ns, known=self.blank)
                others = True
        if others:
            self._changed()
        return given

    def restore(self, states: Iterable[WindowState]) -> None:
        for state in states:
            purse = self._by_id.get(state.budget_id)
            if purse is None:
                self._by_id[state.budget_id] = Purse.restored(state)
            else:
                purse.restore(state)
        self._changed()

    def restore_alert(self, budget_id: str, start_ns: int, threshold: str, at_ns: int) -> None:
        purse = self._by_id.get(budget_id)
        account = purse.at(start_ns) if purse is not None else None
        if account is not None and account.start_ns == start_ns:
            alerts.given(account, threshold, at_ns)

    def windows(self) -> list[WindowState]:
        return [state_of(purse.current) for purse in self._by_id.values() if purse.current.known]

    def unknown(self) -> tuple[str, ...]:
        return tuple(budget_id for budget_id, purse in self._by_id.items() if not purse.current.known)

    def begin_opening(self, budget_id: str) -> WindowState | None:
        purse = self._by_id.get(budget_id)
        return purse.begin_opening() if purse is not None else None

    def open_window(
        self, budget_id: str, state: WindowState, now_ns: int
    ) -> tuple[WindowState, tuple[Alert, ...]] | None:
        purse = self._by_id.get(budget_id)
        account = purse.open(state) if purse is not None else None
        if account is None:
            return None
        given = alerts.due(account, now_ns)
        return state_of(account), given

    def status(self, budget_id: str, now_ns: int) -> Status | None:
        purse = self._by_id.get(budget_id)
        return None if purse is None else status_of(purse.at(now_ns) or purse.current)

    def statuses(self, now_ns: int, workspace: str | None) -> list[Status]:
        purses = self._by_id.values()
        mine = purses if workspace is None else [each for each in purses if each.budget.workspace == workspace]
        return [status_of(purse.at(now_ns) or purse.current) for purse in mine]

    def _changed(self) -> None:
        purses = self._by_id.values()
        self.index = Index(purses)
        self.size_bytes = sum(_WINDOW_BYTES + _text_bytes(purse.budget) for purse in purses)


_WINDOW_BYTES = 224
"""Of a window's numbers, and of what stands before each of its texts."""


def _text_bytes(budget: Budget) -> int:
    return sum(len(text.encode()) for text in (budget.budget_id, budget.workspace, budget.subject, budget.time_zone))
