"""What a record counts for. Pure: settling, recovery and the ledger's SQL all come to what stands here.

of                            money                                tokens           requests
workspace, alias, caller      cost of all attempts                 in and out       1, if any attempt was made
key                           cost of its attempts                 of those         1 an attempt

An attempt whose price is not known counts its tokens and itself only. What a provider may have billed without saying
so (`cost_at_risk`, `tokens_at_risk`) comes on top where a budget counts it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sidecar.budget.windows import window_at
from sidecar.core.call import Attempt, CallRecord
from sidecar.core.control import DEFAULT_WORKSPACE, Budget, BudgetScope


class Amounts(NamedTuple):
    """By the three measures of a budget."""

    picodollars: int = 0
    tokens: int = 0
    requests: int = 0


class Charge(NamedTuple):
    """What is certain, and what may come on top of it."""

    picodollars: int = 0
    tokens: int = 0
    requests: int = 0
    picodollars_at_risk: int = 0
    tokens_at_risk: int = 0

    def counted(self, at_risk: bool) -> tuple[int, int, int]:
        """Amounts."""
        picodollars, tokens, requests, picodollars_at_risk, tokens_at_risk = self
        if at_risk:
            return picodollars + picodollars_at_risk, tokens + tokens_at_risk, requests
        return picodollars, tokens, requests


class Charges(NamedTuple):
    call: Charge
    """For the budgets of workspace, alias and caller."""
    keys: Mapping[str, Charge]
    """For those of each key that was used, by its id."""


NO_CHARGE = Charge()


def charges(record: CallRecord) -> Charges:
    """What the record counts for, of each budget that it concerns."""
    return Charges(*charges_of(record.attempts))


def charges_of(attempts: Sequence[Attempt]) -> tuple[Charge, dict[str, Charge]]:
    """As `charges`: of the call, and of each key."""
    call: Charge | None = None
    keys: dict[str, Charge] = {}
    for attempt in attempts:
        usage = attempt.usage
        own = Charge(
            attempt.cost.amount_picodollars or 0,
            (usage.input or 0) + (usage.output or 0),
            1,
            attempt.cost_at_risk_picodollars,
            attempt.tokens_at_risk,
        )
        call = own if call is None else _sum(call, own)._replace(requests=1)
        if key_id := attempt.key_id:
            keys[key_id] = _sum(keys[key_id], own) if key_id in keys else own
    return call or NO_CHARGE, keys


def _sum(one: Charge, other: Charge) -> Charge:
    return Charge(*(mine + yours for mine, yours in zip(one, other, strict=True)))


def counted_at_ns(record: CallRecord) -> int:
    """The instant whose windows a record counts in, UTC."""
    return record.budget_ns or record.started_ns


def counted(record: CallRecord, budget: Budget) -> Amounts:
    """What a record counts for one budget; zeros if it does not concern it.

    A key's budget counts the attempts of its own workspace; one of the default workspace, the operator's, those of all.
    """
    if budget.scope is BudgetScope.KEY:
        if budget.workspace not in (record.workspace, DEFAULT_WORKSPACE):
            return Amounts()
        return Amounts(*charges(record).keys.get(budget.subject, NO_CHARGE).counted(budget.count_at_risk))
    named = {
        BudgetScope.WORKSPACE: budget.subject,
        BudgetScope.ALIAS: record.alias,
        BudgetScope.CALLER: record.caller,
    }
    if budget.workspace != record.workspace or named[budget.scope] != budget.subject:
        return Amounts()
    return Amounts(*charges(record).call.counted(budget.count_at_risk))


def fold(records: Iterable[CallRecord], definitions: Mapping[str, Budget]) -> dict[tuple[str, int], Amounts]:
    """(budget id, start of the window) -> what the records come to there. A window without any is left out."""
    sums: dict[tuple[str, int], Amounts] = {}
    for record in records:
        for budget in definitions.values():
            amounts = counted(record, budget)
            if amounts.requests:
                start_ns, _ = window_at(budget.window, budget.time_zone, counted_at_ns(record))
                before = sums.get((budget.budget_id, start_ns), Amounts())
                sums[budget.budget_id, start_ns] = Amounts(*map(sum, zip(before, amounts, strict=True)))
    return sums
