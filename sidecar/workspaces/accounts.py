"""A workspace's accounts: those of the configuration, opened by its own keys and, as far as they serve, the operator's.

The addresses that a workspace's keys at one provider have had, in the order of their first key, are accounts: the first
goes by the provider's name ("azure"), each further one by the next number ("azure2"). Revoked keys count in that
order, so a name never comes to mean another address.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sidecar.core.catalog import Account, Key
from sidecar.core.control import PlatformKeys, ProviderKey, Workspace

OWNER = "workspace"


@dataclass(frozen=True, slots=True)
class Known:
    """What the configuration knows and this room does not."""

    opened: Callable[[Account, str], Account]
    """The account as a key of a workspace would open it, at a base URL ("": its own address). `unusable` says what is
    missing besides the key."""
    slot: Callable[[str], str]
    """Whose default models serve a pool or task of the configuration: "smart", "fast", "image"; "" for other names."""


@dataclass(frozen=True, slots=True)
class Accounts:
    by_name: Mapping[str, Account]
    reserve: Mapping[str, Account]
    """Of the operator's, behind all of the workspace's own."""


def accounts_of(
    system: Mapping[str, Account],
    workspace: Workspace,
    keys: Sequence[ProviderKey],
    secrets: Mapping[str, str],
    known: Known,
) -> Accounts:
    """`keys`: all that the workspace ever had; `secrets` by key id, of those that can be used."""
    own = {account.name: account for account in _own(system, workspace, keys, secrets, known)}
    left_out = _left_out(keys, secrets)
    by_name, reserve = {}, {}
    for name, theirs in system.items():
        mine = own.pop(name, None)
        match workspace.platform_keys:
            case PlatformKeys.ALWAYS if mine is not None:
                by_name[name] = _joined(mine, theirs)
                if by_name[name] is mine and theirs.usable:
                    reserve[name] = theirs
            case PlatformKeys.FALLBACK if theirs.usable:
                by_name[name] = mine or theirs
                reserve[name] = theirs
            case PlatformKeys.NEVER if mine is None:
                by_name[name] = _closed(theirs, left_out.get(name, ""))
            case _:
                by_name[name] = mine or theirs
    by_name |= own
    if not workspace.zero_retention:
        return Accounts(by_name, reserve)
    kept = {name: replace(each, zero_retention=True) for name, each in by_name.items()}
    behind = {name: kept[name] if each is by_name[name] else replace(each, zero_retention=True)
              for name, each in reserve.items()}  # fmt: skip
    return Accounts(kept, behind)


def _own(
    system: Mapping[str, Account],
    workspace: Workspace,
    keys: Sequence[ProviderKey],
    secrets: Mapping[str, str],
    known: Known,
) -> Iterator[Account]:
    """One for each address of which a key can be used."""
    for name, (provider, url) in addresses(keys, system).items():
        here = tuple(
            Key(key.key_id, secrets[key.key_id], OWNER, key.scopes)
            for key in keys
            if (key.provider, key.base_url) == (provider, url) and in_use(key) and key.key_id in secrets
        )
        if here and provider in system:
            account = known.opened(system[provider], url)
            yield replace(account, name=name, keys=here, owner=workspace.name)


def addresses(keys: Sequence[ProviderKey], taken: Collection[str]) -> Mapping[str, tuple[str, str]]:
    """Account name -> (provider, base URL), of all addresses that the keys have had. `taken`: the names of others."""
    found: dict[str, tuple[str, str]] = {}
    met: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda each: (each.created_ns, each.key_id)):
        before = met.setdefault(key.provider, [])
        if key.base_url in before:
            continue
        before.append(key.base_url)
        number, name = len(before), key.provider
        if number > 1:
            name = f"{key.provider}{number}"
            while name in taken or name in found:
                number += 1
                name = f"{key.provider}{number}"
        found[name] = (key.provider, key.base_url)
    return found


def in_use(key: ProviderKey) -> bool:
    return key.enabled and key.revoked_ns is None


def _joined(mine: Account, theirs: Account) -> Account:
    """One place with both keys; but the operator's keys are sent nowhere but to the operator's address."""
    if not theirs.usable or mine.base_url != theirs.base_url:
        return mine
    return replace(mine, keys=(*mine.keys, *theirs.keys)) if theirs.keys else mine


def _closed(theirs: Account, why: str) -> Account:
    """An account of the configuration that does not serve the workspace."""
    if theirs.needs_key:
        why = why or f"this workspace has no key for {theirs.name}: `taximeter keys add {theirs.name}`"
    else:
        why = why or f"the operator's {theirs.name} does not serve this workspace"
    return replace(theirs, keys=(), unusable=why, closed=not theirs.needs_key)


def _left_out(keys: Sequence[ProviderKey], secrets: Mapping[str, str]) -> dict[str, str]:
    """Provider -> why a key that the workspace has there is not used."""
    found: dict[str, str] = {}
    for key in keys:
        if key.revoked_ns is None and not key.enabled:
            found.setdefault(key.provider, f"the key of this workspace for {key.provider} is disabled")
        elif in_use(key) and key.key_id not in secrets:
            found[key.provider] = f"the key of this workspace for {key.provider} cannot be decrypted"
    return found
