"""How a budget stands, for people and for metrics."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.budget.account import UNITS, Account, limits_of
from sidecar.core.control import Budget


@dataclass(frozen=True, slots=True)
class Measure:
    """One of a budget's limits, and what has become of it: picodollars or counts."""

    unit: str
    """usd | tokens | requests"""
    limit: int
    spent: int
    held: int

    @property
    def remaining(self) -> int:
        return max(self.limit - self.spent - self.held, 0)

    @property
    def used_percent(self) -> float:
        """By what is spent."""
        if not self.limit:
            return 100.0
        return 100 * self.spent / self.limit


@dataclass(frozen=True, slots=True)
class Status:
    budget: Budget
    start_ns: int
    end_ns: int
    """0: never."""
    state: str
    """ok | soft (its alert was given) | reached | opening (what is spent is not known yet)"""
    measures: tuple[Measure, ...]
    soft_alert_ns: int
    hard_alert_ns: int
    refused: int
    """Calls and attempts that it had no room for in this window, since the start."""


def status_of(account: Account) -> Status:
    limits = zip(UNITS, limits_of(account.budget), account.spent, _held(account), strict=True)
    measures = tuple(Measure(unit, limit, spent, held) for unit, limit, spent, held in limits if limit is not None)
    return Status(
        budget=account.budget,
        start_ns=account.start_ns,
        end_ns=account.end_ns,
        state=_state(account, measures),
        measures=measures,
        soft_alert_ns=account.soft_alert_ns,
        hard_alert_ns=account.hard_alert_ns,
        refused=account.refused,
    )


def _held(account: Account) -> tuple[int, int, int]:
    return account.held


def _state(account: Account, measures: tuple[Measure, ...]) -> str:
    if not account.known:
        return "opening"
    if account.refusing or any(measure.spent >= measure.limit for measure in measures):
        return "reached"
    return "soft" if account.soft_alert_ns else "ok"
