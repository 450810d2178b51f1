"""Alerts: one for each budget, window and threshold."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.budget.account import UNITS, Account, hard_threshold, limits_of, soft_threshold
from sidecar.budget.charges import Amounts

SOFT, HARD = "soft", "hard"


@dataclass(frozen=True, slots=True)
class Alert:
    """A budget has passed a threshold. Amounts are picodollars or counts, times UTC ns."""

    alert_id: str
    """Of the budget, the window and the threshold: the same alert twice has the same id."""
    budget_id: str
    name: str
    workspace: str
    scope: str
    subject: str
    threshold: str
    """soft | hard"""
    unit: str
    """usd | tokens | requests"""
    limit: int
    spent: int
    at_ns: int
    window_start_ns: int
    window_end_ns: int
    """0: never."""
    call_id: str = ""
    """The call that passed it, or was the first to be refused."""


def due(account: Account, at_ns: int, call_id: str = "") -> tuple[Alert, ...]:
    """The thresholds that what is spent has passed, soft first, and that no alert was given for yet."""
    passed = passing(account, account.spent)
    return tuple(_give(account, threshold, measure, at_ns, call_id) for threshold, measure in passed)


def passing(account: Account, spent: Amounts) -> list[tuple[str, int]]:
    """(threshold, measure by its place in UNITS) of the alerts that it is time for once so much is spent."""
    if not account.known:
        return []
    limits, percent = limits_of(account.budget), account.budget.soft_percent
    soft = [None if limit is None else soft_threshold(limit, percent) for limit in limits]
    hard = [None if limit is None else hard_threshold(limit) for limit in limits]
    each = [(SOFT, account.soft_alert_ns, soft), (HARD, account.hard_alert_ns, hard)]
    found = [(threshold, _passed(levels, spent)) for threshold, given_ns, levels in each if not given_ns]
    return [(threshold, measure) for threshold, measure in found if measure is not None]


def refused(account: Account, measure: int, at_ns: int, call_id: str = "") -> tuple[Alert, ...]:
    """The hard alert, if this refusal is what gives it. `measure`: the one without room, by its place in UNITS."""
    account.refusing = True
    return () if account.hard_alert_ns else (_give(account, HARD, measure, at_ns, call_id),)


def given(account: Account, threshold: str, at_ns: int) -> None:
    """So that it is not given again."""
    if threshold == SOFT:
        account.soft_alert_ns = at_ns
    else:
        account.hard_alert_ns = at_ns
    account.watch()


def _passed(levels: list[int | None], spent: Amounts) -> int | None:
    measures = enumerate(zip(levels, spent, strict=True))
    return next((place for place, (level, amount) in measures if level is not None and amount >= level), None)


def _give(account: Account, threshold: str, measure: int, at_ns: int, call_id: str) -> Alert:
    given(account, threshold, at_ns)
    budget = account.budget
    return Alert(
        alert_id=f"{budget.budget_id}:{account.start_ns}:{threshold}",
        budget_id=budget.budget_id,
        name=budget.name,
        workspace=budget.workspace,
        scope=budget.scope.value,
        subject=budget.subject,
        threshold=threshold,
        unit=UNITS[measure],
        limit=limits_of(budget)[measure] or 0,
        spent=account.spent[measure],
        at_ns=at_ns,
        window_start_ns=account.start_ns,
        window_end_ns=account.end_ns,
        call_id=call_id,
    )
