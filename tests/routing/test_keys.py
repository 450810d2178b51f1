"""Several keys at one place: whose turn it is, which may be used for what, and who stands behind whom."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import Call, KeyScope, Operation, Preference, Strategy, Target
from sidecar.core.catalog import Alias, Catalog, Key
from sidecar.core.faults import RefusalReason
from sidecar.routing import Plan, nothing_left, plan
from tests.support.routes import Sight, account, call, catalog, chain, pool

param = pytest.param
VIDEO = frozenset({Operation.VIDEO_GENERATE, Operation.CHAT})


def keys(*ids: str, owner: str = "workspace", **values: Any) -> tuple[Key, ...]:
    return tuple(Key(each, f"secret-{each}", owner, **values) for each in ids)


def made(catalog: Catalog, turn: int = 0, view: Sight | None = None, asked: Call | None = None) -> Plan:
    asked = asked or call()
    return plan(
        pool(catalog, asked), asked, turn=turn, chance=0.5, view=view or Sight(), price=lambda _each, _call: None
    )


def shown(plan: Plan) -> list[str]:
    return [f"{each.target.provider}:{','.join(key.key_id for key in each.keys)}" for each in plan.targets]


@pytest.mark.parametrize(
    ("held", "orders"),
    [
        param(keys("k"), ["k", "k", "k"], id="one"),
        param(keys("k", "l"), ["k,l", "l,k", "k,l"], id="two-in-turn"),
        param(keys("k", "l") + keys("p", owner="platform"), ["k,l,p", "l,k,p", "k,l,p"], id="own-before-platform"),
        param(keys("k", "l") + keys("p", "q", "r", owner="platform"), ["k,l,p,q,r", "l,k,q,r,p", "k,l,r,p,q"],
              id="each-owner-by-itself"),
    ],
)  # fmt: skip
def test_rotation(held: tuple[Key, ...], orders: list[str]) -> None:
    known = catalog([account("a", keys=held)], chain("a"))
    assert [shown(made(known, turn))[0] for turn in range(3)] == [f"a:{order}" for order in orders]


@pytest.mark.parametrize(
    ("strategy", "weights", "calls"),
    [
        param(Strategy.FAILOVER, (1, 1), 2, id="failover"),
        param(Strategy.ROUND_ROBIN, (1, 1), 4, id="round-robin"),
        param(Strategy.WEIGHTED, (3, 1), 8, id="weighted"),
    ],
)
def test_each_key_of_each_place_has_its_turn(strategy: Strategy, weights: tuple[int, int], calls: int) -> None:
    """Two places with two keys each: places and keys must not turn in step."""
    alias = chain("a", "b", strategy=strategy)
    known = catalog([account(name, keys=keys(f"{name}1", f"{name}2")) for name in "ab"], alias)
    weighted = Catalog(known.accounts, {"smart": _weighted(alias, weights)})
    first = Counter(made(weighted, turn).targets[0].keys[0].key_id for turn in range(calls))
    share = Counter({"a1": 1, "a2": 1}) if strategy is Strategy.FAILOVER else Counter(
        {"a1": weights[0], "a2": weights[0], "b1": weights[1], "b2": weights[1]}
    )  # fmt: skip
    assert first == share


def _weighted(alias: Alias, weights: tuple[int, ...]) -> Alias:
    routes = tuple(replace(route, weight=weight) for route, weight in zip(alias.routes, weights, strict=True))
    return replace(alias, routes=routes)


def test_a_rejected_key_is_left_out_of_the_rotation() -> None:
    known = catalog([account("a", keys=keys("k", "l", "m"))], chain("a"))
    assert [shown(made(known, turn, Sight(aside={"l"})))[0] for turn in range(3)] == ["a:k,m", "a:m,k", "a:m,k"]


@pytest.mark.parametrize(
    ("scopes", "tried", "skips"),
    [
        param([{KeyScope.VIDEO}, {KeyScope.TEXT}], ["a:k0"], [], id="the-one-that-allows-it"),
        param([{KeyScope.TEXT}, {KeyScope.TEXT}], [], [("SCOPE", "its key doesn't allow video")], id="none-allows-it"),
    ],
)
def test_scopes(scopes: list[set[KeyScope]], tried: list[str], skips: list[tuple[str, str]]) -> None:
    held = tuple(Key(f"k{n}", "s", scopes=frozenset(each)) for n, each in enumerate(scopes))
    asked = call(operation=Operation.VIDEO_GENERATE)
    found = made(catalog([account("a", keys=held, operations=VIDEO, default_models={})], chain("a")), asked=asked)
    assert (shown(found), [(skip.reason, skip.detail) for skip in found.skips]) == (tried, skips)


WORDS = "This key doesn't allow video. Enable the 'video' scope or pick another alias."
TEXT_ONLY = {"operations": VIDEO, "keys": (Key("k", "s", scopes=frozenset({KeyScope.TEXT})),)}


@pytest.mark.parametrize(
    ("others", "destination", "reason"),
    [
        param([], {}, RefusalReason.SCOPE_NOT_ALLOWED, id="an-alias"),
        param([], {"alias": "", "target": Target("a", "m")}, RefusalReason.SCOPE_NOT_ALLOWED, id="a-direct-target"),
        param([account("b", operations=VIDEO, keys=())], {}, RefusalReason.SCOPE_NOT_ALLOWED, id="beside-no-key"),
        param([account("b")], {}, RefusalReason.SCOPE_NOT_ALLOWED, id="beside-what-no-key-mends"),
        param([account("b", operations=VIDEO, enabled=False)], {}, RefusalReason.NO_PROVIDER_AVAILABLE,
              id="beside-what-is-off"),
    ],
)  # fmt: skip
def test_the_refusal_where_scopes_stand_in_the_way(others: list[Any], destination: Any, reason: RefusalReason) -> None:
    accounts = [account("a", **TEXT_ONLY), *others]
    known = catalog(accounts, chain(*(each.name for each in accounts)))
    asked = call(**{"operation": Operation.VIDEO_GENERATE, **destination})
    found = pool(known, asked)
    refusal = nothing_left(asked, known, found, found.skips)
    assert refusal.reason is reason
    if reason is RefusalReason.SCOPE_NOT_ALLOWED:
        assert (refusal.grpc_status, refusal.message) == ("PERMISSION_DENIED", WORDS)


def test_a_target_is_the_accounts_owners() -> None:
    known = catalog([account("a", owner="acme"), account("b")], chain("a", "b"))
    assert [each.target.owner for each in made(known).targets] == ["acme", ""]


@pytest.mark.parametrize(
    ("values", "asked", "order"),
    [
        param({}, {}, "a* b* A B", id="failover"),
        param({"strategy": Strategy.ROUND_ROBIN}, {}, "b* a* A B", id="round-robin-among-its-own"),
        param({}, {"preference": Preference.SPEED}, "b* a* B A", id="fastest-of-its-own-first"),
        param({}, {"preferred_provider": "b"}, "b* a* B A", id="the-preferred-of-its-own-first"),
    ],
)
def test_reserves_stand_behind_all_of_the_workspaces_own(
    values: dict[str, Any], asked: dict[str, Any], order: str
) -> None:
    """Small letters with a star: its own; capitals: the operator's."""
    own = [account(name, owner="acme") for name in "ab"]
    behind = {name: account(name) for name in "ab"}
    known = catalog(own, chain("a", "b", **values), reserve=behind)
    found = made(known, turn=1, asked=call(**asked), view=Sight(waits={"a": 2.0, "b": 1.0}))
    told = [f"{each.target.provider}*" if each.target.owner else each.target.provider.upper() for each in found.targets]
    assert " ".join(told) == order


def test_an_account_that_is_only_the_operators_is_a_reserve_behind_the_workspaces_own() -> None:
    theirs = account("a")
    known = catalog([theirs, account("b", owner="acme")], chain("a", "b"), reserve={"a": theirs})
    assert [(each.target.provider, each.reserve) for each in made(known).targets] == [("b", False), ("a", True)]


def test_reserves_keep_the_order_of_failover() -> None:
    theirs = {name: account(name) for name in "abc"}
    alias = _weighted(chain("a", "b", "c"), (1, 0, 5))
    assert shown(made(Catalog(theirs, {"smart": alias}, reserve=theirs))) == ["c:key-c", "a:key-a", "b:key-b"]


def test_an_alias_that_is_made_for_something_else_says_so() -> None:
    alias = chain("a", operation=Operation.SPEECH_SYNTHESIZE)
    known = catalog([account("a")], alias)
    refusal = nothing_left(call(), known, pool(known, call()), pool(known, call()).skips)
    assert (refusal.grpc_status, refusal.reason) == ("UNIMPLEMENTED", RefusalReason.OPERATION_NOT_SUPPORTED)
    assert refusal.message == "Alias 'smart' is for speech synthesis: chat is not what it leads to."
