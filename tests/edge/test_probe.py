"""Probes over real sockets: what they tell, what they change, and that they are no calls."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sidecar.core.call import Target
from sidecar.core.catalog import Key
from sidecar.core.faults import ServerError
from sidecar.health import Circuit
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import catalog_pb2_grpc
from taximeter.v1 import invocation_pb2 as calls
from taximeter.v1 import payload_pb2 as payload
from tests.edge.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act, Exchange
from tests.support.served import Served

A = Target("a", "ma")
TO_A = calls.CallSpec(target=calls.ModelRef(provider="a", model="ma"), chat=payload.ChatRequest(prompt="hello"))
MODELS = on.status(200, {"data": [{"id": "ma"}, {"id": "mb"}]})
DOWN = on.status(503)


def by_path(models: Act, call: Act) -> Act:
    """One answer to the list of models, another to calls."""

    async def act(exchange: Exchange) -> None:
        await (models if exchange.path.endswith("/models") else call)(exchange)

    return act


def stub(served: Served) -> Any:
    return catalog_pb2_grpc.CatalogServiceStub(served.channel)


async def probe(served: Served, provider: str = "a") -> pb.ProbeProviderResponse:
    answer: pb.ProbeProviderResponse = await stub(served).ProbeProvider(pb.ProbeProviderRequest(provider=provider))
    return answer


async def health(served: Served) -> pb.ListHealthResponse:
    answer: pb.ListHealthResponse = await stub(served).ListHealth(pb.ListHealthRequest())
    return answer


async def until(true: Callable[[], object], within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "not in time"
        await asyncio.sleep(0.005)


async def test_a_probe_tells_the_models_and_is_no_call(scene: MakeScene) -> None:
    served, (provider,) = await scene([MODELS])
    answer = await probe(served)
    assert (answer.ok, answer.error_type, list(answer.models)) == (True, "", ["ma", "mb"])
    assert answer.took.ToNanoseconds() > 0
    assert (len(provider.hits), served.records, served.rig.book.begun) == (1, [], 0)
    (account,) = (await health(served)).accounts
    assert (account.provider, account.state, account.probes, account.failed_probes) == ("a", "usable", 1, 0)


async def test_a_probe_that_fails_says_why(scene: MakeScene) -> None:
    served, _ = await scene([on.UNAUTHORIZED])
    answer = await probe(served)
    assert (answer.ok, answer.error_type) == (False, "key_rejected")
    assert "Incorrect API key" in answer.message
    (account,) = (await health(served)).accounts
    assert (account.probe_error_type, account.failed_probes) == ("key_rejected", 1)
    assert not account.keys_aside, "a list of models may be forbidden to a key that is good for calls"


async def test_an_unusable_provider_is_not_asked(scene: MakeScene) -> None:
    served, (provider,) = await scene([MODELS])
    (account,) = served.rig.catalog.accounts.values()
    unusable = replace(account, keys=(), unusable="A_KEY is not set")
    served.rig.catalog = replace(served.rig.catalog, accounts={"a": unusable})
    answer = await probe(served)
    assert (answer.ok, answer.error_type, answer.message, provider.hits) == (False, "unusable", "A_KEY is not set", [])


async def test_an_unknown_provider_is_refused(scene: MakeScene) -> None:
    served, _ = await scene()
    ending = await served.raw("taximeter.v1.CatalogService/ProbeProvider", pb.ProbeProviderRequest(provider="nope"))
    assert (ending.code, ending.reason) == ("NOT_FOUND", "UNKNOWN_PROVIDER")
    assert "usable: a" in ending.message


async def test_many_who_ask_at_once_send_one_question(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.late(MODELS, 0.1)])
    answers = await asyncio.gather(*(probe(served) for _ in range(20)))
    assert [answer.ok for answer in answers] == [True] * 20
    assert len(provider.hits) == 1


async def test_who_asks_after_a_reload_is_not_told_of_the_old_address(scene: MakeScene) -> None:
    served, (old, new) = await scene([on.silence], [MODELS])
    asking = asyncio.create_task(probe(served))
    await until(lambda: old.hits)
    elsewhere = replace(served.rig.catalog.accounts["a"], base_url=served.rig.catalog.accounts["b"].base_url)
    served.rig.catalog = replace(served.rig.catalog, accounts={"a": elsewhere})
    assert (await probe(served)).ok
    assert (await asking).error_type == "response_timeout"
    assert (len(old.hits), len(new.hits)) == (1, 1)
    assert served.prober.tally("a").failed == 0, "and that address counts no more"


async def test_a_dead_provider_is_back_with_the_first_call_after_a_probe_was_answered(scene: MakeScene) -> None:
    """The circuit would have stayed open for longer; the call that tries closes it."""
    served, (provider,) = await scene([DOWN], time_scale=1.0)
    for _ in range(5):
        served.rig.health.failed(A, served.rig.health.begin(A), ServerError("down"))
    assert (await served.ask(TO_A)).reason == "NO_PROVIDER_AVAILABLE"
    assert not (await probe(served)).ok
    assert (await served.ask(TO_A)).reason == "NO_PROVIDER_AVAILABLE", "a failed probe changes nothing"
    provider.script = [by_path(MODELS, on.answer("back"))]
    assert (await probe(served)).ok
    assert (await health(served)).targets[0].circuit == pb.CIRCUIT_STATE_HALF_OPEN, "a list of models proves no answer"
    assert (await served.ask(TO_A)).code == "OK"
    assert (await health(served)).targets[0].circuit == pb.CIRCUIT_STATE_CLOSED


async def test_a_list_that_works_where_calls_do_not_lets_calls_in_early_once_only(scene: MakeScene) -> None:
    served, (provider,) = await scene([by_path(MODELS, DOWN)], time_scale=1.0)
    for _ in range(5):
        served.rig.health.failed(A, served.rig.health.begin(A), ServerError("down"))
    for _ in range(3):
        assert (await probe(served)).ok
        await served.ask(TO_A)
    assert len(provider.hits) == 3 + 1


async def test_a_key_that_is_taken_again_is_aside_no_longer(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.UNAUTHORIZED], time_scale=1.0)
    assert (await served.ask(TO_A)).code == "UNAVAILABLE"
    told = await health(served)
    assert [len(account.keys_aside) for account in told.accounts] == [1]
    assert told.targets[0].blocked_reason == "key rejected"
    provider.script = [by_path(MODELS, on.answer())]
    assert (await probe(served)).ok
    assert (await served.ask(TO_A)).code == "OK"


async def test_the_key_stands_in_no_message(scene: MakeScene) -> None:
    served, _ = await scene([on.refusal(401, "no such key: sk-a-very-secret-key-0123")])
    (account,) = served.rig.catalog.accounts.values()
    keyed = replace(account, keys=(Key("k", "sk-a-very-secret-key-0123"),))
    served.rig.catalog = replace(served.rig.catalog, accounts={"a": keyed})
    assert "sk-a-very-secret" not in str(await probe(served))
    assert "sk-a-very-secret" not in str(served.rig.notes.lines)


async def test_who_is_out_of_service_is_asked_without_traffic_until_it_is_back(scene: MakeScene) -> None:
    """And never more often than every interval, scaled."""
    served, (provider,) = await scene([DOWN], time_scale=0.01)
    served.rig.health.reject_key("a-key")
    (account,) = served.rig.catalog.accounts.values()
    keyed = replace(account, keys=(Key("a-key", "sk-0123456789"),))
    served.rig.catalog = replace(served.rig.catalog, accounts={"a": keyed})
    probing = asyncio.create_task(served.prober.keep_probing(lambda: 10.0))
    try:
        await until(lambda: len(provider.hits) >= 3)
        assert min(provider.gaps_s) > 0.08
        provider.script = [MODELS]
        await until(lambda: (last := served.prober.tally("a").last) is not None and last.ok)
        hits = len(provider.hits)
        await asyncio.sleep(0.35)
        assert len(provider.hits) == hits, "back: asked no more"
        assert not served.rig.health.key_aside("a-key")
    finally:
        probing.cancel()


async def test_a_circuit_that_lets_the_next_call_try_is_not_asked_for(scene: MakeScene) -> None:
    """Nothing more can be learnt without a call."""
    served, (provider,) = await scene([MODELS], time_scale=0.01)
    for _ in range(5):
        served.rig.health.failed(A, served.rig.health.begin(A), ServerError("down"))
    probing = asyncio.create_task(served.prober.keep_probing(lambda: 1.0))
    try:
        await until(lambda: served.rig.health.circuit(A) is Circuit.HALF_OPEN)
        await asyncio.sleep(0.05)
        hits = len(provider.hits)
        await asyncio.sleep(0.2)
        assert len(provider.hits) == hits
    finally:
        probing.cancel()
