"""One place of a chain: who may stand there, with which model and keys, and why somebody cannot."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from math import lcm

from sidecar.core.call import Operation, scope_of
from sidecar.core.catalog import Account, Alias, Catalog, Key, Route

Supports = Callable[[Account, Operation], bool]
"""Whether the account's wire has a codec for the operation."""

SLOTS: dict[Operation, tuple[str, ...]] = {
    Operation.CHAT: ("smart", "fast"),
    Operation.COMPLETION: ("completion",),
    Operation.EMBEDDING: ("embedding",),
    Operation.MODERATION: ("moderation",),
    Operation.IMAGE_GENERATE: ("image",),
    Operation.IMAGE_EDIT: ("image",),
    Operation.IMAGE_VARIATION: ("image",),
}


def serves(alias: Alias, operation: Operation) -> bool:
    """Whether the alias is for such an operation: one that is made for text takes all that is text."""
    return alias.operation is None or scope_of(alias.operation) is scope_of(operation)


def standing(routes: Collection[Route], catalog: Catalog) -> Iterator[tuple[Route, Account | None, bool]]:
    """Who stands at each route, and whether as a reserve: the operator's, behind all others and in failover's order."""
    for route in routes:
        account = catalog.accounts.get(route.target.provider)
        if account is None or account is not catalog.reserve.get(account.name):
            yield route, account, False
    for route in sorted(routes, key=_rank) if catalog.reserve else ():
        if (behind := catalog.reserve.get(route.target.provider)) is not None:
            yield route, behind, True


def _rank(route: Route) -> tuple[bool, int, int]:
    return route.priority is None, route.priority or 0, -route.weight


def allowed(account: Account, operation: Operation) -> tuple[Key, ...]:
    """The keys that may be used for it."""
    scope = scope_of(operation)
    return tuple(key for key in account.keys if scope in key.scopes)


def orders(keys: Sequence[Key]) -> Iterator[tuple[Key, ...]]:
    """Each turn's: the workspace's own before the operator's; among each owner's, one key further each turn."""
    own = [key for key in keys if key.owner == "workspace"]
    theirs = [key for key in keys if key.owner != "workspace"]
    for turn in range(lcm(len(own) or 1, len(theirs) or 1)):
        yield (*_from(own, turn), *_from(theirs, turn))


def _from(keys: Sequence[Key], turn: int) -> Sequence[Key]:
    start = turn % len(keys) if keys else 0
    return (*keys[start:], *keys[:start])


def obstacles(
    account: Account | None, alias: Alias | None, operation: Operation, model: str, supports: Supports
) -> Iterator[tuple[str, str]]:
    """Why a place cannot serve, as (reason, words). What no key could mend comes first; `supports`, which imports the
    wire's module, is asked only of an account that is usable."""
    if account is None:
        yield "UNKNOWN_PROVIDER", "not configured"
        return
    yield from _of_account(account, alias, operation)
    if not supports(account, operation):
        yield "NOT_SUPPORTED", f"no {operation}"
    if account.aggregator and alias is not None and not alias.allow_aggregators:
        yield "AGGREGATOR", "an aggregator"
    if not model:
        yield "NO_MODEL", f"no model for {operation}"


def _of_account(account: Account, alias: Alias | None, operation: Operation) -> Iterator[tuple[str, str]]:
    if alias is not None and not serves(alias, operation):
        yield "NOT_SUPPORTED", f"the alias is for {alias.operation}"
    if account.operations and operation not in account.operations:
        yield "NOT_SUPPORTED", f"no {operation}"
    if not account.enabled:
        yield "DISABLED", "disabled"
    if account.needs_key and not account.keys:
        yield "NO_KEY", account.unusable or "no key"
    if account.closed:
        yield "CLOSED", account.unusable
    if account.unusable:
        yield "UNUSABLE", account.unusable
    if account.keys and not allowed(account, operation):
        yield "SCOPE", f"its key doesn't allow {scope_of(operation)}"


def model_at(model: str, alias: Alias | None, account: Account, operation: Operation) -> str:
    """The model that serves the operation there; empty if none is known.

    A route's own model stands, unless the alias is made for another operation, or is made for any and the model is
    the account's default for another one ("text" leads to chat models; an embedding sent there goes to the account's
    embedding model). A target without a model takes the default too.
    """
    slots = SLOTS.get(operation, ())
    defaults = account.default_models
    default = next((defaults[slot] for slot in slots if defaults.get(slot)), "")
    if not model or alias is None:
        return model or default
    if alias.operation is not None:
        return model if alias.operation is operation else default
    serves = {slot for slot, known in defaults.items() if known == model}
    return default if serves and serves.isdisjoint(slots) else model
