"""The vault: seals provider keys with a data key a workspace, which a key-encryption key wraps. Keeps nothing itself.

Everything here may block (scrypt, a key management service): call it beside the loop.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sidecar.core import ids
from sidecar.core.control import DataKey, ProviderKey
from sidecar.core.encryption import KEY_BYTES
from sidecar.vault import envelope
from sidecar.vault.envelope import Context
from sidecar.vault.faults import KeeperUnavailable, Tampered, VaultLocked
from sidecar.vault.keeper import Keeper

NO_KEY = (
    "The vault is locked: no encryption key is set. Put AI_ENCRYPTION_KEY (make one with `openssl rand -base64 32`), "
    "AI_ENCRYPTION_KEY_FILE or TAXIMETER_KMS into the environment, and start again."
)
_REMEMBERED = 4096
"""Data keys in the clear, so that a service is not asked for the same one again."""


@dataclass(frozen=True, slots=True)
class Verified:
    opened: int
    locked: tuple[str, ...]
    """Ids of keys whose secret cannot be opened."""


class Vault:
    def __init__(self, keepers: Sequence[Keeper], why_locked: str = NO_KEY, *, current: bool = True) -> None:
        """The first keeper wraps, all of them open; without `current` none wraps, for the reason `why_locked`."""
        self._keepers = tuple(keepers)
        self._current = self._keepers[0] if keepers and current else None
        self.why_locked = "" if self._current else why_locked
        self._plain: dict[tuple[str, bytes], bytes] = {}

    @property
    def ready(self) -> bool:
        """Whether secrets can be sealed."""
        return self._current is not None

    @property
    def kek_id(self) -> str:
        """Of the current key-encryption key; empty if there is none."""
        return self._current.kek_id if self._current else ""

    def new_data_key(self, workspace: str, now_ns: int) -> DataKey:
        """Raises VaultLocked, KeeperUnavailable."""
        unwrapped = DataKey(ids.ulid(lambda: now_ns), workspace, "", b"", now_ns)
        return self._wrapped(unwrapped, os.urandom(KEY_BYTES))

    def seal(self, secret: str, key: ProviderKey, data_key: DataKey) -> ProviderKey:
        """The key with `secret` in it, bound to its workspace, id, version, provider and base URL.

        Raises VaultLocked, KeeperUnavailable, Tampered (the data key).
        """
        key = dataclasses.replace(key, data_key_id=data_key.data_key_id)
        return dataclasses.replace(
            key, sealed=envelope.seal(self._data_key(data_key), secret.encode(), _of_key(key, data_key))
        )

    def open(self, key: ProviderKey, data_key: DataKey) -> str:
        """Raises VaultLocked, KeeperUnavailable, Tampered."""
        plain = self._data_key(data_key)
        try:
            return envelope.unseal(plain, key.sealed, _of_key(key, data_key)).decode()
        except Tampered as why:
            raise Tampered(f"The secret of key {key.key_id} cannot be opened: {why}.") from None

    def rewrap(self, data_key: DataKey) -> DataKey:
        """Wrapped with the current key-encryption key; the same if it is already. What it gives was opened once.

        Raises VaultLocked, KeeperUnavailable, Tampered.
        """
        if not self.stale((data_key,)):
            return data_key
        plain = self._data_key(data_key)
        wrapped = self._wrapped(data_key, plain)
        if self._unwrapped(wrapped) != plain:
            raise Tampered(f"Data key {data_key.data_key_id} did not come back as it was wrapped.")
        return wrapped

    def stale(self, data_keys: Iterable[DataKey]) -> list[DataKey]:
        """Those that the current key-encryption key did not wrap. Raises VaultLocked."""
        current = self._wrapper()
        return [each for each in data_keys if not current.holds(each)]

    def verify(self, keys: Iterable[ProviderKey], data_keys: Mapping[str, DataKey]) -> Verified:
        """Opens every secret once; revoked keys have none. Raises KeeperUnavailable: then nothing is known."""
        opened, locked = 0, []
        for key in keys:
            if key.revoked_ns is not None:
                continue
            if self._opens(key, data_keys.get(key.data_key_id)):
                opened += 1
            else:
                locked.append(key.key_id)
        return Verified(opened, tuple(locked))

    def _opens(self, key: ProviderKey, data_key: DataKey | None) -> bool:
        try:
            return data_key is not None and bool(self.open(key, data_key))
        except KeeperUnavailable:
            raise
        except (VaultLocked, Tampered):
            return False

    def _wrapper(self) -> Keeper:
        if self._current is None:
            raise VaultLocked(self.why_locked)
        return self._current

    def _wrapped(self, data_key: DataKey, plain: bytes) -> DataKey:
        keeper = self._wrapper()
        named = dataclasses.replace(data_key, kek_id=keeper.kek_id)
        return dataclasses.replace(named, wrapped=keeper.wrap(plain, _of_data_key(named)))

    def _data_key(self, data_key: DataKey) -> bytes:
        """In the clear."""
        known = (str(_of_data_key(data_key)), data_key.wrapped)
        plain = self._plain.get(known)
        if plain is None:  # another thread may forget it at any time
            plain = self._unwrapped(data_key)
            if len(self._plain) >= _REMEMBERED:
                self._plain.clear()
            self._plain[known] = plain
        return plain

    def _unwrapped(self, data_key: DataKey) -> bytes:
        keeper = next((each for each in self._keepers if each.holds(data_key)), None)
        if keeper is None:
            raise VaultLocked(
                f"Data key {data_key.data_key_id} of workspace '{data_key.workspace}' is locked: it was wrapped with "
                f"encryption key {data_key.kek_id}, which is not given. Set AI_ENCRYPTION_KEY to it, or put it into "
                "AI_ENCRYPTION_KEY_PREVIOUS."
            )
        try:
            plain = keeper.unwrap(data_key.wrapped, _of_data_key(data_key))
        except Tampered as why:
            raise Tampered(f"Data key {data_key.data_key_id} cannot be opened: {why}.") from None
        if len(plain) != KEY_BYTES:
            raise Tampered(f"Data key {data_key.data_key_id} has not {KEY_BYTES} bytes.")
        return plain


def _of_data_key(data_key: DataKey) -> Context:
    return {
        "taximeter": "data key",
        "workspace": data_key.workspace,
        "data_key_id": data_key.data_key_id,
        "kek_id": data_key.kek_id,
    }


def _of_key(key: ProviderKey, data_key: DataKey) -> Context:
    """The base URL too: whoever could change it would be sent the secret."""
    return {
        "taximeter": "provider key",
        "workspace": key.workspace,
        "data_key_id": data_key.data_key_id,
        "key_id": key.key_id,
        "provider": key.provider,
        "base_url": key.base_url,
        "version": str(key.version),
    }
