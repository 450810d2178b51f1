"""Which budgets concern a call: found by its workspace, alias, caller and keys, however many others there are."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sidecar.budget.account import Account
from sidecar.budget.charges import charges
from sidecar.budget.hold import Who
from sidecar.budget.purse import Purse
from sidecar.core.call import CallRecord
from sidecar.core.control import BudgetScope

Entry = tuple[Account, int, int, int]
"""Where something counts, and how much: picodollars, tokens, requests."""


class WorkspaceIndex:
    """The budgets of one workspace that concern calls as a whole."""

    __slots__ = ("_by_alias", "_by_caller", "_own", "keys")

    def __init__(self, *, keys: bool) -> None:
        self.keys = keys
        """There are keys with a budget that its calls may use."""
        self._own: tuple[Purse, ...] = ()
        self._by_alias: dict[str, tuple[Purse, ...]] = {}
        self._by_caller: dict[str, tuple[Purse, ...]] = {}

    def add(self, purse: Purse) -> None:
        subject = purse.budget.subject
        match purse.budget.scope:
            case BudgetScope.KEY:
                self.keys = True
            case BudgetScope.WORKSPACE:
                self._own += (purse,)
            case BudgetScope.ALIAS:
                self._by_alias[subject] = (*self._by_alias.get(subject, ()), purse)
            case BudgetScope.CALLER:
                self._by_caller[subject] = (*self._by_caller.get(subject, ()), purse)

    def of(self, alias: str, caller: str) -> tuple[Purse, ...]:
        return self._own + self._by_alias.get(alias, ()) + self._by_caller.get(caller, ())


class Index:
    """All of them. Never changed: other budgets have another index."""

    __slots__ = ("_by_key", "_by_workspace", "_elsewhere")

    def __init__(self, purses: Collection[Purse] = ()) -> None:
        self._by_workspace: dict[str, WorkspaceIndex] = {}
        self._by_key: dict[str, tuple[Purse, ...]] = {}
        everywhere = any(purse.everywhere for purse in purses)
        self._elsewhere = WorkspaceIndex(keys=True) if everywhere else None
        for purse in purses:
            budget = purse.budget
            if budget.workspace not in self._by_workspace:
                self._by_workspace[budget.workspace] = WorkspaceIndex(keys=everywhere)
            self._by_workspace[budget.workspace].add(purse)
            if budget.scope is BudgetScope.KEY:
                self._by_key[budget.subject] = (*self._by_key.get(budget.subject, ()), purse)

    def workspace(self, name: str) -> WorkspaceIndex | None:
        """None: no budget can concern a call of it. One without budgets of its own may use a key that has one."""
        return self._by_workspace.get(name, self._elsewhere)

    def key(self, workspace: str, key_id: str) -> Sequence[Purse]:
        """The budgets of a key that attempts of this workspace count for."""
        found = self._by_key.get(key_id)
        if found is None:
            return ()
        return [purse for purse in found if purse.everywhere or purse.budget.workspace == workspace]

    def watches(self, who: Who, key_ids: Sequence[str] | None) -> bool:
        found = self.workspace(who.workspace)
        if found is None:
            return False
        if found.of(who.alias, who.caller):
            return True
        if key_ids is None:
            return found.keys
        return any(self.key(who.workspace, key_id) for key_id in key_ids)

    def of(self, who: Who) -> tuple[Purse, ...]:
        found = self.workspace(who.workspace)
        return () if found is None else found.of(who.alias, who.caller)

    def entries(self, record: CallRecord, at_ns: int, accounts: Sequence[Account] | None) -> list[Entry]:
        """What a record counts for, and where. `accounts`: those of the call as a whole; None: to be found."""
        found = self.workspace(record.workspace)
        if found is None or not record.attempts:
            return []
        call, keys = charges(record)
        if accounts is None:
            accounts = kept(found.of(record.alias, record.caller), at_ns)
        entries: list[Entry] = [(each, *call.counted(each.at_risk)) for each in accounts]
        if found.keys:
            for key_id, charge in keys.items():
                own = kept(self.key(record.workspace, key_id), at_ns)
                entries += [(each, *charge.counted(each.at_risk)) for each in own]
        return entries


def kept(purses: Sequence[Purse], at_ns: int) -> list[Account]:
    """Their windows at that instant, without those that are over and forgotten."""
    return [account for purse in purses if (account := purse.at(at_ns)) is not None]
