"""What of the configuration can serve one destination and operation: worked out once, ordered for each call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sidecar.core.call import Call, Operation, Preference, Skip, Strategy, StreamRecovery, Target, Timeouts
from sidecar.core.catalog import (
    REASONING_TIMEOUTS,
    SYSTEM_TIMEOUTS,
    UNBOUNDED_OUTPUT_TOKENS,
    Account,
    Alias,
    Catalog,
    Key,
    ModelFacts,
    Route,
)

Supports = Callable[[Account, Operation], bool]
"""Whether the account's wire has a codec for the operation."""
Facts = Callable[[Account, str], ModelFacts]

_SLOTS: dict[Operation, tuple[str, ...]] = {
    Operation.CHAT: ("smart", "fast"),
    Operation.COMPLETION: ("completion",),
    Operation.EMBEDDING: ("embedding",),
    Operation.MODERATION: ("moderation",),
    Operation.IMAGE_GENERATE: ("image",),
    Operation.IMAGE_EDIT: ("image",),
    Operation.IMAGE_VARIATION: ("image",),
}
_UNTIMED = Timeouts()
_NO_KEYS = (Key("", ""),)
"""An account that needs no key is opened by none."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A target with all that an attempt at it needs. `timeouts` are complete, and scaled."""

    target: Target
    account: Account
    timeouts: Timeouts
    keys: tuple[Key, ...] = _NO_KEYS
    """Never empty."""
    weight: int = 1
    priority: int | None = None
    context_tokens: int = 0
    """0 = not known."""
    most_output_tokens: int = UNBOUNDED_OUTPUT_TOKENS
    """Of an answer whose call sets no limit."""

    def __str__(self) -> str:
        return f"{self.target.provider}/{self.target.model}"


@dataclass(frozen=True, slots=True)
class Pool:
    """The usable places of a destination in its own order, and why the others are not among them."""

    chain: tuple[Planned, ...]
    skips: tuple[Skip, ...] = ()
    alias: Alias | None = None
    strategy: Strategy = Strategy.FAILOVER
    preference: Preference | None = None
    stream_recovery: StreamRecovery = StreamRecovery.ERROR
    known: bool = True
    """False: no such alias or provider is configured."""


def pool_of(call: Call, catalog: Catalog, supports: Supports, facts: Facts) -> Pool:
    """The pool of the call's destination. Of the call only destination and operation matter.

    A destination is a direct target, an alias or task, a capability, or nothing, which is `text`.
    """
    if call.target is not None:
        routes: Iterable[Route] = (Route(call.target),)
        alias, known = None, call.target.provider in catalog.accounts
    elif call.alias or call.capability is None:
        alias = catalog.aliases.get(call.alias or "text")
        routes, known = (alias.routes, True) if alias else ((), False)
    else:
        alias, known = None, True
        routes = [
            Route(Target(account.name, ""), weight=min(account.weight, 1))
            for account in catalog.accounts.values()
            if call.capability in account.capabilities
        ]
    chain: dict[Target, Planned] = {}
    skips = []
    for found in _sift(routes, alias, call.operation, catalog=catalog, supports=supports, facts=facts):
        if isinstance(found, Skip):
            skips.append(found)
        else:
            chain.setdefault(found.target, found)
    values = tuple(chain.values()), tuple(skips), alias
    if alias is None:
        return Pool(*values, known=known)
    return Pool(*values, alias.strategy, alias.preference, alias.stream_recovery)


def _sift(
    routes: Iterable[Route],
    alias: Alias | None,
    operation: Operation,
    *,
    catalog: Catalog,
    supports: Supports,
    facts: Facts,
) -> Iterator[Planned | Skip]:
    for route in routes:
        account = catalog.accounts.get(route.target.provider)
        model = _model(route.target.model, alias, account, operation) if account else route.target.model
        target = Target(route.target.provider, model)
        reason, detail = next(_obstacles(account, alias, operation, model, supports), ("", ""))
        if account is None or reason:
            yield Skip(target, reason, detail)
        else:
            known = facts(account, model)
            yield Planned(
                target=target,
                account=account,
                timeouts=_timeouts(catalog.time_scale, known.reasoning, route, alias, account),
                keys=account.keys or _NO_KEYS,
                weight=route.weight,
                priority=route.priority,
                context_tokens=known.context_tokens,
                most_output_tokens=known.most_output_tokens,
            )


def _obstacles(
    account: Account | None, alias: Alias | None, operation: Operation, model: str, supports: Supports
) -> Iterator[tuple[str, str]]:
    """Why a place cannot serve, as (reason, words). What no key could mend comes first; `supports`, which imports the
    wire's module, is asked only of an account that is usable."""
    if account is None:
        yield "UNKNOWN_PROVIDER", "not configured"
        return
    if account.operations and operation not in account.operations:
        yield "NOT_SUPPORTED", f"no {operation}"
    if not account.enabled:
        yield "DISABLED", "disabled"
    if account.needs_key and not account.keys:
        yield "NO_KEY", account.unusable or "no key"
    if account.unusable:
        yield "UNUSABLE", account.unusable
    if not supports(account, operation):
        yield "NOT_SUPPORTED", f"no {operation}"
    if account.aggregator and alias is not None and not alias.allow_aggregators:
        yield "AGGREGATOR", "an aggregator"
    if not model:
        yield "NO_MODEL", f"no model for {operation}"


def _model(model: str, alias: Alias | None, account: Account, operation: Operation) -> str:
    """The model that serves the operation there; empty if none is known.

    A route's own model stands, unless the alias is made for another operation, or is made for any and the model is
    the account's default for another one ("text" leads to chat models; an embedding sent there goes to the account's
    embedding model). A target without a model takes the default too.
    """
    slots = _SLOTS.get(operation, ())
    defaults = account.default_models
    default = next((defaults[slot] for slot in slots if defaults.get(slot)), "")
    if not model or alias is None:
        return model or default
    if alias.operation is not None:
        return model if alias.operation is operation else default
    serves = {slot for slot, known in defaults.items() if known == model}
    return default if serves and serves.isdisjoint(slots) else model


def _timeouts(scale: float, reasoning: bool, route: Route, alias: Alias | None, account: Account) -> Timeouts:
    """Route > alias > account > system, field by field."""
    system = REASONING_TIMEOUTS if reasoning else SYSTEM_TIMEOUTS
    layers = (route.timeouts, *((alias.timeouts,) if alias else ()), account.timeouts, system)
    return merged(layers, scale)


def models_for(account: Account, operation: Operation, catalog: Catalog) -> list[str]:
    """The models for an operation that the configuration names there: the account's defaults, and those of aliases."""
    found = [account.default_models.get(slot, "") for slot in _SLOTS.get(operation, ())]
    for alias in catalog.aliases.values():
        if alias.operation in (None, operation):
            found += [
                _model(route.target.model, alias, account, operation)
                for route in alias.routes
                if route.target.provider == account.name
            ]
    return list(dict.fromkeys(filter(None, found)))


def timeouts_for(call: Call, planned: Planned, scale: float) -> Timeouts:
    """Those of an attempt: the call's own go before all others."""
    return (
        planned.timeouts if call.timeouts == _UNTIMED else merged((merged((call.timeouts,), scale), planned.timeouts))
    )


def merged(layers: Iterable[Timeouts], scale: float = 1.0) -> Timeouts:
    """The first value given for each wait, scaled."""
    layers = tuple(layers)

    def first(name: str) -> float | None:
        value = next((getattr(layer, name) for layer in layers if getattr(layer, name) is not None), None)
        return None if value is None else value * scale

    return Timeouts(first("connect_s"), first("ttft_s"), first("response_s"), first("stall_s"))
