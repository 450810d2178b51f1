"""Keys, data keys and provider keys of the vault's tests."""

from __future__ import annotations

import base64
import os

from sidecar.core.control import ProviderKey
from sidecar.core.encryption import read_key
from sidecar.vault import Vault
from sidecar.vault.local import keeper_of

PASSPHRASE = "three blind mice, see how they run"
NOW_NS = 1_780_000_000_000_000_000


def key_text() -> str:
    """As `openssl rand -base64 32` gives it."""
    return base64.b64encode(os.urandom(32)).decode()


def vault(*texts: str) -> Vault:
    """Of local keys; the first wraps."""
    return Vault([keeper_of(read_key(text)) for text in texts])


def provider_key(workspace: str = "acme", key_id: str = "key-1", **more: object) -> ProviderKey:
    """Without a secret yet."""
    fields: dict[str, object] = {"provider": "openai", "label": "main", "masked": "sk-...abcd", **more}
    return ProviderKey(key_id, workspace, data_key_id="", sealed=b"", **fields)  # type: ignore[arg-type]
