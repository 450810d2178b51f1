"""ExplainPlan, FindBestProvider and GetCheapestModel over the wire: what a call would do, without doing it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.call import Capability, Operation, Strategy, Target, Timeouts
from sidecar.core.catalog import Account, Alias, Catalog, Key, RateLimits, RetryPolicy, Route
from sidecar.core.faults import RateLimited
from sidecar.pricing import Pricing
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2, payload_pb2
from tests.support.served import Ending, Served, served

param = pytest.param
CHAT, EMBEDDING = Operation.CHAT, Operation.EMBEDDING
PRICES = """
[[price]]
provider = "a"
model = "ma"
input = 3
output = 12
[[price]]
provider = "a"
model = "ea"
input = "0.1"
[[price]]
provider = "a"
model = "special"
input = "0.5"
output = "0.5"
[[price]]
provider = "b"
model = "mb"
input = 1
output = 4
"""


def account(name: str, **values: Any) -> Account:
    defaults: dict[str, Any] = {
        "keys": (Key(f"key-{name}", f"sk-secret-of-account-{name}"),),
        "operations": frozenset({CHAT, EMBEDDING}),
        "capabilities": frozenset({Capability.CHAT, Capability.EMBEDDING}),
        "default_models": {"smart": f"m{name}", "embedding": f"e{name}"},
    }
    return Account(name, name, "openai", "http://127.0.0.1:1", **(defaults | values))


def catalog(**values: Any) -> Catalog:
    accounts = {
        "a": account("a"),
        "b": account("b"),
        "c": account("c", keys=(), unusable="C_API_KEY is not set"),
        "d": account("d", declared_price_zero=True, needs_key=False, keys=(), capabilities=frozenset()),
    }
    routes = tuple(Route(Target(name, f"m{name}")) for name in "abc")
    aliases = {
        "text": Alias("text", routes),
        "turns": Alias("turns", routes, Strategy.ROUND_ROBIN, version=4),
        "own": Alias("own", (Route(Target("d", "free")),), timeouts=Timeouts(ttft_s=3.0)),
    }
    return replace(Catalog(accounts, aliases), **values)


@pytest.fixture
def prices(tmp_path: Path) -> Pricing:
    (tmp_path / "prices.toml").write_text(PRICES)
    return Pricing(tmp_path / "prices.toml")


Start = Callable[..., Any]


@pytest.fixture
async def start(prices: Pricing) -> AsyncIterator[Start]:
    """`await start(**catalog)` -> a sidecar that nobody may be called from: its providers are not there."""
    async with AsyncExitStack() as stack:

        async def make(**values: Any) -> Served:
            return await stack.enter_async_context(served(catalog(**values), pricing=prices))

        yield make


async def explained(at: Served, spec: invocation_pb2.CallSpec, *, streamed: bool = False) -> pb.ExplainPlanResponse:
    ended = await asked(at, "ExplainPlan", pb.ExplainPlanRequest(call=spec, streamed=streamed))
    assert ended.code == "OK", ended.message
    return pb.ExplainPlanResponse.FromString(ended.answer)


async def asked(at: Served, method: str, request: Any) -> Ending:
    return await at.raw(f"taximeter.v1.CatalogService/{method}", request)


def chat(**fields: Any) -> invocation_pb2.CallSpec:
    return invocation_pb2.CallSpec(chat=payload_pb2.ChatRequest(prompt="hello"), **fields)


def order(plan: pb.ExplainPlanResponse) -> list[str]:
    return [f"{each.target.provider}/{each.target.model}" for each in plan.targets]


async def test_the_whole_answer(start: Start) -> None:
    plan = await explained(await start(), chat(task="turns", routing_preference="ROUTING_PREFERENCE_QUALITY"))
    assert (plan.alias, plan.alias_version, plan.operation, plan.strategy) == ("turns", 4, "chat", "round-robin")
    assert (plan.preference, plan.stream_recovery, plan.max_attempts) == ("quality", "error", 4)
    assert order(plan) == ["a/ma", "b/mb"]
    first = plan.targets[0]
    assert (first.why, first.weight, first.HasField("priority")) == ("its turn in the rotation", 1, False)
    assert first.keys == ["sk-...nt-a"]
    assert first.timeouts.response.seconds == 60
    assert [(skip.target.provider, skip.reason, skip.detail) for skip in plan.skips] == [
        ("c", "NO_KEY", "C_API_KEY is not set")
    ]
    assert (plan.error_reason, plan.error_message) == ("", "")
    assert plan.why.startswith("Alias 'turns': in turn (round-robin)")


async def test_it_says_where_no_failure_leads_on(start: Start) -> None:
    plan = await explained(await start(retry=RetryPolicy(retry_failed=False)), chat(task="turns"))
    assert plan.why.endswith("After a failure no other target is tried (AI_RETRY_FAILED=false).")


async def test_asking_uses_up_no_turn_and_writes_no_row(start: Start) -> None:
    at = await start()
    plans = [order(await explained(at, chat(task="turns"))) for _ in range(3)]
    assert plans == [["a/ma", "b/mb"]] * 3
    assert (at.records, at.rig.book.begun) == ([], 0)
    assert at.rig.health.snapshot() == ()
    await at.ask(chat(task="turns"))
    assert order(await explained(at, chat(task="turns"))) == ["b/mb", "a/ma"], "a call does"


async def test_the_price_is_of_this_calls_size(start: Start) -> None:
    at = await start()
    spec = invocation_pb2.CallSpec(chat=payload_pb2.ChatRequest(prompt="x" * 3996, max_tokens=100), alias="text")
    plan = await explained(at, spec)
    tokens_in = -(-spec.chat.ByteSize() // 4)
    assert [each.price_picodollars for each in plan.targets] == [
        (tokens_in * 3 + 100 * 12) * 10**6,
        (tokens_in * 1 + 100 * 4) * 10**6,
    ]


async def test_cost_puts_the_cheapest_first(start: Start) -> None:
    plan = await explained(await start(), chat(alias="text", routing_preference="ROUTING_PREFERENCE_COST"))
    assert [(each.target.provider, each.why) for each in plan.targets] == [("b", "cheapest"), ("a", "next by price")]


async def test_speed_puts_the_fastest_first(start: Start) -> None:
    at = await start()
    measured(at)
    plan = await explained(at, chat(alias="text", routing_preference="ROUTING_PREFERENCE_SPEED"))
    assert [(each.target.provider, each.why) for each in plan.targets] == [("b", "fastest"), ("a", "next by speed")]
    assert plan.targets[0].typical_wait.ToMilliseconds() == 200


def measured(at: Served) -> None:
    """b answers faster than a."""
    for name, seconds in {"a": 0.9, "b": 0.2}.items():
        target = Target(name, f"m{name}")
        at.rig.health.succeeded(target, at.rig.health.begin(target), seconds, None)


async def test_limits_and_health_are_seen(start: Start) -> None:
    at = await start(accounts={"a": account("a", limits=RateLimits(max_concurrent=1)), "b": account("b")})
    at.rig.limits.take(at.rig.catalog.accounts["a"], Target("a", "ma"), lambda: 1)
    target = Target("b", "mb")
    at.rig.health.failed(
        target, at.rig.health.begin(target), RateLimited(retry_after_s=3600 / at.rig.catalog.time_scale)
    )
    plan = await explained(at, chat(alias="text"))
    assert [(each.target.provider, each.why) for each in plan.targets] == [
        ("a", "waited for, since nothing else is left: 1 of 1 requests in flight")
    ]
    assert [f"{skip.target.provider} {skip.reason}" for skip in plan.skips] == ["c UNKNOWN_PROVIDER", "b RATE_LIMITED"]


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        param(chat(alias="none"), "UNKNOWN_ALIAS", "Unknown alias 'none'", id="unknown-alias"),
        param(chat(target=invocation_pb2.ModelRef(provider="c")), "PROVIDER_NOT_INITIALIZED", "C_API_KEY is not set",
              id="no-key"),
        param(invocation_pb2.CallSpec(moderation=payload_pb2.ModerationRequest(inputs=["x"]), alias="text"),
              "OPERATION_NOT_SUPPORTED", "None of a, b, c offers moderation.", id="operation"),
    ],
)  # fmt: skip
async def test_the_error_that_a_call_would_get_is_told(
    start: Start, spec: invocation_pb2.CallSpec, reason: str, message: str
) -> None:
    at = await start()
    plan = await explained(at, spec)
    assert (plan.error_reason, order(plan)) == (reason, [])
    assert message in plan.error_message
    ended = await at.ask(spec)
    assert (ended.reason, ended.message) == (plan.error_reason, plan.error_message), "and a call gets it"


async def test_what_a_wire_cannot_express_is_passed_over(start: Start) -> None:
    part = payload_pb2.ContentPart(file=payload_pb2.FilePart(url="https://files.example/a.pdf"))
    message = payload_pb2.ChatMessage(role=payload_pb2.ROLE_USER, parts=[part])
    spec = invocation_pb2.CallSpec(chat=payload_pb2.ChatRequest(messages=[message]), alias="text")
    at = await start()
    plan = await explained(at, spec)
    assert [f"{skip.target.provider} {skip.reason}" for skip in plan.skips] == [
        "c NO_KEY", "a NOT_SUPPORTED", "b NOT_SUPPORTED",
    ]  # fmt: skip
    ended = await at.ask(spec)
    assert (ended.reason, ended.message) == (plan.error_reason, plan.error_message), "as a call would end"


async def test_a_spec_that_no_call_can_have_is_refused(start: Start) -> None:
    ended = await asked(await start(), "ExplainPlan", pb.ExplainPlanRequest(call=invocation_pb2.CallSpec(alias="text")))
    assert (ended.code, ended.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")


async def test_the_calls_own_time_outs_are_those_that_apply(start: Start) -> None:
    spec = chat(alias="own")
    spec.timeouts.response.seconds = 7
    plan = await explained(await start(), spec)
    waits = plan.targets[0].timeouts
    assert (waits.connect.seconds, waits.ttft.seconds, waits.response.seconds, waits.stall.seconds) == (5, 3, 7, 20)


async def best(at: Served, **fields: Any) -> Ending:
    return await asked(at, "FindBestProvider", pb.FindBestProviderRequest(**fields))


@pytest.mark.parametrize(
    ("fields", "target"),
    [
        param({"capability": "CAPABILITY_CHAT"}, "a/ma", id="first-of-the-catalogue"),
        param({"capability": "CAPABILITY_EMBEDDING"}, "a/ea", id="with-the-model-for-it"),
        param({"capability": "CAPABILITY_CHAT", "preferred_provider": "b"}, "b/mb", id="preferred"),
    ],
)
async def test_the_best_provider_is_the_first_target_planned(start: Start, fields: dict[str, Any], target: str) -> None:
    ended = await best(await start(), **fields)
    found = pb.FindBestProviderResponse.FromString(ended.answer)
    assert f"{found.target.provider}/{found.target.model}" == target
    assert found.why.startswith("Accounts with the capability")


async def test_the_best_provider_follows_health_and_preference(start: Start) -> None:
    at = await start()
    measured(at)
    ended = await best(at, capability="CAPABILITY_CHAT", routing_preference="ROUTING_PREFERENCE_SPEED")
    assert pb.FindBestProviderResponse.FromString(ended.answer).target.provider == "b"


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        param({"capability": "CAPABILITY_MODERATION"}, "UNAVAILABLE", "NO_PROVIDER_AVAILABLE", id="nobody-has-it"),
        param({"capability": "CAPABILITY_UNSPECIFIED"}, "INVALID_ARGUMENT", "INVALID_REQUEST", id="none-named"),
        param({"capability": 77}, "INVALID_ARGUMENT", "INVALID_REQUEST", id="no-such-capability"),
        param({"capability": "CAPABILITY_CHAT", "routing_preference": 77}, "INVALID_ARGUMENT", "INVALID_REQUEST",
              id="no-such-preference"),
    ],
)  # fmt: skip
async def test_no_best_provider(start: Start, fields: dict[str, Any], code: str, reason: str) -> None:
    ended = await best(await start(), **fields)
    assert (ended.code, ended.reason) == (code, reason)


async def cheapest(at: Served, capability: str, *, free_only: bool = False) -> Ending:
    number = invocation_pb2.Capability.Value(f"CAPABILITY_{capability}")
    return await asked(at, "GetCheapestModel", pb.GetCheapestModelRequest(capability=number, free_only=free_only))


@pytest.mark.parametrize(
    ("accounts", "capability", "free_only", "expected"),
    [
        param("ab", "CHAT", False, "b/mb 5000000000", id="the-lower-price"),
        param("abc", "CHAT", False, "b/mb 5000000000", id="of-those-with-a-key"),
        param("a", "CHAT", False, "a/ma 15000000000", id="the-only-one"),
        param("ab", "EMBEDDING", False, "a/ea 100000000", id="never-an-unpriced-one"),
        param("abd", "CHAT", False, "d/md 0", id="declared-free"),
        param("abd", "CHAT", True, "d/md 0", id="only-the-free"),
        param("ab", "CHAT", True, "MODEL_NOT_FOUND", id="none-is-free"),
        param("b", "EMBEDDING", False, "PRICE_UNKNOWN", id="none-is-priced"),
        param("c", "CHAT", False, "NO_PROVIDER_AVAILABLE", id="none-is-usable"),
        param("", "CHAT", False, "NO_PROVIDER_AVAILABLE", id="none-is-configured"),
    ],
)
async def test_the_cheapest_model(start: Start, accounts: str, capability: str, free_only: bool, expected: str) -> None:
    known = {name: each for name, each in catalog().accounts.items() if name in accounts}
    if "d" in known:
        known["d"] = replace(known["d"], capabilities=frozenset({Capability.CHAT}))
    ended = await cheapest(await start(accounts=known), capability, free_only=free_only)
    if ended.code != "OK":
        assert ended.reason == expected
        return
    found = pb.GetCheapestModelResponse.FromString(ended.answer)
    assert f"{found.target.provider}/{found.target.model} {found.price_picodollars}" == expected
    assert found.price_source in ("override", "declared")


async def test_models_that_only_aliases_name_are_compared_too(start: Start) -> None:
    aliases = {"mine": Alias("mine", (Route(Target("a", "special")),))}
    ended = await cheapest(await start(accounts={"a": account("a")}, aliases=aliases), "CHAT")
    assert pb.GetCheapestModelResponse.FromString(ended.answer).target.model == "special"
