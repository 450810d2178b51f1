"""Each workspace's catalogue: the configuration with its own keys and aliases. On the call path this is a look-up.

Secrets are opened in the control plane's thread, before what they belong to comes into force. A key that cannot be
opened is left out, said once, and listed by `locked`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sidecar.core.catalog import Account, Catalog, owned
from sidecar.core.control import Control, DataKey, ProviderKey
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.vault.faults import KeeperUnavailable, VaultFault
from sidecar.workspaces import Known, Own, own_of, view

MAX_VIEWS = 4096
"""Of workspaces in use; of more, the one made longest ago is made again when it is wanted."""
RETRY_S = 15.0
"""A key whose keeper could not be reached is tried again."""
_Version = tuple[str, int, tuple[str, str, str, str, bytes]]
"""(key id, version, all else that its secret is bound to): a row that was moved by hand is opened anew, in vain."""


class Opener(Protocol):
    """The vault."""

    def open(self, key: ProviderKey, data_key: DataKey) -> str:
        """Raises VaultFault."""
        ...


class Plane(Protocol):
    @property
    def control(self) -> Control: ...

    def prepare(self, prepare: Callable[[Control], None]) -> None: ...

    def follow(self, follower: Callable[[Control, Control], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Kept:
    system: Catalog
    catalog: Catalog
    secrets: Mapping[str, str] = field(repr=False)
    own: tuple[Account, ...] = ()


class Catalogs:
    def __init__(
        self,
        system: Callable[[], Catalog],
        plane: Plane,
        vault: Opener,
        *,
        known: Known,
        log: Any,
    ) -> None:
        """To be made before the plane is opened."""
        self._system = system
        self._plane = plane
        self._vault = vault
        self._known = known
        self._log = log
        self.changed: Callable[[Catalog, Catalog], None] = lambda _old, _new: None
        """Told (old, new) when what a workspace in use sees has changed, and is not the configuration itself."""
        self._secrets: dict[_Version, str] = {}
        self._unreached: set[_Version] = set()
        self._said: set[_Version] = set()
        self._own = own_of(plane.control)
        self._kept: dict[str, _Kept] = {}
        self._waiting: set[str] = set()
        """Workspaces whose views lack a key that could not be opened."""
        plane.prepare(self.prepare)
        plane.follow(self._follow)

    def of(self, workspace: str) -> Catalog:
        """The same object for as long as nothing of it has changed. Raises Refusal (UNKNOWN_WORKSPACE)."""
        kept = self._kept.get(workspace)
        if kept is not None and kept.system is self._system():
            return kept.catalog
        return self._made(workspace)

    def own_accounts(self) -> Iterable[Account]:
        """Those that the workspaces in use have themselves."""
        return (account for kept in self._kept.values() for account in kept.own)

    def locked(self) -> frozenset[str]:
        """Ids of the keys that are there and cannot be opened."""
        keys = self._plane.control.keys.values()
        return frozenset(key.key_id for key in keys if _sealed(key) and _version(key) not in self._secrets)

    def prepare(self, control: Control) -> None:
        """Opens what is new in it. Beside the loop: it may take as long as a key service does."""
        unreached = set()
        for key in control.keys.values():
            if _sealed(key) and _version(key) not in self._secrets:
                try:
                    self._secrets[_version(key)] = self._opened(key, control)
                except KeeperUnavailable as why:
                    unreached.add(_version(key))
                    self._say(key, why)
                except VaultFault as why:
                    self._say(key, why)
        self._unreached = unreached

    async def keep_opening(self) -> None:
        """Tries again, until cancelled, what a key service could not be asked for."""
        while True:
            await asyncio.sleep(RETRY_S)
            if not self._unreached:
                continue
            control = self._plane.control
            await asyncio.to_thread(self.prepare, control)
            self._follow(control, self._plane.control)

    def _opened(self, key: ProviderKey, control: Control) -> str:
        data_key = control.data_keys.get(key.data_key_id)
        if data_key is None:
            raise VaultFault("its data key is gone")
        return self._vault.open(key, data_key)

    def _say(self, key: ProviderKey, why: VaultFault) -> None:
        """Once of each secret."""
        if _version(key) not in self._said:
            self._said.add(_version(key))
            self._log.warning(
                "key_locked",
                workspace=key.workspace,
                key_id=key.key_id,
                provider=key.provider,
                why=type(why).__name__,
            )

    def _follow(self, old: Control, new: Control) -> None:
        """In the moment of the swap: whatever changed of the workspaces in use is in force when this returns."""
        before, self._own = self._own, own_of(new)
        for workspace, kept in list(self._kept.items()):
            own = self._own.get(workspace)
            if own is None:
                del self._kept[workspace]
            elif own != before.get(workspace) or (workspace in self._waiting and self._secrets_of(own) != kept.secrets):
                self._made(workspace)
        gone = old.keys.keys() - new.keys.keys()
        stale = [version for version in self._secrets if version[0] in gone or _is_past(version, new)]
        for version in stale:
            del self._secrets[version]

    def _made(self, workspace: str) -> Catalog:
        own = self._own.get(workspace)
        if own is None:
            raise Refusal(
                "NOT_FOUND",
                RefusalReason.UNKNOWN_WORKSPACE,
                f"There is no workspace {workspace!r}: `taximeter workspaces list` shows them all.",
                {"workspace": workspace},
            )
        system, before = self._system(), self._kept.pop(workspace, None)
        secrets = self._secrets_of(own)
        catalog = view(system, own, secrets, self._known)
        if len(self._kept) >= MAX_VIEWS:
            del self._kept[next(iter(self._kept))]
        self._kept[workspace] = _Kept(system, catalog, secrets, tuple(owned(catalog, workspace).values()))
        self._waiting.discard(workspace)
        if any(_sealed(key) and key.key_id not in secrets for key in own.keys):
            self._waiting.add(workspace)
        if before is not None and catalog is not system:
            self.changed(before.catalog, catalog)
        return catalog

    def _secrets_of(self, own: Own) -> Mapping[str, str]:
        return {key.key_id: secret for key in own.keys if (secret := self._secrets.get(_version(key))) is not None}


def _version(key: ProviderKey) -> _Version:
    bound = (key.workspace, key.provider, key.base_url, key.data_key_id, key.sealed)
    return key.key_id, key.version, bound


def _sealed(key: ProviderKey) -> bool:
    """It is to have a secret: where that is gone without a revocation, somebody else erased it."""
    return key.revoked_ns is None


def _is_past(version: _Version, control: Control) -> bool:
    """The id has another secret by now, or none. One that is newer than `control` waits for its turn."""
    key = control.keys.get(version[0])
    if key is None:
        return False
    return key.revoked_ns is not None or (key.version >= version[1] and _version(key) != version)
