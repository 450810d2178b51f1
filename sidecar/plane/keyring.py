"""A workspace's own provider keys: added, changed, rotated, revoked. Each function is one change of the control plane,
to be run within it; the vault may block there, which it may.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sidecar.core import ids
from sidecar.core.call import KeyScope
from sidecar.core.catalog import Key
from sidecar.core.control import Actor, Budget, BudgetScope, Control, DataKey, ProviderKey, Window
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.vault import Tampered, Vault, VaultLocked

if TYPE_CHECKING:  # SQLAlchemy takes 0.2 s to import
    from sidecar.control.change import Change


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a calendar month, UTC. None: no limit."""

    picodollars: int | None = None
    tokens: int | None = None
    requests: int | None = None

    @property
    def any(self) -> bool:
        return (self.picodollars, self.tokens, self.requests) != (None, None, None)


NO_LIMITS = Limits()
_PREFIX = "key_"


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a workspace adds."""

    workspace: str
    provider: str
    secret: str
    scopes: frozenset[KeyScope]
    label: str = ""
    base_url: str = ""
    limits: Limits = NO_LIMITS
    verified: bool = False


@dataclass(frozen=True, slots=True)
class Changes:
    """Of a key; None stays as it is."""

    label: str | None = None
    scopes: frozenset[KeyScope] | None = None
    enabled: bool | None = None
    limits: Limits | None = None
    """As a whole."""


def key_of(control: Control, workspace: str, key_id: str) -> ProviderKey:
    """Raises Refusal (UNKNOWN_KEY): another workspace's key is as unknown as one that never was."""
    found = control.keys.get(key_id)
    if found is None or found.workspace != workspace:
        # What is no id may be a key that was put in the wrong place: it is not repeated.
        what = f"key {key_id!r}" if key_id.startswith(_PREFIX) else "key of that id"
        raise Refusal(
            "NOT_FOUND",
            RefusalReason.UNKNOWN_KEY,
            f"This workspace has no {what}. `taximeter keys list` shows those it has.",
        )
    return found


def living(key: ProviderKey) -> ProviderKey:
    """Raises Refusal for a revoked key."""
    if key.revoked_ns is not None:
        raise Refusal(
            "NOT_FOUND",
            RefusalReason.UNKNOWN_KEY,
            f"Key {key.key_id} was revoked, and does not come back. Add another: `taximeter keys add {key.provider}`.",
        )
    return key


def budget_id(key_id: str) -> str:
    """Of the budget that holds a key's monthly limits."""
    return f"bud_{key_id}"


def limits_of(control: Control, key_id: str) -> Limits:
    found = control.budgets.get(budget_id(key_id))
    if found is None:
        return NO_LIMITS
    return Limits(found.limit_picodollars, found.limit_tokens, found.limit_requests)


class Keyring:
    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def add(self, change: Change, actor: Actor, new: NewKey) -> ProviderKey:
        """Raises Refusal (NAME_TAKEN: the workspace has this secret at this provider), VaultLocked."""
        self._is_new(change.control, new.workspace, new.provider, new.secret)
        key_id = f"{_PREFIX}{ids.ulid(lambda: change.now_ns).lower()}"
        empty = ProviderKey(
            key_id=key_id,
            workspace=new.workspace,
            provider=new.provider,
            label=new.label,
            masked=Key("", new.secret).masked,
            data_key_id="",
            sealed=b"",
            scopes=new.scopes,
            base_url=new.base_url,
            created_ns=change.now_ns,
            created_by=actor.name,
            verified_ns=change.now_ns if new.verified else None,
        )
        key = self._vault.seal(new.secret, empty, self._data_key(change, new.workspace))
        change.put("key.add", key)
        _limit(change, actor, key, new.limits)
        return key

    def rotate(self, change: Change, workspace: str, key_id: str, secret: str, *, verified: bool) -> ProviderKey:
        """Another secret under the same id. Raises Refusal (UNKNOWN_KEY, NAME_TAKEN), VaultLocked."""
        old = living(key_of(change.control, workspace, key_id))
        self._is_new(change.control, workspace, old.provider, secret)
        unsealed = replace(
            old,
            masked=Key("", secret).masked,
            version=old.version + 1,
            verified_ns=change.now_ns if verified else None,
        )
        key = self._vault.seal(secret, unsealed, self._data_key(change, workspace))
        change.put("key.rotate", key)
        return key

    def rewrap(self, change: Change, data_key_id: str) -> bool:
        """With the current key-encryption key; False: it was already, or is gone. Raises VaultLocked, Tampered."""
        old = change.control.data_keys.get(data_key_id)
        new = None if old is None else self._vault.rewrap(old)
        if new is None or new == old:
            return False
        change.put("data_key.rewrap", new)
        return True

    def secret(self, control: Control, key: ProviderKey) -> str:
        """Blocks. Raises VaultLocked, Tampered."""
        return self._vault.open(key, control.data_keys[key.data_key_id])

    def _is_new(self, control: Control, workspace: str, provider: str, secret: str) -> None:
        """Raises Refusal (NAME_TAKEN)."""
        for key in _at(control, workspace, provider):
            try:
                same = self.secret(control, key) == secret
            except (VaultLocked, Tampered):  # what cannot be opened cannot be compared, and is of no use either
                continue
            if same:
                named = f"{key.key_id} ({key.label})" if key.label else key.key_id
                raise Refusal(
                    "ALREADY_EXISTS",
                    RefusalReason.NAME_TAKEN,
                    f"This workspace has that key already: {named}, {key.masked}. `taximeter keys update` changes it.",
                    {"key_id": key.key_id},
                )

    def _data_key(self, change: Change, workspace: str) -> DataKey:
        """The workspace's newest, made when it is first needed. Raises VaultLocked."""
        of_it = (each for each in change.control.data_keys.values() if each.workspace == workspace)
        found = max(of_it, key=lambda each: (each.created_ns, each.data_key_id), default=None)
        if found is None:
            found = self._vault.new_data_key(workspace, change.now_ns)
            change.put("data_key.create", found)
        return found


def update(change: Change, actor: Actor, workspace: str, key_id: str, changes: Changes) -> ProviderKey:
    """Raises Refusal (UNKNOWN_KEY)."""
    old = living(key_of(change.control, workspace, key_id))
    key = replace(
        old,
        label=old.label if changes.label is None else changes.label,
        scopes=old.scopes if changes.scopes is None else changes.scopes,
        enabled=old.enabled if changes.enabled is None else changes.enabled,
    )
    if key != old:
        change.put("key.update", key)
    if changes.limits is not None:
        _limit(change, actor, key, changes.limits)
    return key


def mark_verified(change: Change, workspace: str, key_id: str, version: int) -> ProviderKey:
    """The provider took the secret of this version just now. Raises Refusal (UNKNOWN_KEY)."""
    key = key_of(change.control, workspace, key_id)
    if key.version == version and key.revoked_ns is None:
        key = replace(key, verified_ns=change.now_ns)
        change.put("key.verify", key)
    return key


def revoke(change: Change, actor: Actor, workspace: str, key_id: str) -> ProviderKey:
    """Erases its secret; what is revoked already stays so. Raises Refusal (UNKNOWN_KEY)."""
    old = key_of(change.control, workspace, key_id)
    if old.revoked_ns is not None:
        return old
    _limit(change, actor, old, NO_LIMITS)
    key = replace(old, sealed=b"", revoked_ns=change.now_ns)
    change.put("key.revoke", key)
    return key


def _at(control: Control, workspace: str, provider: str) -> Iterator[ProviderKey]:
    """Keys that are not revoked."""
    for key in control.keys.values():
        if (key.workspace, key.provider, key.revoked_ns) == (workspace, provider, None):
            yield key


def _limit(change: Change, actor: Actor, key: ProviderKey, limits: Limits) -> None:
    """A key's monthly limits are a budget, and stand nowhere else."""
    old = change.control.budgets.get(budget_id(key.key_id))
    if not limits.any:
        if old is not None:
            change.remove("budget.delete", old)
        return
    base = old or Budget(
        budget_id=budget_id(key.key_id),
        workspace=key.workspace,
        name="monthly limits",
        scope=BudgetScope.KEY,
        subject=key.key_id,
        window=Window.MONTH,
        created_ns=change.now_ns,
        created_by=actor.name,
    )
    new = replace(
        base, limit_picodollars=limits.picodollars, limit_tokens=limits.tokens, limit_requests=limits.requests
    )
    if new != old:
        change.put("budget.create" if old is None else "budget.update", new)
