"""Workspaces, keys and aliases as the control plane holds them, over a small configuration."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sidecar.core.call import Capability, Operation, Target
from sidecar.core.catalog import Account, Alias, Catalog, Key, Route
from sidecar.core.control import AliasVersion, Control, PlatformKeys, ProviderKey, Workspace
from sidecar.settings import pool_slot
from sidecar.workspaces import Known, own_of, view
from tests.support.routes import account

CONFIGURED = ("openai", "anthropic", "groq")
"""Known to the configuration; those that a test names have a key of the operator's."""


def opened(account: Account, url: str) -> Account:
    moved = replace(account, base_url=url) if url else account
    return replace(moved, keys=(), unusable="" if moved.base_url else "no address")


KNOWN = Known(opened, pool_slot)


def system(*with_key: str, **values: Any) -> Catalog:
    """`smart` leads to all of CONFIGURED in this order; beside them a server of the operator's without a key."""
    accounts = {name: _configured(name, name in with_key) for name in CONFIGURED}
    accounts["ollama"] = account("ollama", keys=(), needs_key=False)
    accounts["azure"] = replace(_configured("azure", False), base_url="", unusable="no address")
    chain = tuple(Route(Target(name, f"{name}-smart")) for name in CONFIGURED)
    aliases = {name: Alias(name, chain, operation=Operation.CHAT) for name in ("smart", "text")}
    return Catalog(accounts=accounts, aliases=aliases, **values)


def _configured(name: str, has_key: bool) -> Account:
    keys = (Key(f"{name.upper()}_API_KEY", f"sk-of-the-operator-{name}"),) if has_key else ()
    unusable = "" if has_key else f"{name.upper()}_API_KEY is not set"
    return account(name, keys=keys, unusable=unusable, capabilities=frozenset({Capability.CHAT}))


def key(workspace: str, provider: str, key_id: str = "", **values: Any) -> ProviderKey:
    key_id = key_id or f"key-{workspace}-{provider}"
    return ProviderKey(
        key_id,
        workspace,
        provider,
        **{"label": "", "masked": "sk-...abcd", "data_key_id": f"data-{workspace}", "sealed": b"sealed", **values},
    )


def secret(key: ProviderKey) -> str:
    return f"sk-secret-of-{key.key_id}-{key.version}"


def alias(workspace: str, name: str, *targets: str, version: int = 1, **values: Any) -> AliasVersion:
    """A target is "provider/model" or "provider"."""
    chain = [dict(zip(("provider", "model"), target.split("/", 1), strict=False)) for target in targets]
    return AliasVersion(workspace, name, version, {"name": name, "targets": chain, **values})


def control(*held: Workspace | ProviderKey | AliasVersion, generation: int = 1) -> Control:
    workspaces = {"default": Workspace("default", platform_keys=PlatformKeys.ALWAYS)}
    workspaces |= {each.name: each for each in held if isinstance(each, Workspace)}
    return Control(
        generation=generation,
        workspaces=workspaces,
        keys={each.key_id: each for each in held if isinstance(each, ProviderKey)},
        aliases={(each.workspace, each.name): each for each in held if isinstance(each, AliasVersion)},
    )


def seen(made: Catalog, held: Control, workspace: str, *, locked: frozenset[str] = frozenset()) -> Catalog:
    """The view of a workspace; keys named in `locked` cannot be opened."""
    own = own_of(held)[workspace]
    secrets = {each.key_id: secret(each) for each in own.keys if each.key_id not in locked and each.revoked_ns is None}
    return view(made, own, secrets, KNOWN)
