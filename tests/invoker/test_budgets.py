"""What budgets make of a call: held before it, asked again before each attempt, settled with its record."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from google.protobuf import struct_pb2

from sidecar.core.call import CallRecord, Operation, RequestParameters, StreamRecovery, Target
from sidecar.core.catalog import Key, ModelFacts
from sidecar.core.control import BudgetScope
from sidecar.core.faults import RefusalReason
from sidecar.invoker import CallFailed, Outcome
from taximeter.v1 import payload_pb2
from tests.invoker.conftest import MakeScene, Scene
from tests.support import hostile as on
from tests.support.budgets import budget
from tests.support.rig import Rig

param = pytest.param
OK = (on.answer("hello there", usage={"prompt_tokens": 10, "completion_tokens": 2}),)
"""14 picodollars, 12 tokens."""
COST = 14
TEN_OUT: dict[str, Any] = {
    "payload": payload_pb2.ChatRequest(prompt="hello", max_tokens=100),
    "parameters": RequestParameters(max_tokens=100),
}
"""Bound: 40 tokens in and 100 out, 248 picodollars."""
BOUND = 40 + 8 + 2 * 100


def limit(rig: Rig, *definitions: Any) -> None:
    """In force, with nothing spent so far."""
    rig.budgets.restore([], complete=True)
    rig.budgets.follow({each.budget_id: each for each in definitions})


def of(budget_id: str = "b", scope: BudgetScope = BudgetScope.WORKSPACE, **values: Any) -> Any:
    subjects = {BudgetScope.CALLER: "test"}
    return budget(
        budget_id, scope, workspace="default", **({"subject": subjects[scope]} if scope in subjects else {}) | values
    )


def failed(ending: Outcome | CallFailed) -> CallFailed:
    assert isinstance(ending, CallFailed)
    return ending


def spent(rig: Rig, budget_id: str = "b") -> Mapping[str, tuple[int, int]]:
    """Unit -> (spent, held)."""
    status = rig.budgets.status(budget_id)
    assert status is not None
    return {each.unit: (each.spent, each.held) for each in status.measures}


@pytest.mark.parametrize(
    "scope", [BudgetScope.WORKSPACE, BudgetScope.ALIAS, BudgetScope.CALLER], ids=lambda scope: scope.value
)
async def test_without_room_nothing_is_sent(scene: MakeScene, scope: BudgetScope) -> None:
    rig, (a, _) = await scene(OK, OK)
    limit(rig, of(scope=scope, usd=100, shrink=False))
    refusal = failed(await rig.ask(**TEN_OUT)).refusal
    assert (refusal.grpc_status, refusal.reason, a.hits) == ("RESOURCE_EXHAUSTED", RefusalReason.BUDGET_EXCEEDED, [])


async def test_the_refusal_says_whose_budget_how_much_and_until_when(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    limit(rig, of(requests=0))
    message = failed(await rig.ask(**TEN_OUT)).refusal.message
    assert message.startswith("Budget reached (workspace 'default', 0 of 0 requests, resets 2")
    assert message.endswith("Raise the cap, wait, or switch to platform credits.")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        param({}, "ok", id="answered"),
        param({"deadline_in_s": 0.0}, "cancelled", id="too-late"),
        param({"alias": "", "target": Target("nobody", "m")}, "refused", id="refused"),
    ],
)
async def test_however_a_call_ends_nothing_stays_held(scene: MakeScene, asked: dict[str, Any], status: str) -> None:
    rig, _ = await scene(OK)
    limit(rig, of(usd=10_000, tokens=10_000, requests=10))
    await rig.ask(**TEN_OUT | asked)
    assert rig.record.status == status
    made = status == "ok"
    assert spent(rig) == {"usd": (COST * made, 0), "tokens": (12 * made, 0), "requests": (int(made), 0)}


async def test_what_may_have_been_billed_is_counted(scene: MakeScene) -> None:
    rig, _ = await scene([on.silence])
    limit(rig, of(usd=10_000, tokens=10_000))
    failed(await rig.ask(deadline_in_s=0.06, **TEN_OUT))
    assert spent(rig) == {"usd": (rig.record.cost_at_risk_picodollars, 0), "tokens": (140, 0)}


def keyed(made: Scene, *key_ids: str, **alias: Any) -> Rig:
    """Account a is opened by these keys."""
    rig, _ = made
    keys = tuple(Key(key_id, f"sk-{key_id}-secret-secret") for key_id in key_ids)
    accounts = dict(rig.catalog.accounts)
    accounts["a"] = replace(accounts["a"], keys=keys)
    smart = replace(rig.catalog.aliases["smart"], **alias)
    rig.catalog = replace(rig.catalog, accounts=accounts, aliases={"smart": smart})
    return rig


def served_by(record: CallRecord) -> tuple[str, str, str]:
    return record.provider_of_record, record.key_id, record.fallback_reason


async def test_a_key_without_room_leaves_the_call_to_the_next_key(scene: MakeScene) -> None:
    rig = keyed(await scene(OK, OK), "k1", "k2")
    limit(rig, of("k1", BudgetScope.KEY, usd=100, shrink=False))
    assert isinstance(await rig.ask(**TEN_OUT), Outcome)
    assert (rig.record.provider_of_record, rig.record.key_id) == ("a", "k2")


async def test_a_target_whose_keys_have_no_room_leaves_it_to_the_next_target(scene: MakeScene) -> None:
    rig = keyed(await scene(OK, OK), "k1", "k2")
    limit(rig, *(of(name, BudgetScope.KEY, subject=name, usd=100, shrink=False) for name in ("k1", "k2")))
    assert isinstance(await rig.ask(**TEN_OUT), Outcome)
    assert served_by(rig.record) == ("b", "key-b", "BUDGET")
    assert [(skip.target.provider, skip.reason) for skip in rig.record.skips] == [("a", "BUDGET")]


async def test_an_alias_may_forbid_that(scene: MakeScene) -> None:
    rig = keyed(await scene(OK, OK), "k1", fallback_on_budget=False)
    limit(rig, of("k1", BudgetScope.KEY, usd=100, shrink=False))
    assert failed(await rig.ask(**TEN_OUT)).refusal.reason is RefusalReason.BUDGET_EXCEEDED
    assert rig.record.attempts == ()


async def test_where_no_other_target_is_left_the_keys_budget_is_the_reason(scene: MakeScene) -> None:
    rig = keyed(await scene(OK), "k1")
    limit(rig, of("k1", BudgetScope.KEY, usd=100, shrink=False))
    assert "key 'k1'" in failed(await rig.ask(**TEN_OUT)).refusal.message


async def test_of_a_budget_on_the_operators_key_another_workspace_is_not_told_how_much_it_is(scene: MakeScene) -> None:
    rig = keyed(await scene(OK), "k1")
    limit(rig, of("k1", BudgetScope.KEY, usd=100, shrink=False))
    refusal = failed(await rig.ask(workspace="acme", **TEN_OUT)).refusal
    assert refusal.message.startswith("Budget reached (the operator's key). Add a key of your own")
    assert (refusal.reason, set(refusal.metadata)) == (RefusalReason.BUDGET_EXCEEDED, {"scope"})


async def test_a_key_counts_its_attempts_and_the_workspace_the_call(scene: MakeScene) -> None:
    rig = keyed(await scene([on.status(500), *OK]), "k1")
    limit(rig, of("k1", BudgetScope.KEY, requests=10), of("w", requests=10))
    assert isinstance(await rig.ask(**TEN_OUT), Outcome)
    assert (spent(rig, "k1"), spent(rig, "w")) == ({"requests": (2, 0)}, {"requests": (1, 0)})


async def test_what_was_not_sent_takes_no_room(scene: MakeScene) -> None:
    """The first target cannot express the call; the second one has the same key, which has room for one request."""
    rig, (a, _) = await scene(OK, OK)
    keys = (Key("k1", "sk-k1-secret-secret"),)
    accounts = {name: replace(each, keys=keys) for name, each in rig.catalog.accounts.items()}
    accounts["a"] = replace(accounts["a"], wire="anthropic")
    rig.catalog = replace(rig.catalog, accounts=accounts)
    limit(rig, of("k1", BudgetScope.KEY, requests=1))
    asked = payload_pb2.ChatRequest(prompt="hello", max_tokens=100, seed=7)
    assert isinstance(await rig.ask(payload=asked), Outcome)
    assert (a.hits, served_by(rig.record)[0], spent(rig, "k1")) == ([], "b", {"requests": (1, 0)})


UNPRICED = {"a": "unpriced"}


def models(rig: Rig, **named: str) -> None:
    """These accounts' places lead to other models."""
    routes = tuple(
        replace(route, target=Target(route.target.provider, named.get(route.target.provider, route.target.model)))
        for route in rig.catalog.aliases["smart"].routes
    )
    rig.catalog = replace(rig.catalog, aliases={"smart": replace(rig.catalog.aliases["smart"], routes=routes)})


async def test_an_unpriced_model_is_passed_over_under_a_limit_in_usd(scene: MakeScene) -> None:
    rig, (a, _) = await scene(OK, OK)
    models(rig, a="unpriced")
    limit(rig, of(usd=10_000))
    assert isinstance(await rig.ask(**TEN_OUT), Outcome)
    assert (a.hits, rig.record.provider_of_record) == ([], "b")
    assert [(skip.target.model, skip.reason) for skip in rig.record.skips] == [("unpriced", "UNPRICED")]


async def test_where_only_unpriced_ones_are_left_the_refusal_names_the_command(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    models(rig, a="unpriced")
    limit(rig, of(usd=10_000))
    refusal = failed(await rig.ask(**TEN_OUT)).refusal
    assert (refusal.grpc_status, refusal.reason) == ("FAILED_PRECONDITION", RefusalReason.PRICE_UNKNOWN)
    assert "`taximeter prices set`" in refusal.message


async def test_where_a_budget_allows_them_they_count_tokens_and_requests(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    models(rig, a="unpriced")
    limit(rig, of(usd=10_000, tokens=10_000, requests=10, allow_unpriced=True))
    assert isinstance(await rig.ask(**TEN_OUT), Outcome)
    assert spent(rig) == {"usd": (0, 0), "tokens": (12, 0), "requests": (1, 0)}


async def test_output_is_cut_to_what_there_is_room_for(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK)
    limit(rig, of(usd=48 + 2 * 60))
    assert isinstance(await rig.ask(**TEN_OUT), Outcome)
    assert (a.bodies[0]["max_tokens"], rig.record.max_tokens_granted) == (60, 60)


async def test_what_a_call_asks_stays_as_it_is_where_there_is_room(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK)
    limit(rig, of(usd=BOUND))
    assert isinstance(await rig.ask(**TEN_OUT), Outcome)
    assert (a.bodies[0]["max_tokens"], rig.record.max_tokens_granted) == (100, None)


async def test_a_call_that_sets_no_limit_gets_one_where_room_is_short(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK)
    limit(rig, of(tokens=1_040))
    assert isinstance(await rig.ask(), Outcome)
    assert a.bodies[0]["max_tokens"] == 1_000


async def test_what_may_have_been_billed_is_no_more_than_was_asked_for(scene: MakeScene) -> None:
    """A cut call that is never answered: what is at risk fits the budget as what was held did."""
    rig, _ = await scene([on.silence])
    limit(rig, of(tokens=40 + 60))
    failed(await rig.ask(deadline_in_s=0.06, **TEN_OUT))
    assert (rig.record.max_tokens_granted, spent(rig)) == (60, {"tokens": (100, 0)})


async def test_a_model_is_not_asked_for_more_than_it_can_because_another_is_cut(scene: MakeScene) -> None:
    rig, (_, b) = await scene([on.status(500)] * 3, OK)
    rig.tariff.facts_of["mb"] = ModelFacts(max_output_tokens=50)
    limit(rig, of(tokens=40 + 60))
    assert isinstance(await rig.ask(), Outcome)
    assert ("max_tokens" in b.bodies[0], rig.record.max_tokens_granted) == (False, None)


@pytest.mark.parametrize("shrink", [False, True], ids=["refused", "cut"])
async def test_options_do_not_get_round_a_budget(scene: MakeScene, shrink: bool) -> None:
    """What is said to one provider goes before `max_tokens`, so that it counts too."""
    rig, (a,) = await scene(OK)
    limit(rig, of(usd=BOUND, shrink=shrink))
    options = struct_pb2.Struct()
    options.update({"a": {"max_tokens": 100_000}})
    payload = payload_pb2.ChatRequest(prompt="hello", max_tokens=100, provider_options=options)
    await rig.ask(payload=payload, parameters=RequestParameters(max_tokens=100))
    assert [body["max_tokens"] for body in a.bodies] == ([100] if shrink else [])


async def test_an_embedding_is_not_cut_but_refused(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    limit(rig, of(tokens=30))
    asked = {"operation": Operation.EMBEDDING, "payload": payload_pb2.EmbeddingRequest(inputs=["x"])}
    assert failed(await rig.ask(alias="", target=Target("a", "m"), **asked)).refusal.reason in (
        RefusalReason.BUDGET_EXCEEDED,
        RefusalReason.OPERATION_NOT_SUPPORTED,
    )


async def test_what_an_earlier_attempt_has_spent_must_still_fit(scene: MakeScene) -> None:
    """The first answer breaks off after content that is billed: the second may not pass the limit with it."""
    rig, (_, b) = await scene([on.breaking(2, on.reset)], OK)
    limit(rig, of(usd=BOUND, shrink=False))
    _, ending = await rig.listen(**TEN_OUT, stream_recovery=StreamRecovery.RESTART)
    assert ending is not None
    assert (ending.refusal.reason, b.hits) == (RefusalReason.BUDGET_EXCEEDED, [])
    assert spent(rig)["usd"][0] <= BOUND


async def test_a_record_names_the_alerts_that_it_caused(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    limit(rig, of(requests=1))
    await rig.ask(**TEN_OUT)
    await rig.ask(**TEN_OUT)
    assert [record.budget_alerts for record in rig.book.records] == [("b soft", "b hard"), ()]


@pytest.mark.parametrize("shrink", [False, True], ids=["shrinking-off", "shrinking-on"])
async def test_under_any_concurrency_the_limit_holds(scene: MakeScene, shrink: bool) -> None:
    """300 calls at once, real answers, room for 100 at a time."""
    rig, (a,) = await scene(OK)
    limit(rig, of(usd=100 * BOUND, requests=120, shrink=shrink))
    most = 0

    async def ask() -> Outcome | CallFailed:
        nonlocal most
        ending = await rig.ask(**TEN_OUT)
        most = max(most, sum(spent(rig)["usd"]))
        return ending

    endings = await asyncio.gather(*(ask() for _ in range(300)))
    admitted = sum(isinstance(ending, Outcome) for ending in endings)
    assert most <= 100 * BOUND
    assert (admitted, len(a.hits)) == ((100, 100) if not shrink else (admitted, admitted))
    assert spent(rig) == {"usd": (admitted * COST, 0), "requests": (admitted, 0)}
