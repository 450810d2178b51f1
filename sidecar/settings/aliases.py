"""Every alias there is: the pools smart and fast, the tasks, the built-in chains, the operator's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sidecar.core.aliases import hinted
from sidecar.core.call import Operation, Strategy, Target, Timeouts
from sidecar.core.catalog import Account, Alias, Route
from sidecar.settings.built_in import built_in, chain_operation, followers, later, pool_of
from sidecar.settings.drafts import Draft, Drafts
from sidecar.settings.sources import JSON, Origin, Problems
from sidecar.settings.steps import AliasTable, Step, routes_of

POOLS = ("smart", "fast")
EMPTY_POOLS = {"smart": "default-writer", "fast": "fast-drafts"}
"""Where nothing is configured, a pool is the chain of this alias: its targets say which keys are wanted."""
FOLLOW_SMART = ("text", "agent", "video-slides")


def pool_slot(name: str) -> str:
    """The slot whose default models fill a pool or task that nothing else does: "smart", "fast", "image"; "" for any
    other alias."""
    return pool_of(name) if name in (*POOLS, *FOLLOW_SMART, "image") or name in followers() else ""


def built_in_names() -> frozenset[str]:
    return frozenset({*POOLS, *FOLLOW_SMART, "image", *followers(), *built_in()["chains"]})


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chains that the configuration names itself, resolved before the accounts are built."""

    routes: Mapping[str, tuple[Route, ...]]
    origins: Mapping[str, Origin]
    strategies: Mapping[str, Strategy]


def choose(
    tasks: Mapping[str, Sequence[Step]],
    tables: Mapping[str, AliasTable],
    json_text: tuple[Sequence[str], Strategy],
    drafts: Drafts,
    problems: Problems,
) -> Chosen:
    """Variables before taximeter.toml before providers.json, whose default models are the chain of `text`."""
    routes: dict[str, tuple[Route, ...]] = {}
    origins: dict[str, Origin] = {}
    for name, steps in (*tasks.items(), *((name, table.steps) for name, table in tables.items())):
        if steps and name not in routes:
            routes[name] = routes_of(steps, pool_of(name), drafts, problems)
            origins[name] = steps[0].origin if name in tasks else tables[name].origin
    for name, table in tables.items():
        if table.allow_aggregators is False:
            _refuse_aggregators(routes.get(name, ()), origins.get(name, table.origin), drafts, problems)
        if not table.steps and name not in built_in_names():
            problems.error(table.origin, "names no chain")
    names, strategy = json_text
    members = [draft for name in names if (draft := drafts.draft(name)).model("smart")]
    if members and "text" not in routes:
        routes["text"] = tuple(Route(Target(draft.name, draft.model("smart"))) for draft in members)
        origins["text"] = Origin(JSON, "providers")
        return Chosen(routes, origins, {"text": strategy})
    return Chosen(routes, origins, {})


def _refuse_aggregators(routes: Sequence[Route], origin: Origin, drafts: Drafts, problems: Problems) -> None:
    for provider in dict.fromkeys(route.target.provider for route in routes):
        if drafts.draft(provider).row.aggregator:
            problems.error(origin, f"names {provider}, an aggregator, while allow_aggregators is false")


def build_aliases(
    chosen: Chosen,
    tables: Mapping[str, AliasTable],
    rotation: Strategy,
    drafts: Drafts,
    accounts: Mapping[str, Account],
) -> dict[str, Alias]:
    """In the order: pools, tasks, named tasks, built-in chains, the operator's own."""
    aliases: dict[str, Alias] = {}

    def add(name: str, alias: Alias) -> None:
        aliases[name] = _with_table(hinted(replace(alias, name=name), accounts), tables.get(name))

    def chain(name: str) -> tuple[Route, ...]:
        return chosen.routes.get(name) or built_in_chain(name, drafts)

    for pool in POOLS:
        members = chosen.routes.get(pool) or pool_routes(pool, drafts, accounts)
        strategy = rotation if members and pool not in chosen.routes else Strategy.FAILOVER
        add(pool, Alias(pool, members or chain(EMPTY_POOLS[pool]), strategy, operation=Operation.CHAT))
    follows = {**dict.fromkeys(FOLLOW_SMART, "smart"), **followers()}
    for name, leader in follows.items():
        if name in chosen.routes:
            strategy = chosen.strategies.get(name, Strategy.FAILOVER)
            add(name, Alias(name, chosen.routes[name], strategy, operation=Operation.CHAT))
        else:
            add(name, aliases[leader])
    images = chosen.routes.get("image") or image_routes(drafts)
    add("image", Alias("image", images, operation=Operation.IMAGE_GENERATE))
    for name in built_in()["chains"]:
        add(name, Alias(name, chain(name), operation=chain_operation(name)))
    for name in chosen.routes:
        if name not in aliases:
            add(name, Alias(name, chosen.routes[name]))
    return aliases


def pool_routes(pool: str, drafts: Drafts, accounts: Mapping[str, Account]) -> tuple[Route, ...]:
    """Who was configured for the pool; if none of them is usable, whoever else was configured joins them."""
    able = [draft for draft in drafts if draft.configured and draft.model(pool)]
    members = [draft for draft in able if draft.declared or pool in draft.named_models]
    if not any(accounts[draft.name].usable for draft in members):
        members += [draft for draft in able if draft not in members]
    return tuple(_route(draft, pool, accounts[draft.name].weight) for draft in members)


def image_routes(drafts: Drafts) -> tuple[Route, ...]:
    """The first configured provider with an image model, else the first that is known."""
    able = [draft for draft in drafts if draft.offers("image") and draft.model("image")]
    first = [draft for draft in able if draft.configured] or able
    return tuple(_route(draft, "image") for draft in first[:1])


def built_in_chain(name: str, drafts: Drafts) -> tuple[Route, ...]:
    """The chain of `aliases.toml`; a provider without a model for the slot drops out."""
    return tuple(
        Route(Target(provider, model))
        for place in built_in()["chains"][name]["targets"]
        for provider, model in _at(place, drafts)
        if model
    )


def _at(place: Mapping[str, str], drafts: Drafts) -> Iterator[tuple[str, str]]:
    """(account, model) of each account that a place of a built-in chain means."""
    if place["provider"] in later():
        yield place["provider"], place["model"]
    for draft in drafts.named(place["provider"]):
        yield draft.name, draft.model(place["slot"]) if "slot" in place else place["model"]


def _route(draft: Draft, slot: str, weight: int = 1) -> Route:
    return Route(Target(draft.name, draft.model(slot)), weight)


def _with_table(alias: Alias, table: AliasTable | None) -> Alias:
    """What taximeter.toml says of the alias besides its chain."""
    if table is None:
        return alias
    allowed = alias.allow_aggregators if table.allow_aggregators is None else table.allow_aggregators
    return replace(
        alias,
        strategy=table.strategy or alias.strategy,
        preference=table.preference or alias.preference,
        stream_recovery=table.stream_recovery or alias.stream_recovery,
        allow_aggregators=allowed,
        timeouts=table.timeouts if table.timeouts != Timeouts() else alias.timeouts,
    )
