"""Who keeps a key-encryption key, and wraps data keys with it: this process, or a service that never gives it away."""

from __future__ import annotations

from typing import Protocol

from sidecar.core.control import DataKey
from sidecar.vault.envelope import Context


class Keeper(Protocol):
    """Blocking: to be called beside the loop."""

    @property
    def kek_id(self) -> str:
        """Of the key that wraps now. Stable, and reveals nothing of it."""
        ...

    def holds(self, data_key: DataKey) -> bool:
        """Whether it was wrapped here. Asks nobody."""
        ...

    def wrap(self, plain: bytes, context: Context) -> bytes:
        """Raises KeeperUnavailable."""
        ...

    def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """Raises KeeperUnavailable, VaultLocked, Tampered."""
        ...
