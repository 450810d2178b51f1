"""The catalogue of one workspace, out of the configuration and what the control plane holds of the workspace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sidecar.core.aliases import hinted, obstacle
from sidecar.core.call import Operation, Target
from sidecar.core.catalog import Account, Alias, Catalog, Route
from sidecar.core.control import AliasVersion, Control, PlatformKeys, ProviderKey, Workspace
from sidecar.workspaces.accounts import Known, accounts_of
from sidecar.workspaces.definition import alias_of

EMBEDDED = "local"
"""Type of the account of the embedded model."""


@dataclass(frozen=True, slots=True)
class Own:
    """What the control plane holds of one workspace, as far as its view hangs on it."""

    workspace: Workspace
    keys: tuple[ProviderKey, ...] = ()
    """Revoked ones too."""
    aliases: tuple[AliasVersion, ...] = ()
    """In force."""


def own_of(control: Control) -> dict[str, Own]:
    """Of every workspace, by name."""
    keys: dict[str, list[ProviderKey]] = {}
    aliases: dict[str, list[AliasVersion]] = {}
    for key in control.keys.values():
        keys.setdefault(key.workspace, []).append(key)
    for version in control.aliases.values():
        if not version.deleted:
            aliases.setdefault(version.workspace, []).append(version)
    return {
        name: Own(workspace, tuple(keys.get(name, ())), tuple(aliases.get(name, ())))
        for name, workspace in control.workspaces.items()
    }


def view(system: Catalog, own: Own, secrets: Mapping[str, str], known: Known) -> Catalog:
    """`secrets` by key id, of the keys that can be opened. A workspace that changes nothing sees the system's own."""
    workspace = own.workspace
    plain = workspace.platform_keys is PlatformKeys.ALWAYS and not workspace.zero_retention
    if plain and workspace.name == system.workspace and not own.keys and not own.aliases:
        return system
    accounts = accounts_of(system.accounts, workspace, own.keys, secrets, known)
    seen = _serving(accounts.by_name, accounts.reserve)
    aliases = {
        **{name: _filled(alias, seen, known) for name, alias in system.aliases.items()},
        **{version.name: alias_of(version) for version in own.aliases},
    }
    return replace(
        system,
        accounts=accounts.by_name,
        reserve=accounts.reserve,
        aliases={name: hinted(alias, seen) for name, alias in aliases.items()},
        workspace=workspace.name,
        zero_retention=workspace.zero_retention,
    )


def serving(catalog: Catalog) -> Mapping[str, Account]:
    """By name, the account that serves a workspace there, be it in reserve; else the one that does not."""
    return _serving(catalog.accounts, catalog.reserve)


def _serving(by_name: Mapping[str, Account], reserve: Mapping[str, Account]) -> Mapping[str, Account]:
    return {name: each if each.usable else reserve.get(name, each) for name, each in by_name.items()}


def _filled(alias: Alias, accounts: Mapping[str, Account], known: Known) -> Alias:
    """An alias of the configuration. Where no place of its chain can be used, the workspace's own accounts take its
    place; and where any provider can be, the embedded model leaves it."""
    places = [route for route in alias.routes if not _embedded(route, accounts)]
    if not any(_serves(accounts.get(route.target.provider), alias.operation) for route in places):
        places += list(_own_places(alias, accounts, known))
    elif len(places) == len(alias.routes):
        return alias
    if any(_serves(accounts.get(route.target.provider), alias.operation) for route in places):
        return replace(alias, routes=tuple(places))
    return alias


def _own_places(alias: Alias, accounts: Mapping[str, Account], known: Known) -> Iterator[Route]:
    slot = known.slot(alias.name)
    for account in accounts.values():
        model = account.default_models.get(slot, "")
        if account.owner and model and _serves(account, alias.operation):
            yield Route(Target(account.name, model))


def _embedded(route: Route, accounts: Mapping[str, Account]) -> bool:
    account = accounts.get(route.target.provider)
    return account is not None and account.type == EMBEDDED


def _serves(account: Account | None, operation: Operation | None) -> bool:
    return account is not None and not obstacle(account, operation)
