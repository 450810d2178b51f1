"""Destinations: who can serve them, and why the others cannot."""

from typing import Any

import pytest

from sidecar.core.call import Capability, Operation, Strategy, StreamRecovery, Target, Timeouts
from sidecar.core.catalog import Account, Alias, Catalog, ModelFacts, Route
from sidecar.routing import pool_of
from tests.support.routes import account, call, catalog, chain, pool

param = pytest.param
EMBEDS = {"smart": "openai-smart", "embedding": "openai-embed"}
ALL = frozenset(Operation)


@pytest.mark.parametrize(
    ("values", "reason", "detail"),
    [
        param({"enabled": False}, "DISABLED", "disabled", id="disabled"),
        param({"keys": (), "unusable": "X_API_KEY is not set"}, "NO_KEY", "X_API_KEY is not set", id="no-key"),
        param({"unusable": "the x wire is not available"}, "UNUSABLE", "the x wire is not available", id="unusable"),
        param({"operations": frozenset({Operation.EMBEDDING})}, "NOT_SUPPORTED", "no chat", id="operation"),
        param({"aggregator": True}, "AGGREGATOR", "an aggregator", id="aggregator"),
    ],
)
def test_skips(values: dict[str, Any], reason: str, detail: str) -> None:
    made = catalog([account("a", **values), account("b")], chain("a", "b", allow_aggregators=False))
    found = pool(made, call())
    assert [each.target.provider for each in found.chain] == ["b"]
    assert [(skip.target.provider, skip.reason, skip.detail) for skip in found.skips] == [("a", reason, detail)]


def test_an_aggregator_is_used_where_the_alias_allows_it() -> None:
    assert pool(catalog([account("a", aggregator=True)], chain("a")), call()).chain


def test_a_wire_without_the_operation_is_passed_over() -> None:
    found = pool(catalog([account("a")], chain("a")), call(), supported=False)
    assert [skip.reason for skip in found.skips] == ["NOT_SUPPORTED"]


def test_the_wire_of_an_account_that_is_not_set_up_is_left_alone() -> None:
    """Its module would be imported on the call path."""
    asked: list[str] = []

    def supports(account: Account, operation: Operation) -> bool:
        asked.append(account.name)
        return True

    accounts = [account("a", keys=(), unusable="no key"), account("b", enabled=False), account("c")]
    pool_of(call(), catalog(accounts, chain("a", "b", "c")), supports, lambda *_: ModelFacts())
    assert asked == ["c"]


def test_a_route_to_an_account_that_is_gone() -> None:
    found = pool(catalog([account("b")], chain("a", "b")), call())
    assert [skip.reason for skip in found.skips] == ["UNKNOWN_PROVIDER"]


def test_a_server_that_needs_no_key() -> None:
    found = pool(catalog([account("a", keys=(), needs_key=False)], chain("a")), call())
    assert [key.secret for key in found.chain[0].keys] == [""]


@pytest.mark.parametrize(
    ("alias", "defaults", "operation", "model"),
    [
        param({}, EMBEDS, Operation.CHAT, "openai-smart", id="its-own-model"),
        param({}, EMBEDS, Operation.EMBEDDING, "openai-embed", id="embedding-through-a-chat-alias"),
        param({}, {"smart": "openai-smart"}, Operation.EMBEDDING, None, id="no-default-embedding-model"),
        param({}, {"embedding": "e"}, Operation.EMBEDDING, "openai-smart", id="an-unknown-model-stands"),
        param({"operation": Operation.CHAT}, {"embedding": "e"}, Operation.EMBEDDING, "e", id="made-for-chat"),
        param({"operation": Operation.EMBEDDING}, {}, Operation.EMBEDDING, "openai-smart", id="made-for-embedding"),
        param(
            {}, {"smart": "openai-smart", "embedding": "openai-smart"}, Operation.EMBEDDING, "openai-smart", id="one"
        ),
    ],
)
def test_model_of_an_alias(
    alias: dict[str, Any], defaults: dict[str, str], operation: Operation, model: str | None
) -> None:
    made = catalog([account("openai", default_models=defaults)], chain("openai", **alias))
    found = pool(made, call(operation=operation))
    assert [each.target.model for each in found.chain] == ([model] if model else [])
    assert [skip.reason for skip in found.skips] == ([] if model else ["NO_MODEL"])


def test_two_routes_that_become_one_target_are_one() -> None:
    routes = (Route(Target("openai", "openai-smart")), Route(Target("openai", "openai-fast")))
    defaults = {"smart": "openai-smart", "fast": "openai-fast", "embedding": "e"}
    made = catalog([account("openai", default_models=defaults)], Alias("smart", routes))
    assert [each.target.model for each in pool(made, call(operation=Operation.EMBEDDING)).chain] == ["e"]


def accounts() -> Catalog:
    made: list[Account] = [
        account("a", capabilities=frozenset({Capability.EMBEDDING}), default_models={"embedding": "a-embed"}),
        account("b"),
        account("c", capabilities=frozenset({Capability.EMBEDDING}), default_models={"embedding": "c-embed"}),
    ]
    return catalog(made, Alias("text", (Route(Target("b", "b-smart")),)))


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        param(call("", target=Target("b", "any")), ["b/any"], id="direct"),
        param(call("", target=Target("b", "")), ["b/b-smart"], id="direct-with-the-default-model"),
        param(call(""), ["b/b-smart"], id="nothing-is-text"),
        param(
            call("", capability=Capability.EMBEDDING, operation=Operation.EMBEDDING),
            ["a/a-embed", "c/c-embed"],
            id="a-capability-alone-in-catalogue-order",
        ),
        param(call("text", capability=Capability.CHAT), ["b/b-smart"], id="a-capability-beside-a-destination"),
    ],
)
def test_destinations(asked: Any, wanted: list[str]) -> None:
    assert [str(each) for each in pool(accounts(), asked).chain] == wanted


@pytest.mark.parametrize("asked", [call("nobody"), call("", target=Target("nobody", "m"))], ids=["alias", "provider"])
def test_an_unknown_destination_is_told_apart_from_an_unusable_one(asked: Any) -> None:
    assert not pool(accounts(), asked).known


def test_an_alias_brings_its_strategy_and_recovery() -> None:
    alias = chain("a", strategy=Strategy.WEIGHTED, stream_recovery=StreamRecovery.BUFFER)
    found = pool(catalog([account("a")], alias), call())
    assert (found.strategy, found.stream_recovery) == (Strategy.WEIGHTED, StreamRecovery.BUFFER)


@pytest.mark.parametrize(
    ("route", "alias", "own", "reasoning", "ttft_s"),
    [
        param(1.0, 2.0, 3.0, False, 1.0, id="route-first"),
        param(None, 2.0, 3.0, False, 2.0, id="then-alias"),
        param(None, None, 3.0, False, 3.0, id="then-account"),
        param(None, None, None, False, 10.0, id="then-system"),
        param(None, None, None, True, 60.0, id="reasoning-models-take-longer"),
    ],
)
def test_timeouts(route: float | None, alias: float | None, own: float | None, reasoning: bool, ttft_s: float) -> None:
    routes = (Route(Target("a", "m"), timeouts=Timeouts(ttft_s=route)),)
    made = catalog(
        [account("a", timeouts=Timeouts(ttft_s=own))],
        Alias("smart", routes, timeouts=Timeouts(ttft_s=alias)),
        time_scale=0.1,
    )
    found = pool_of(call(), made, lambda *_: True, lambda *_: ModelFacts(8192, reasoning))
    assert found.chain[0].timeouts.ttft_s == pytest.approx(ttft_s / 10)
    assert found.chain[0].context_tokens == 8192
