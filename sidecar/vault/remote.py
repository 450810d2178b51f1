"""Key-encryption keys that never leave a key management service: it wraps and unwraps for us."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from sidecar.core.control import DataKey
from sidecar.vault.envelope import Context
from sidecar.vault.faults import KeeperUnavailable, Tampered

REMOTE = b"\x03"
PAUSE_S = 5.0
"""After a failure nobody is asked for so long: a hundred workspaces must not each wait for a service that is down."""


class Service(Protocol):
    """One key of a key management service."""

    def encrypt(self, plain: bytes, context: Context) -> bytes:
        """Raises KeeperUnavailable."""
        ...

    def decrypt(self, cipher: bytes, context: Context) -> bytes:
        """Raises KeeperUnavailable, VaultLocked, Tampered."""
        ...


class RemoteKeeper:
    def __init__(self, kek_id: str, service: Service, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self.kek_id = kek_id
        self._service = service
        self._monotonic_s = monotonic_s
        self._asked_again_at_s = 0.0
        self._why = ""

    def holds(self, data_key: DataKey) -> bool:
        return data_key.kek_id == self.kek_id

    def wrap(self, plain: bytes, context: Context) -> bytes:
        return REMOTE + self._asked(self._service.encrypt, plain, context)

    def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        if not wrapped.startswith(REMOTE):
            raise Tampered("it is not of a format that this version writes")
        return self._asked(self._service.decrypt, wrapped.removeprefix(REMOTE), context)

    def _asked(self, ask: Callable[[bytes, Context], bytes], text: bytes, context: Context) -> bytes:
        if self._monotonic_s() < self._asked_again_at_s:
            raise KeeperUnavailable(self._why)
        try:
            return ask(text, context)
        except KeeperUnavailable as why:
            self._asked_again_at_s, self._why = self._monotonic_s() + PAUSE_S, str(why)
            raise
