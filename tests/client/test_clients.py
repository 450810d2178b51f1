"""Both clients against a real gRPC server that answers from a script."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta

import pytest

from sidecar.core.call import CallStatus
from sidecar.core.faults import Refusal, RefusalReason
from taximeter import AsyncClient, Client, TaximeterError, errors
from taximeter.v1 import invocation_pb2 as pb
from tests.support.edge import record
from tests.support.fakesidecar import METERING, FakeSidecar

EVENTS = [
    pb.InvokeStreamResponse(started=pb.Started(call_id="01CALL")),
    pb.InvokeStreamResponse(delta=pb.Delta(text="hi ")),
    pb.InvokeStreamResponse(delta=pb.Delta(text="(other)", choice_index=1)),
    pb.InvokeStreamResponse(),
    pb.InvokeStreamResponse(delta=pb.Delta(text="there")),
    pb.InvokeStreamResponse(finished=pb.Finished(metering=METERING)),
]
RESTARTED = [EVENTS[0], EVENTS[1], pb.InvokeStreamResponse(restarted=pb.Restarted()), EVENTS[4], EVENTS[5]]
BROKEN = Refusal("UNAVAILABLE", RefusalReason.STREAM_BROKEN, "the stream broke")


def test_every_operation(client: Client) -> None:
    assert client.chat("hello", alias="smart").text == "hi there"
    assert client.chat("hello").finish_reason == "stop"
    assert client.complete("once").text == "and so on"
    assert client.embed(["a", "b"]).vectors == [[0.25], [0.5]]
    assert client.moderate("x").safe
    assert client.invoke(pb.CallSpec()).metering.call_id == "01CALL"


async def test_every_operation_async(aclient: AsyncClient) -> None:
    assert (await aclient.chat("hello", alias="smart")).text == "hi there"
    assert (await aclient.complete("once")).text == "and so on"
    assert (await aclient.embed(["a", "b"])).vectors == [[0.25], [0.5]]
    assert (await aclient.moderate("x")).safe
    assert (await aclient.invoke(pb.CallSpec())).metering.call_id == "01CALL"


def test_token_trace_and_deadline_are_sent(address: str, fake: FakeSidecar) -> None:
    with Client(address, token="secret", timeout=30) as client:
        client.chat("hello", traceparent="00-a-b-01", timeout=7)
    assert fake.metadata["authorization"] == "Bearer secret"
    assert fake.metadata["traceparent"] == "00-a-b-01"
    assert fake.remaining_s is not None
    assert 5 < fake.remaining_s <= 7.5  # gRPC rounds up


async def test_the_clients_own_deadline_holds_unless_said(address: str, fake: FakeSidecar) -> None:
    async with AsyncClient(address, timeout=30) as client:
        await client.chat("hello")
    assert fake.remaining_s is not None
    assert 25 < fake.remaining_s <= 31  # gRPC rounds up


def test_stream(client: Client, fake: FakeSidecar) -> None:
    fake.events = EVENTS
    with client.stream("hello") as stream:
        kinds = [type(event).__name__ for event in stream]
    assert kinds == ["Started", "Delta", "Delta", "Delta", "Finished"]
    assert stream.call_id == "01CALL"
    assert stream.metering == METERING


async def test_stream_async(aclient: AsyncClient, fake: FakeSidecar) -> None:
    fake.events = EVENTS
    async with aclient.stream("hello") as stream:
        kinds = [type(event).__name__ async for event in stream]
    assert kinds == ["Started", "Delta", "Delta", "Delta", "Finished"]
    assert stream.metering == METERING


async def test_text_of_a_stream_is_its_first_choice(client: Client, aclient: AsyncClient, fake: FakeSidecar) -> None:
    fake.events = EVENTS
    assert "".join(client.stream("hello").text) == "hi there"
    assert "".join([text async for text in aclient.stream("hello").text]) == "hi there"


async def test_text_that_became_void_is_never_given_as_an_answer(
    client: Client, aclient: AsyncClient, fake: FakeSidecar
) -> None:
    fake.events = RESTARTED
    with pytest.raises(errors.StreamRestarted):
        list(client.stream("hello").text)
    with pytest.raises(errors.StreamRestarted):
        _ = [text async for text in aclient.stream("hello").text]


async def test_a_broken_stream_raises_after_what_it_gave(
    client: Client, aclient: AsyncClient, fake: FakeSidecar
) -> None:
    fake.events, fake.refusal, fake.record = EVENTS[:2], BROKEN, record(status=CallStatus.ERROR)
    with pytest.raises(errors.StreamBroken) as raised:
        list(client.stream("hello"))
    with pytest.raises(errors.StreamBroken):
        _ = [event async for event in aclient.stream("hello")]
    assert raised.value.metering is not None


async def test_a_refusal_is_a_typed_error(client: Client, aclient: AsyncClient, fake: FakeSidecar) -> None:
    fake.refusal = Refusal("NOT_FOUND", RefusalReason.UNKNOWN_ALIAS, "Unknown alias", {"nearest": "smart"})
    with pytest.raises(errors.UnknownAlias) as raised:
        client.chat("hello", alias="smrt")
    assert raised.value.metadata["nearest"] == "smart"
    with pytest.raises(errors.UnknownAlias):
        await aclient.chat("hello", alias="smrt")


async def test_nobody_there() -> None:
    with Client("127.0.0.1:1", timeout=5) as client, pytest.raises(errors.SidecarUnavailable):
        client.chat("hello")
    async with AsyncClient("127.0.0.1:1", timeout=5) as aclient:
        with pytest.raises(TaximeterError) as raised:
            await aclient.chat("hello")
    assert raised.value.code == "UNAVAILABLE"


async def test_questions(client: Client, aclient: AsyncClient, fake: FakeSidecar) -> None:
    assert [provider.name for provider in client.providers().providers] == ["openai"]
    assert client.health().targets[0].requests == 3
    assert client.get_call("01X").metering.call_id == "01X"
    assert [row.calls for row in client.usage(["model"], since=timedelta(hours=1)).rows] == [1, 2]
    assert [question.page_token for question in fake.questions] == ["", "2"]
    assert [provider.name for provider in (await aclient.providers()).providers] == ["openai"]
    assert (await aclient.health()).targets[0].requests == 3
    assert (await aclient.get_call("01X")).metering.call_id == "01X"
    assert (await aclient.usage()).total.calls == 3


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        pytest.param("import taximeter", {"grpc", "google.protobuf"}, id="the-package-alone-loads-nothing"),
        pytest.param("from taximeter import Client, AsyncClient", set(), id="the-clients"),
    ],
)
def test_importing_the_client_loads_grpc_and_protobuf_only(code: str, heavy: set[str]) -> None:
    """litellm#6175: slow import."""
    server = {"google.rpc", "grpc_status", "pydantic", "httpx", "duckdb", "pyarrow", "polars", "opentelemetry"}
    check = (
        f"{code}\nimport sys; print(sorted(set(sys.modules) & {server | heavy | {'sidecar', 'structlog', 'uvloop'}}))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
