"""Calls that end early: hang-ups, deadlines, callers that do not read, a server that stops. Each leaves one row."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import pytest

from sidecar.edge import invocation
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import invocation_pb2_grpc
from taximeter.v1 import payload_pb2 as payload
from tests.edge.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act, Exchange
from tests.support.served import Served
from tests.support.stack import until

SMART = pb.CallSpec(alias="smart", chat=payload.ChatRequest(prompt="hello"))
STREAM = pb.InvokeStreamRequest(call=SMART)
UNHURRIED = {"time_scale": 1.0}


async def talking(exchange: Exchange) -> None:
    """A word every few milliseconds, until the caller hangs up."""
    await exchange.begin()
    while True:
        await exchange.say("word ")
        await asyncio.sleep(0.005)


async def flooding(exchange: Exchange) -> None:
    """Far more than any window holds."""
    await exchange.begin()
    for _ in range(20_000):
        await exchange.say("w" * 1000)


def ends(served: Served) -> list[tuple[str, str]]:
    return [(record.status.value, record.error_type) for record in served.records]


async def first_word(call: Any) -> None:
    async for event in call:
        if event.HasField("delta"):
            return


async def test_a_hang_up_in_mid_stream_stops_the_provider(scene: MakeScene) -> None:
    """litellm#14457: what was received is metered."""
    served, (provider,) = await scene([talking], **UNHURRIED)
    for _ in range(5):
        call = served.stub.InvokeStream(STREAM)
        await first_word(call)
        call.cancel()
    await served.settled()
    assert ends(served) == [("cancelled", "cancelled")] * 5
    assert all(record.usage.output for record in served.records)
    await asyncio.to_thread(until, lambda: provider.hangups == 5, "the provider sees every hang-up", 5)
    assert [line for line, _ in served.rig.notes.lines if line != "planned"] == []


async def test_a_connection_that_breaks_ends_all_its_calls(scene: MakeScene) -> None:
    served, _ = await scene([talking], **UNHURRIED)
    async with grpc.aio.insecure_channel(served.address) as channel:
        stub: Any = invocation_pb2_grpc.InvocationServiceStub(channel)
        calls = [stub.InvokeStream(STREAM) for _ in range(8)]
        await asyncio.gather(*map(first_word, calls))
        assert served.gate.in_flight == 8
    await served.settled()
    assert ends(served) == [("cancelled", "cancelled")] * 8


async def test_a_unary_call_is_cancelled_with_its_caller(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.silence], **UNHURRIED)
    call = served.stub.Invoke(pb.InvokeRequest(call=SMART))
    await asyncio.to_thread(until, lambda: provider.hits, "the provider is asked", 5)
    call.cancel()
    await served.settled()
    assert ends(served) == [("cancelled", "cancelled")]
    assert served.records[0].maybe_billed


@pytest.mark.parametrize("after_s", [0.0, 0.0005, 0.001, 0.002, 0.004, 0.01])
async def test_a_hang_up_at_any_moment_leaves_at_most_one_row(after_s: float, scene: MakeScene) -> None:
    """Whatever had begun when it came is recorded once; what had not leaves nothing."""
    served, _ = await scene([on.answer("one two three")])
    for _ in range(20):
        call = served.stub.InvokeStream(STREAM)
        await asyncio.sleep(after_s)
        call.cancel()
    await served.settled()
    assert len(served.records) == served.rig.book.begun <= 20
    assert {record.status.value for record in served.records} <= {"ok", "cancelled"}
    assert [line for line, _ in served.rig.notes.lines if line != "planned"] == []


@pytest.mark.parametrize("timeout_s", [0.001, 0.003, 0.01, 0.05])
@pytest.mark.parametrize(
    "script", [[on.silence], [on.breaking(1, on.silence)]], ids=["silent", "silent-after-a-word"]
)  # fmt: skip
async def test_a_deadline_is_recorded_once(timeout_s: float, script: Sequence[Act], scene: MakeScene) -> None:
    served, _ = await scene(script, **UNHURRIED)
    for ask in (served.ask, served.listen):
        answer: Any = await ask(SMART, timeout_s=timeout_s)
        ending = answer[1] if isinstance(answer, tuple) else answer
        assert ending.code == "DEADLINE_EXCEEDED"
    await served.settled()
    assert len(served.records) == served.rig.book.begun <= 2
    assert {record.error_type for record in served.records} <= {"deadline_exceeded"}


async def test_the_default_deadline_is_told(scene: MakeScene) -> None:
    """A caller without a deadline has the sidecar's."""
    served, _ = await scene([on.silence], default_deadline_s=0.2, **UNHURRIED)
    ending = await served.ask(SMART, timeout_s=None)
    assert (ending.code, ending.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    assert "tried a/ma" in ending.message
    assert ending.error is not None
    assert ending.error.metering is not None
    assert ends(served) == [("cancelled", "deadline_exceeded")]


async def test_a_caller_that_does_not_read_holds_its_call_no_longer_than_its_deadline(
    scene: MakeScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invocation, "UNREAD_S", 0.05)
    served, (provider,) = await scene([flooding], default_deadline_s=0.3, **UNHURRIED)
    call = served.stub.InvokeStream(STREAM)
    await asyncio.to_thread(until, lambda: served.records, "it is ended and recorded", 10)
    assert ends(served) == [("cancelled", "deadline_exceeded")]
    await asyncio.to_thread(until, lambda: provider.hangups, "the provider's connection is free", 5)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        async for _ in call:
            pass
    assert failed.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await served.settled()


async def test_a_stopped_server_has_recorded_what_it_cancelled(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.silence], **UNHURRIED)
    asking = [asyncio.create_task(served.ask(SMART)) for _ in range(10)]
    await asyncio.to_thread(until, lambda: len(provider.hits) == 10, "all are at the provider", 10)
    await served.server.stop()
    await served.settled()
    assert ends(served) == [("cancelled", "cancelled")] * 10
    assert {ending.code for ending in await asyncio.gather(*asking)} <= {"UNAVAILABLE", "CANCELLED"}


async def test_a_closed_gate_lets_those_inside_finish(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.late(on.answer("whole"), 0.3)], **UNHURRIED)
    inside = asyncio.create_task(served.ask(SMART))
    await asyncio.to_thread(until, lambda: provider.hits, "it is at the provider", 5)
    served.gate.close()
    assert (await served.ask(SMART)).reason == "SHUTTING_DOWN"
    assert not inside.done()
    await served.gate.idle()
    assert (await inside).answer.chat.choices[0].message.text == "whole"
