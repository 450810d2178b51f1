"""What of the configuration can serve one destination and operation: worked out once, ordered for each call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace

from sidecar.core.call import (
    Call,
    Operation,
    Preference,
    Skip,
    Strategy,
    StreamRecovery,
    Target,
    Timeouts,
)
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
from sidecar.routing.places import SLOTS, Supports, allowed, model_at, obstacles, orders, standing

Facts = Callable[[Account, str], ModelFacts]

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
    reserve: bool = False
    """The operator's, for a workspace whose own keys go before: behind all other places."""
    turns: tuple[Planned, ...] = field(default=(), repr=False, compare=False)
    """The same with its keys in each order that they take in turn; empty if there is one key."""

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
    round: int = 1
    """Calls until the strategy has come round: as many make one turn of the keys, so that each key of each place has
    its turn."""
    reserved: bool = False
    """Some place is a reserve."""


def pool_of(call: Call, catalog: Catalog, supports: Supports, facts: Facts) -> Pool:
    """The pool of the call's destination. Of the call only destination and operation matter.

    A destination is a direct target, an alias or task, a capability, or nothing, which is `text`.
    """
    if call.target is not None:
        routes: Collection[Route] = (Route(call.target),)
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
            chain.setdefault(found.target, _turning(found))
    places = tuple(chain.values())
    strategy = alias.strategy if alias else Strategy.FAILOVER
    return Pool(
        chain=places,
        skips=tuple(skips),
        alias=alias,
        strategy=strategy,
        preference=alias.preference if alias else None,
        stream_recovery=alias.stream_recovery if alias else StreamRecovery.ERROR,
        known=known,
        round=_round(places, strategy),
        reserved=any(each.reserve for each in places),
    )


def _turning(each: Planned) -> Planned:
    if len(each.keys) == 1:
        return each
    return replace(each, turns=tuple(replace(each, keys=keys) for keys in orders(each.keys)))


def _round(places: Iterable[Planned], strategy: Strategy) -> int:
    weights = [each.weight for each in places if each.weight > 0]
    match strategy:
        case Strategy.ROUND_ROBIN:
            return len(weights) or 1
        case Strategy.WEIGHTED:
            return sum(weights) or 1
    return 1


def _sift(
    routes: Collection[Route],
    alias: Alias | None,
    operation: Operation,
    *,
    catalog: Catalog,
    supports: Supports,
    facts: Facts,
) -> Iterator[Planned | Skip]:
    for route, account, reserve in standing(routes, catalog):
        model = model_at(route.target.model, alias, account, operation) if account else route.target.model
        target = Target(route.target.provider, model, account.owner if account else "")
        reason, detail = next(obstacles(account, alias, operation, model, supports), ("", ""))
        if account is None or reason:
            yield Skip(target, reason, detail)
            continue
        known = facts(account, model)
        yield Planned(
            target=target,
            account=account,
            timeouts=_timeouts(catalog.time_scale, known.reasoning, route, alias, account),
            keys=allowed(account, operation) or _NO_KEYS,
            weight=0 if reserve else route.weight,
            priority=None if reserve else route.priority,
            context_tokens=known.context_tokens,
            most_output_tokens=known.most_output_tokens,
            reserve=reserve,
        )


def _timeouts(scale: float, reasoning: bool, route: Route, alias: Alias | None, account: Account) -> Timeouts:
    """Route > alias > account > system, field by field."""
    system = REASONING_TIMEOUTS if reasoning else SYSTEM_TIMEOUTS
    layers = (route.timeouts, *((alias.timeouts,) if alias else ()), account.timeouts, system)
    return merged(layers, scale)


def models_for(account: Account, operation: Operation, catalog: Catalog) -> list[str]:
    """The models for an operation that the configuration names there: the account's defaults, and those of aliases."""
    found = [account.default_models.get(slot, "") for slot in SLOTS.get(operation, ())]
    for alias in catalog.aliases.values():
        if alias.operation in (None, operation):
            found += [
                model_at(route.target.model, alias, account, operation)
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
