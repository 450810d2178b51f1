"""From what is held to what is spent: where a record counts, and which alerts that calls for."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.budget import alerts
from sidecar.budget.account import Account
from sidecar.budget.charges import Amounts, counted_at_ns
from sidecar.budget.hold import Hold
from sidecar.budget.index import Entry, Index
from sidecar.core.call import CallRecord


def entries_of(index: Index, hold: Hold | None, record: CallRecord) -> Sequence[Entry]:
    """Where a record counts. Those of a hold are looked for once, when its record is noted or settled."""
    if hold is None or hold.room is None:
        return index.entries(record, counted_at_ns(record))
    if hold.entries is None:
        at_ns = record.budget_ns or record.started_ns
        same = at_ns == hold.budget_ns and index.workspace(record.workspace) is hold.index
        hold.entries = index.entries(record, at_ns, hold.accounts if same else None)
    return hold.entries


def to_come(entries: Sequence[Entry]) -> list[str]:
    """The alerts that are due once these are spent: "budget_id threshold"."""
    told = []
    for account, (picodollars, tokens, requests) in entries:
        if (
            account.spent_picodollars + picodollars >= account.alert_picodollars
            or account.spent_tokens + tokens >= account.alert_tokens
            or account.spent_requests + requests >= account.alert_requests
        ):
            before = account.spent
            spent = Amounts(before.picodollars + picodollars, before.tokens + tokens, before.requests + requests)
            told += [f"{account.budget.budget_id} {threshold}" for threshold, _ in alerts.passing(account, spent)]
    return told


def spend(entries: Sequence[Entry]) -> list[Account]:
    """Gives those for which an alert may be due. As `Account.spend`, without a call for each."""
    passing = []
    for account, (picodollars, tokens, requests) in entries:
        account.spent_picodollars += picodollars
        account.spent_tokens += tokens
        account.spent_requests += requests
        account.free_picodollars -= picodollars
        account.free_tokens -= tokens
        account.free_requests -= requests
        if (
            account.spent_picodollars >= account.alert_picodollars
            or account.spent_tokens >= account.alert_tokens
            or account.spent_requests >= account.alert_requests
        ):
            passing.append(account)
    return passing
