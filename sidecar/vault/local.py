"""Key-encryption keys in this process: 32 bytes as they are, or a passphrase through scrypt."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading

from sidecar.core.control import DataKey
from sidecar.core.encryption import KEY_BYTES, Passphrase, RawKey
from sidecar.vault import envelope
from sidecar.vault.envelope import Context
from sidecar.vault.faults import Tampered
from sidecar.vault.keeper import Keeper

SALTED = b"\x02"
SALT_BYTES = 16
# 32 MiB and a quarter of a second: cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
SCRYPT = {"n": 2**15, "r": 8, "p": 3, "maxmem": 64 << 20}
_ID_DOMAIN = b"taximeter key-encryption key id"


def keeper_of(key: RawKey | Passphrase) -> Keeper:
    return RawKeeper(key.value) if isinstance(key, RawKey) else PassphraseKeeper(key.text)


def id_of(key: bytes) -> str:
    """16 hex digits that tell keys apart, and from which none can be found."""
    return hashlib.sha256(hmac.digest(key, _ID_DOMAIN, "sha256")).hexdigest()[:16]


class RawKeeper:
    def __init__(self, key: bytes) -> None:
        self._key = key
        self.kek_id = id_of(key)

    def holds(self, data_key: DataKey) -> bool:
        return data_key.kek_id == self.kek_id

    def wrap(self, plain: bytes, context: Context) -> bytes:
        return envelope.seal(self._key, plain, context)

    def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        return envelope.unseal(self._key, wrapped, context)


class PassphraseKeeper:
    """Its salt travels in what it wraps, so that every pod with the passphrase can open it.

    The id of the key follows from passphrase and salt: without a salt it would be one more thing to guess the
    passphrase by, for all installations at once. A salt that was met in a data key is taken for new ones.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._keys: dict[bytes, bytes] = {}
        self._salt = b""
        self._lock = threading.Lock()

    @property
    def kek_id(self) -> str:
        return id_of(self._current()[1])

    def holds(self, data_key: DataKey) -> bool:
        salt = _salt_of(data_key.wrapped)
        if salt is None or id_of(self._derived(salt)) != data_key.kek_id:
            return False
        self._salt = self._salt or salt
        return True

    def wrap(self, plain: bytes, context: Context) -> bytes:
        salt, key = self._current()
        return envelope.seal(key, plain, context, SALTED + salt)

    def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        salt = _salt_of(wrapped)
        if salt is None:
            raise Tampered("it is not of a format that this version writes")
        return envelope.unseal(self._derived(salt), wrapped, context, SALTED + salt)

    def _current(self) -> tuple[bytes, bytes]:
        self._salt = self._salt or os.urandom(SALT_BYTES)
        return self._salt, self._derived(self._salt)

    def _derived(self, salt: bytes) -> bytes:
        with self._lock:
            if salt not in self._keys:
                self._keys[salt] = hashlib.scrypt(self._text.encode(), salt=salt, dklen=KEY_BYTES, **SCRYPT)
            return self._keys[salt]


def _salt_of(wrapped: bytes) -> bytes | None:
    """None: not wrapped with a passphrase."""
    salt = wrapped[len(SALTED) : len(SALTED) + SALT_BYTES]
    return salt if wrapped.startswith(SALTED) and len(salt) == SALT_BYTES else None
