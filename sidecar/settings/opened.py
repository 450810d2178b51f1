"""An account of the configuration as somebody else's key would open it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sidecar.core.catalog import Account
from sidecar.settings.accounts import without_wire
from sidecar.settings.rows import Row, known_rows
from sidecar.settings.urls import endpoint


def opened(account: Account, url: str, wires: Collection[str]) -> Account:
    """At a base URL (empty: its own address), without keys. `unusable` says what is missing besides a key."""
    row = known_rows().get(account.type) or Row(account.type, account.wire, "", account.display)
    moved = _moved(account, row, url.rstrip("/")) if url else account
    return replace(moved, keys=(), unusable=_unusable(moved, row, wires))


def _moved(account: Account, row: Row, url: str) -> Account:
    wire, address, _ = endpoint(row, url)
    if wire == row.wire:
        return replace(account, base_url=address)
    return replace(account, base_url=address, wire=wire, model_wires={})


def _unusable(account: Account, row: Row, wires: Collection[str]) -> str:
    if not account.base_url:
        return f"{account.name} has no address of its own: add the key with its base URL"
    return without_wire(row, account.wire, wires)
