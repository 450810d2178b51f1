"""What a workspace is shown of accounts and keys: of the operator's, others see neither keys nor addresses."""

from __future__ import annotations

from sidecar.core.catalog import Account, Catalog, Key
from sidecar.core.control import DEFAULT_WORKSPACE

PLATFORM = "platform"
"""In the place of a key of the operator's."""


def is_own(account: Account, catalog: Catalog) -> bool:
    """Whether the account is the workspace's own, or the workspace the operator's."""
    return catalog.workspace in (DEFAULT_WORKSPACE, account.owner)


def key_text(key: Key, catalog: Catalog) -> str:
    """Masked; empty where there is no secret."""
    return PLATFORM if key.owner == PLATFORM and catalog.workspace != DEFAULT_WORKSPACE and key.secret else key.masked
