"""Repeats of a request_id over the wire: one provider request, one row, whoever asks and whenever."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from sidecar.core.catalog import RetryPolicy
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from tests.edge.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act, Exchange
from tests.support.served import Ending, Served
from tests.support.stack import until

UNHURRIED = {"time_scale": 1.0}
ONCE = RetryPolicy(max_retries=0)


def spec(request_id: str = "", prompt: str = "hello", **fields: Any) -> pb.CallSpec:
    return pb.CallSpec(
        alias="smart", chat=payload.ChatRequest(prompt=prompt), request_id=request_id or str(uuid.uuid4()), **fields
    )


class Gated:
    """Answers once it is let."""

    def __init__(self, *acts: Act) -> None:
        self.open = asyncio.Event()
        self._act = acts[0] if acts else on.answer("so be it")

    async def __call__(self, exchange: Exchange) -> None:
        await self.open.wait()
        await self._act(exchange)


class Pausing:
    """A word, then nothing until it is let, then another and the end."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        tongue = exchange.tongue
        await exchange.begin("told")
        await exchange.say("one ")
        await self.open.wait()
        await exchange.say("two")
        for event in tongue.closing("told", on.USAGE, b"[DONE]"):
            await exchange.piece(event)
        await on.quiet_end(exchange)


async def settled(served: Served) -> list[tuple[str, str]]:
    await served.settled()
    return [(record.status.value, record.error_type) for record in served.records]


async def waited_for(true: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(until, true, what, 10)


def text(events: list[Any]) -> str:
    return "".join(event.delta.text for event in events)


async def test_ten_at_once_are_one_call(scene: MakeScene) -> None:
    act = Gated()
    served, (provider,) = await scene([act], **UNHURRIED)
    asked = spec()
    asking = [asyncio.create_task(served.ask(asked)) for _ in range(10)]
    await waited_for(lambda: served.gate.replayed == 9, "nine have joined the first")
    act.open.set()
    answers = [(await ending).answer for ending in asking]
    assert len(provider.hits) == 1
    assert await settled(served) == [("ok", "")]
    assert {answer.chat.choices[0].message.text for answer in answers} == {"so be it"}
    assert {answer.metering.call_id for answer in answers} == {served.records[0].call_id}
    assert sorted(answer.metering.replayed for answer in answers) == [False] + [True] * 9


async def test_ten_streams_at_once_are_one_call(scene: MakeScene) -> None:
    act = Pausing()
    served, (provider,) = await scene([act], **UNHURRIED)
    asked = spec()
    asking = [asyncio.create_task(served.listen(asked)) for _ in range(10)]
    await waited_for(lambda: served.gate.replayed == 9, "nine have joined the first")
    act.open.set()
    heard = [await each for each in asking]
    assert len(provider.hits) == 1
    assert await settled(served) == [("ok", "")]
    assert {text(events) for events, _ in heard} == {"one two"}
    assert {ending.code for _, ending in heard} == {"OK"}
    assert sorted(events[-1].finished.metering.replayed for events, _ in heard) == [False] + [True] * 9
    assert {events[0].started.call_id for events, _ in heard} == {served.records[0].call_id}


async def test_one_that_joins_late_is_given_what_came_before(scene: MakeScene) -> None:
    act = Pausing()
    served, _ = await scene([act], **UNHURRIED)
    asked = spec()
    first = served.stub.InvokeStream(pb.InvokeStreamRequest(call=asked))
    async for event in first:
        if event.HasField("delta"):
            break
    second = asyncio.create_task(served.listen(asked))
    await waited_for(lambda: served.gate.replayed == 1, "it has joined")
    act.open.set()
    events, ending = await second
    assert (text(events), ending.code) == ("one two", "OK")
    async for _ in first:
        pass
    assert await settled(served) == [("ok", "")]


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
async def test_a_first_caller_that_hangs_up_does_not_end_it_for_the_second(streamed: bool, scene: MakeScene) -> None:
    act = Gated()
    served, (provider,) = await scene([act], **UNHURRIED)
    asked = spec()
    stub, request = (
        (served.stub.InvokeStream, pb.InvokeStreamRequest(call=asked))
        if streamed
        else (served.stub.Invoke, pb.InvokeRequest(call=asked))
    )
    first = stub(request)
    await waited_for(lambda: provider.hits, "the provider is asked")
    second = asyncio.create_task(served.listen(asked) if streamed else served.ask(asked))
    await waited_for(lambda: served.gate.replayed == 1, "the second has joined")
    first.cancel()
    await waited_for(lambda: served.gate.in_flight == 1, "the first has left")
    act.open.set()
    got: Any = await second
    ending: Ending = got[1] if streamed else got
    assert ending.code == "OK"
    assert len(provider.hits) == 1
    assert await settled(served) == [("ok", "")]


@pytest.mark.parametrize("waiters", [1, 3])
async def test_when_all_hang_up_the_provider_is_told_and_one_row_is_left(waiters: int, scene: MakeScene) -> None:
    served, (provider,) = await scene([on.silence], **UNHURRIED)
    asked = pb.InvokeRequest(call=spec())
    calls = [served.stub.Invoke(asked) for _ in range(waiters)]
    await waited_for(lambda: provider.hits and served.gate.in_flight == waiters, "all wait")
    for call in calls:
        call.cancel()
    assert await settled(served) == [("cancelled", "cancelled")]
    await waited_for(lambda: provider.hangups == 1, "the provider sees it")
    again = await served.ask(asked.call)
    assert (again.code, again.reason) == ("ALREADY_EXISTS", "REQUEST_ALREADY_SERVED")
    assert "may have" in again.message
    assert again.error is not None
    assert again.error.call_id == served.records[0].call_id
    assert len(provider.hits) == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
async def test_an_answer_is_given_again_while_it_is_held(streamed: bool, scene: MakeScene) -> None:
    served, (provider,) = await scene([on.answer("one two three")])
    asked = spec()
    said: list[Any] = []
    for _ in range(3):
        got: Any = await (served.listen(asked) if streamed else served.ask(asked))
        said.append(got[0][-1].finished if streamed else got.answer)
        assert not streamed or text(got[0]) == "onetwothree"
    assert [one.metering.replayed for one in said] == [False, True, True]
    for one in said:
        one.metering.ClearField("replayed")
    assert said[0] == said[1] == said[2]
    assert len(provider.hits) == 1
    assert await settled(served) == [("ok", "")]
    assert served.gate.replayed == 2


@pytest.mark.parametrize(
    "edge",
    [pytest.param({"replay_bytes": 0}, id="no-memory"), pytest.param({"replay_s": 0.0}, id="no-time")],
)
async def test_what_is_not_held_any_more_was_served(edge: dict[str, Any], scene: MakeScene) -> None:
    served, (provider,) = await scene([on.answer("so be it")], edge=edge)
    asked = spec()
    assert (await served.ask(asked)).code == "OK"
    again = await served.ask(asked)
    assert (again.code, again.reason) == ("ALREADY_EXISTS", "REQUEST_ALREADY_SERVED")
    assert again.error is not None
    assert again.error.call_id == served.records[0].call_id
    assert len(provider.hits) == len(served.records) == 1


async def test_an_answer_too_large_to_be_held_is_told_by_what_it_came_to(scene: MakeScene) -> None:
    served, _ = await scene([on.answer("w " * 5000)], edge={"replay_bytes": 16_000})
    asked = spec()
    first = await served.ask(asked)
    again = await served.ask(asked)
    assert again.reason == "REQUEST_ALREADY_SERVED"
    assert again.error is not None
    assert again.error.metering is not None
    assert again.error.metering.replayed
    assert again.error.metering.cost == first.answer.metering.cost


async def test_a_stream_too_large_to_be_recorded_is_whole_for_its_caller(scene: MakeScene) -> None:
    act = Pausing()
    served, _ = await scene([act], edge={"replay_bytes": 200}, **UNHURRIED)
    asked = spec()
    first = served.stub.InvokeStream(pb.InvokeStreamRequest(call=asked))
    heard = []
    async for event in first:
        heard.append(event)
        if event.HasField("delta"):
            break
    _, late = await served.listen(asked)
    assert (late.code, late.reason) == ("ALREADY_EXISTS", "REQUEST_ALREADY_SERVED")
    act.open.set()
    heard.extend([event async for event in first])
    assert text(heard) == "one two"
    assert await settled(served) == [("ok", "")]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        pytest.param(on.status(400), "INVALID_ARGUMENT", id="refused-by-the-provider"),
        pytest.param(on.status(429, retry_after="60"), "UNAVAILABLE", id="rate-limited"),
        pytest.param(on.status(500), "UNAVAILABLE", id="broken-at-the-provider"),
    ],
)
async def test_what_failed_for_nothing_may_be_sent_again(act: Act, code: str, scene: MakeScene) -> None:
    served, (provider,) = await scene([act], retry=ONCE)
    asked = spec()
    assert [(await served.ask(asked)).code for _ in range(2)] == [code, code]
    assert len(served.records) == 2
    assert served.gate.replayed == 0
    assert len(provider.hits) <= 2


async def test_what_may_have_been_billed_is_not_sent_again(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.reset], retry=ONCE)
    asked = spec()
    first, second = await served.ask(asked), await served.ask(asked)
    assert (first.code, first.message) == (second.code, second.message)
    assert second.error is not None
    assert second.error.metering is not None
    assert second.error.metering.replayed
    assert len(provider.hits) == len(served.records) == 1


async def test_a_stream_that_broke_off_breaks_off_again(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.breaking(2, on.reset)], retry=ONCE)
    asked = spec()
    (first, _), (second, ending) = await served.listen(asked), await served.listen(asked)
    assert text(first)
    assert first == second
    assert (ending.reason, len(provider.hits), len(served.records)) == ("STREAM_BROKEN", 1, 1)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"prompt": "goodbye"}, id="payload"),
        pytest.param({"preferred_provider": "b"}, id="routing"),
        pytest.param({"conversation_id": "c"}, id="conversation"),
    ],
)
async def test_the_id_of_another_request_is_refused_with_a_row(changes: dict[str, Any], scene: MakeScene) -> None:
    served, (provider,) = await scene([on.answer("so be it")])
    asked = spec()
    await served.ask(asked)
    other = await served.ask(spec(asked.request_id, **changes))
    assert (other.code, other.reason) == ("FAILED_PRECONDITION", "IDEMPOTENCY_KEY_REUSED")
    assert served.records[0].call_id in other.message
    assert await settled(served) == [("ok", ""), ("refused", "idempotency_key_reused")]
    assert len(provider.hits) == 1
    assert (await served.ask(asked)).code == "OK"


async def test_streamed_and_unary_are_two_requests(scene: MakeScene) -> None:
    served, _ = await scene([on.answer("so be it")])
    asked = spec()
    await served.ask(asked)
    _, other = await served.listen(asked)
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_an_id_in_flight_stands_for_its_request_too(scene: MakeScene) -> None:
    act = Gated()
    served, (provider,) = await scene([act], **UNHURRIED)
    asked = spec()
    first = asyncio.create_task(served.ask(asked))
    await waited_for(lambda: provider.hits, "the provider is asked")
    assert (await served.ask(spec(asked.request_id, "goodbye"))).reason == "IDEMPOTENCY_KEY_REUSED"
    act.open.set()
    assert (await first).code == "OK"


async def test_an_id_in_capitals_is_the_same(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.answer("so be it")])
    asked = spec()
    await served.ask(asked)
    asked.request_id = asked.request_id.upper()
    assert (await served.ask(asked)).answer.metering.replayed
    assert len(provider.hits) == 1


async def test_calls_without_an_id_are_made_each_time(scene: MakeScene) -> None:
    served, (provider,) = await scene([on.answer("so be it")])
    asked = pb.CallSpec(alias="smart", chat=payload.ChatRequest(prompt="hello"))
    for _ in range(3):
        assert (await served.ask(asked)).code == "OK"
    assert (len(provider.hits), len(served.records), served.gate.replayed) == (3, 3, 0)
    assert len(served.requests) == 0


async def test_the_first_callers_deadline_ends_it_for_all(scene: MakeScene) -> None:
    served, _ = await scene([on.silence], **UNHURRIED)
    asked = spec()
    first = asyncio.create_task(served.ask(asked, timeout_s=0.4))
    await waited_for(lambda: served.gate.in_flight == 1, "the first is in")
    second = await served.ask(asked, timeout_s=10)
    assert second.code == "DEADLINE_EXCEEDED"
    assert (await first).code == "DEADLINE_EXCEEDED"
    assert await settled(served) == [("cancelled", "deadline_exceeded")]
