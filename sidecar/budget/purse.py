"""A budget in force, and its windows: the one that is running, and the latest before it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from sidecar.budget.account import Account
from sidecar.budget.charges import Amounts
from sidecar.budget.windows import window_at
from sidecar.core.control import DEFAULT_WORKSPACE, Budget, BudgetScope, Window

WINDOWS_KEPT = 2
"""A call that began before the turn of a window is settled soon after it."""


@dataclass(frozen=True, slots=True)
class WindowState:
    """What one window of one budget has come to, and all that is needed to go on counting without the definition."""

    budget_id: str
    workspace: str
    scope: BudgetScope
    subject: str
    window: Window
    time_zone: str
    start_ns: int
    end_ns: int
    """0: never."""
    spent_picodollars: int = 0
    spent_tokens: int = 0
    spent_requests: int = 0
    count_at_risk: bool = True
    soft_alert_ns: int = 0
    """When the alert was given; 0: not yet."""
    hard_alert_ns: int = 0

    @property
    def budget(self) -> Budget:
        """A definition without limits."""
        return Budget(
            budget_id=self.budget_id,
            workspace=self.workspace,
            name="",
            scope=self.scope,
            subject=self.subject,
            window=self.window,
            time_zone=self.time_zone,
            count_at_risk=self.count_at_risk,
        )


class Purse:
    __slots__ = ("_windows", "budget", "current", "everywhere", "needs_price")

    current: Account
    """The latest window. What later ones have spent is what is counted here, and nothing else."""

    def __init__(self, budget: Budget, account: Account) -> None:
        self._windows: tuple[Account, ...] = ()
        self._define(budget)
        self._add(account)

    @classmethod
    def begun(cls, budget: Budget, at_ns: int, *, known: bool) -> Self:
        """`known`: nothing was ever spent of it; else nobody knows yet what its running window has spent."""
        window = window_at(budget.window, budget.time_zone, at_ns)
        return cls(budget, Account(budget, *window, known=known))

    @classmethod
    def restored(cls, state: WindowState) -> Self:
        """Without limits until it is redefined."""
        purse = cls(state.budget, Account(state.budget, state.start_ns, state.end_ns, known=False))
        purse.restore(state)
        return purse

    def redefine(self, budget: Budget) -> bool:
        """Takes other limits. False: it counts other calls or in other windows, and is another budget."""
        before = self.budget
        if replace(before, **{field: getattr(budget, field) for field in _ADJUSTABLE}) != budget:
            return False
        self._define(budget)
        for account in self._windows:
            account.redefine(budget)
        if before.count_at_risk != budget.count_at_risk:  # what was counted by another rule is found out anew
            self._windows = (self.current,)
            self.current.count_anew()
        return True

    def at(self, at_ns: int) -> Account | None:
        """The window that the instant lies in, begun if nothing was counted in it. None: it is not kept any more."""
        account = self.current
        if account.start_ns <= at_ns < account.until_ns:
            return account
        for account in self._windows:
            if account.start_ns <= at_ns < account.until_ns:
                return account
        before = [account.until_ns for account in self._windows if account.until_ns <= at_ns]
        if not before:
            return None
        start_ns, end_ns = window_at(self.budget.window, self.budget.time_zone, at_ns)
        # A newer tz database may have moved the turn of a window that is kept: none is counted in twice.
        return self._add(Account(self.budget, max(start_ns, *before), end_ns, known=True))

    def restore(self, state: WindowState) -> None:
        """A window as it stood."""
        account = self.window(state.start_ns)
        if account is None:
            account = self._add(Account(self.budget, state.start_ns, state.end_ns, known=False))
        account.soft_alert_ns, account.hard_alert_ns = state.soft_alert_ns, state.hard_alert_ns
        account.count_anew()
        account.opened(_spent(state))

    def begin_opening(self) -> WindowState | None:
        """The running window, of which is to be found out what it has spent by now; None: that is known."""
        if self.current.known:
            return None
        self.current.count_anew()
        return state_of(self.current)

    def open(self, state: WindowState) -> Account | None:
        """None: nobody waits for that any more. A window that has turned meanwhile is over, and a later one known."""
        account = self.current
        if account.known or account.start_ns != state.start_ns or state.count_at_risk != self.budget.count_at_risk:
            return None
        account.soft_alert_ns = account.soft_alert_ns or state.soft_alert_ns
        account.hard_alert_ns = account.hard_alert_ns or state.hard_alert_ns
        account.opened(_spent(state))
        return account

    def window(self, start_ns: int) -> Account | None:
        return next((account for account in self._windows if account.start_ns == start_ns), None)

    def _define(self, budget: Budget) -> None:
        self.budget = budget
        self.everywhere = budget.scope is BudgetScope.KEY and budget.workspace == DEFAULT_WORKSPACE
        self.needs_price = needs_price(budget)

    def _add(self, account: Account) -> Account:
        windows = sorted((*self._windows, account), key=lambda each: each.start_ns)
        self._windows = tuple(windows[-WINDOWS_KEPT:])
        self.current = windows[-1]
        return account


_ADJUSTABLE = (
    *("name", "limit_picodollars", "limit_tokens", "limit_requests", "soft_percent", "soft_only", "shrink"),
    *("allow_unpriced", "count_at_risk", "imposed", "created_ns", "created_by"),
)


def needs_price(budget: Budget) -> bool:
    """What has no price cannot be held against its limit."""
    return budget.limit_picodollars is not None and not budget.soft_only and not budget.allow_unpriced


def state_of(account: Account) -> WindowState:
    budget, spent = account.budget, account.spent
    return WindowState(
        budget_id=budget.budget_id,
        workspace=budget.workspace,
        scope=budget.scope,
        subject=budget.subject,
        window=budget.window,
        time_zone=budget.time_zone,
        start_ns=account.start_ns,
        end_ns=account.end_ns,
        spent_picodollars=spent.picodollars,
        spent_tokens=spent.tokens,
        spent_requests=spent.requests,
        count_at_risk=budget.count_at_risk,
        soft_alert_ns=account.soft_alert_ns,
        hard_alert_ns=account.hard_alert_ns,
    )


def _spent(state: WindowState) -> Amounts:
    return Amounts(state.spent_picodollars, state.spent_tokens, state.spent_requests)
