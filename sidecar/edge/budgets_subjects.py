"""What a budget can be for: it has to be there, in the budget's own workspace."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sidecar.core.control import DEFAULT_WORKSPACE, Budget, BudgetScope, Control

_OTHER_CALLERS = ("cert:", "jwt:")
"""Callers that no token stands for."""


@dataclass(frozen=True, slots=True)
class Subjects:
    control: Callable[[], Control]
    aliases: Callable[[str], Collection[str]]
    """Names of a workspace's."""
    platform_keys: Callable[[], Collection[str]]
    """Ids of the operator's own, from the configuration."""

    def wrong(self, budget: Budget) -> str:
        """What is wrong with its subject; empty: nothing."""
        workspace, subject = budget.workspace, budget.subject
        match budget.scope:
            case BudgetScope.WORKSPACE:
                return "is for keys, aliases and callers only" if subject else ""
            case BudgetScope.KEY if not self._has_key(workspace, subject):
                return f"the workspace has no key {subject!r}: `taximeter keys list` shows its keys"
            case BudgetScope.ALIAS if subject not in self.aliases(workspace):
                return f"the workspace has no alias {subject!r}: `taximeter aliases list` shows its aliases"
            case BudgetScope.CALLER if not self._has_caller(workspace, subject):
                return f"the workspace has no token {subject!r}: `taximeter tokens list` shows its tokens"
        return ""

    def _has_key(self, workspace: str, key_id: str) -> bool:
        key = self.control().keys.get(key_id)
        if key is None:
            return workspace == DEFAULT_WORKSPACE and key_id in self.platform_keys()
        return key.workspace == workspace and key.revoked_ns is None

    def _has_caller(self, workspace: str, caller: str) -> bool:
        token = self.control().tokens.get(caller)
        if token is None:
            return caller.startswith(_OTHER_CALLERS)
        return token.workspace == workspace and token.revoked_ns is None
