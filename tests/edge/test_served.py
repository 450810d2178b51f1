"""Calls that go well, as their callers see them; and everything else that the server answers."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sidecar.core.call import StreamRecovery
from sidecar.core.catalog import ModelFacts
from taximeter.v1 import catalog_pb2, catalog_pb2_grpc, invocation_pb2_grpc
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import metering_pb2 as metering
from taximeter.v1 import payload_pb2 as payload
from tests.edge.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act

HELLO = payload.ChatRequest(prompt="hello")
SMART = pb.CallSpec(alias="smart", chat=HELLO)
GOOD = (on.answer("hello there"),)
SERVICES = [f"taximeter.v1.{name}Service" for name in ("Catalog", "Invocation", "Model", "Usage")]


def kinds(events: list[Any]) -> list[str]:
    return [event.WhichOneof("event") for event in events]


async def test_an_answer_comes_with_its_metering(scene: MakeScene) -> None:
    served, _ = await scene(GOOD)
    answer = (await served.ask(SMART)).answer
    (record,) = served.records
    assert answer.chat.choices[0].message.text == "hello there"
    told = answer.metering
    assert (told.call_id, told.provider, told.model_requested) == (record.call_id, "a", "ma")
    assert (told.usage.input_tokens, told.usage.output_tokens) == (10, 5)
    assert told.usage_source == metering.USAGE_SOURCE_REPORTED
    assert (told.cost.priced, told.cost.amount_picodollars) == (True, 20)
    assert (told.alias, told.trace_id, told.fallback_used) == ("smart", record.trace_id, False)
    assert told.duration.ToNanoseconds() == record.duration_ns


async def test_an_embedding(scene: MakeScene) -> None:
    served, _ = await scene(GOOD)
    spec = pb.CallSpec(alias="smart", embedding=payload.EmbeddingRequest(inputs=["x"]))
    answer = (await served.ask(spec)).answer
    assert list(answer.embedding.embeddings[0].values) == [0.5, 0.25]
    events, ending = await served.listen(spec)
    assert (ending.code, kinds(events)) == ("OK", ["started", "finished"])
    assert list(events[-1].finished.embedding.embeddings[0].values) == [0.5, 0.25]


async def test_a_stream_tells_started_deltas_finished(scene: MakeScene) -> None:
    served, _ = await scene(GOOD)
    events, ending = await served.listen(SMART)
    (record,) = served.records
    assert ending.code == "OK"
    assert kinds(events) == ["started", "delta", "delta", "finished"]
    assert (events[0].started.call_id, events[0].started.target.provider) == (record.call_id, "a")
    assert "".join(event.delta.text for event in events) == "hellothere"
    finished = events[-1].finished
    assert (finished.metering.call_id, finished.model) == (record.call_id, record.model_reported)
    assert [(choice.index, choice.finish_reason) for choice in finished.choices] == [(0, "stop")]


async def test_a_restart_is_told_by_its_event(scene: MakeScene) -> None:
    served, _ = await scene([on.breaking(2, on.reset)], GOOD, alias={"stream_recovery": StreamRecovery.RESTART})
    events, _ = await served.listen(SMART)
    assert kinds(events) == ["started", "delta", "delta", "restarted", "delta", "delta", "finished"]
    restarted = events[3].restarted
    assert (getattr(restarted, "from").provider, restarted.to.provider) == ("a", "b")
    assert restarted.reason == metering.FALLBACK_REASON_STALL


@pytest.mark.parametrize(
    ("script", "why", "reason"),
    [
        pytest.param([on.status(429, retry_after="60")], "a: rate limited", "RATE_LIMITED", id="429"),
        pytest.param([on.status(503)], "a: server error", "PROVIDER_ERROR", id="503"),
        pytest.param([on.UNAUTHORIZED], "a: key rejected", "KEY_REJECTED", id="401"),
        pytest.param([on.NO_MODEL], "a: model not found", "MODEL_NOT_FOUND", id="404"),
        pytest.param([on.reset], "a: connection reset", "CONNECTION", id="reset"),
        pytest.param([on.silence], "a: no answer in time", "TIMEOUT", id="hang"),
        pytest.param([on.status(200, b"<html>")], "a: unreadable answer", "GARBLED", id="garbage"),
        pytest.param([on.CONTEXT_LENGTH], "a: context too long", "CONTEXT_LENGTH", id="context"),
    ],
)
async def test_a_fallback_is_told(script: list[Act], why: str, reason: str, scene: MakeScene) -> None:
    served, _ = await scene(script, GOOD)
    served.rig.tariff.facts_of = {"ma": ModelFacts(context_tokens=8), "mb": ModelFacts(context_tokens=1_000_000)}
    told = (await served.ask(SMART)).answer.metering
    assert told.fallback_message == f"This provider is unavailable ({why}); routed to fallback b"
    assert (told.provider, told.fallback_used) == ("b", True)
    assert metering.FallbackReason.Name(told.fallback_reason) == f"FALLBACK_REASON_{reason}"
    assert served.records[0].fallback_reason == reason


async def test_what_a_call_says_of_itself_is_recorded(scene: MakeScene) -> None:
    served, _ = await scene(GOOD, tag_keys=frozenset({"team"}))
    request_id = str(uuid.uuid4())
    spec = pb.CallSpec(
        alias="smart", chat=HELLO, tags={"team": "growth ✓"}, request_id=request_id.upper(), conversation_id="t9",
        workspace_id="default", capability=pb.CAPABILITY_CHAT,
    )  # fmt: skip
    assert (await served.ask(spec)).answer.metering.request_id == request_id
    (record,) = served.records
    assert (dict(record.tags), record.request_id, record.conversation_id) == ({"team": "growth ✓"}, request_id, "t9")
    assert (record.workspace, record.caller, record.capability) == ("default", "", "chat")
    assert record.rpc_method == "taximeter.v1.InvocationService/Invoke"


TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("headers", "followed", "sampled"),
    [
        pytest.param([f"00-{TRACE}-{SPAN}-01"], True, True, id="sampled"),
        pytest.param([f"00-{TRACE}-{SPAN}-00"], True, False, id="unsampled"),
        pytest.param([f"01-{TRACE}-{SPAN}-01-more"], True, True, id="newer-version"),
        pytest.param([], False, True, id="none"),
        pytest.param(["garbage"], False, True, id="garbage"),
        pytest.param([f"00-{'0' * 32}-{SPAN}-01"], False, True, id="zero"),
    ],
)
async def test_traceparent(headers: list[str], followed: bool, sampled: bool, scene: MakeScene) -> None:
    served, _ = await scene(GOOD)
    await served.ask(SMART, metadata=tuple(("traceparent", header) for header in headers))
    (record,) = served.records
    assert (record.trace_id == TRACE, record.parent_span_id == SPAN, record.sampled) == (followed, followed, sampled)
    assert len(record.trace_id) == 32


@pytest.mark.parametrize("service", ["", *SERVICES])
async def test_health(service: str, scene: MakeScene) -> None:
    served, _ = await scene()
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    asked = health_pb2.HealthCheckRequest(service=service)
    assert (await stub.Check(asked)).status == health_pb2.HealthCheckResponse.SERVING
    watch = stub.Watch(asked)
    said = [(await anext(aiter(watch))).status]
    await served.server.not_serving()
    said.append((await anext(aiter(watch))).status)
    watch.cancel()
    assert said == [health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING]


async def test_reflection_lists_every_service_and_its_file(scene: MakeScene) -> None:
    served, _ = await scene()
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(served.channel)  # type: ignore[arg-type]
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="taximeter.v1.InvocationService"),
    ]
    listed, described = [answer async for answer in stub.ServerReflectionInfo(iter(asked))]
    names = {service.name for service in listed.list_services_response.service}
    assert names >= {*SERVICES, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}
    assert described.file_descriptor_response.file_descriptor_proto


async def test_an_unknown_method_is_unimplemented(scene: MakeScene) -> None:
    served, _ = await scene()
    assert (await served.raw("taximeter.v1.InvocationService/Fly", b"")).code == "UNIMPLEMENTED"


async def test_the_catalog_tells_what_is_configured_and_how_it_fares(scene: MakeScene) -> None:
    served, _ = await scene([on.status(503)], GOOD)
    catalog = served.rig.catalog
    aside = replace(catalog.accounts["a"], name="c", keys=(), unusable="C_API_KEY is not set")
    served.rig.catalog = replace(catalog, accounts={**catalog.accounts, "c": aside})
    await served.ask(SMART)
    stub: Any = catalog_pb2_grpc.CatalogServiceStub(served.channel)

    listed = await stub.ListProviders(catalog_pb2.ListProvidersRequest())
    assert [(each.name, each.usable, each.reason) for each in listed.providers] == [
        ("a", True, ""), ("b", True, ""), ("c", False, "C_API_KEY is not set"),
    ]  # fmt: skip
    assert "sk-secret-of-a" not in str(listed)
    assert [(each.name, [ref.provider for ref in each.targets]) for each in listed.aliases] == [("smart", ["a", "b"])]

    models = await stub.ListModels(catalog_pb2.ListModelsRequest(provider="b"))
    assert {each.ref.model for each in models.models} == {"b-smart", "b-fast", "mb"}
    assert (await stub.ListPrices(catalog_pb2.ListPricesRequest(provider="b"))).prices == []

    health = {each.target.provider: each for each in (await stub.ListHealth(catalog_pb2.ListHealthRequest())).targets}
    assert (health["a"].errors, health["a"].last_error_type) == (2, "server_error")
    assert (health["b"].requests, health["b"].success_rate) == (1, 1.0)
    assert health["b"].circuit == catalog_pb2.CIRCUIT_STATE_CLOSED


async def test_the_catalog_refuses_garbage(scene: MakeScene) -> None:
    served, _ = await scene()
    assert (await served.raw("taximeter.v1.CatalogService/ListModels", b"\xff")).reason == "INVALID_REQUEST"


async def test_many_calls_at_once_are_all_told_and_recorded(scene: MakeScene) -> None:
    served, _ = await scene(GOOD, edge={"max_calls": 20})
    async with grpc.aio.insecure_channel(served.address) as channel:
        stub: Any = invocation_pb2_grpc.InvocationServiceStub(channel)
        asked = [stub.Invoke(pb.InvokeRequest(call=SMART)) for _ in range(60)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
    good = [answer for answer in ended if isinstance(answer, pb.InvokeResponse)]
    shed = [error for error in ended if isinstance(error, grpc.aio.AioRpcError)]
    assert {error.code() for error in shed} <= {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert (len(good), len(shed)) == (len(served.records), served.gate.shed)
    assert len(good) >= 20
    assert {answer.metering.call_id for answer in good} == {record.call_id for record in served.records}
