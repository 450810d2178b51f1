"""Every way out of a call leaves exactly one record."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.call import AttemptStatus, CallStatus, StreamRecovery, Target, UsageSource
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.invoker import CallFailed
from sidecar.journal import JournalFailed
from tests.invoker.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act, hostile
from tests.support.rig import SCALE, Rig, catalog_of, chat

param = pytest.param
OK = (on.answer("hello there"),)


async def test_refused_at_planning(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK)
    ending = await rig.ask(alias="", target=Target("nobody", "m"))
    assert isinstance(ending, CallFailed)
    assert ending.refusal.reason is RefusalReason.UNKNOWN_PROVIDER
    assert (rig.record.status, rig.record.error_type) == (CallStatus.REFUSED, "unknown_provider")
    assert not a.hits


async def test_refused_by_the_edge(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    failure = rig.invoker.refuse(chat(), Refusal("NOT_FOUND", RefusalReason.UNKNOWN_ALIAS, "no"))
    assert failure.record is rig.record
    assert (rig.record.status, rig.record.error_type, rig.record.grpc_status) == (
        "refused",
        "unknown_alias",
        "NOT_FOUND",
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
async def test_the_deadline_passes(scene: MakeScene, streamed: bool) -> None:
    rig, (a, b) = await scene([on.silence], OK)
    asked: dict[str, Any] = {"deadline_in_s": 0.15}
    ending = (await rig.listen(**asked))[1] if streamed else await rig.ask(**asked)
    assert isinstance(ending, CallFailed)
    assert (ending.refusal.grpc_status, ending.refusal.reason) == ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")
    record = rig.record
    assert (record.status, record.error_type) == (CallStatus.CANCELLED, "deadline_exceeded")
    assert [attempt.status for attempt in record.attempts] == [AttemptStatus.CANCELLED]
    assert (record.cost.amount_picodollars, record.cost_at_risk_picodollars, record.maybe_billed) == (0, 1000, True)
    assert record.duration_ns >= 0.15e9
    assert not b.hits
    await hung_up(a)


async def test_the_deadline_had_passed_already(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK)
    ending = await rig.ask(deadline_in_s=-1.0)
    assert isinstance(ending, CallFailed)
    assert ending.refusal.grpc_status == "DEADLINE_EXCEEDED"
    assert (rig.record.status, rig.record.attempts) == (CallStatus.CANCELLED, ())
    assert not a.hits


async def test_the_deadline_passes_in_mid_stream(scene: MakeScene) -> None:
    rig, _ = await scene([on.breaking(2, on.silence)])
    events, failure = await rig.listen(deadline_in_s=0.1)
    assert failure is not None
    assert failure.refusal.reason == "DEADLINE_EXCEEDED"
    assert len(events) == 3
    assert (rig.record.status, rig.record.usage_source) == (CallStatus.CANCELLED, UsageSource.ESTIMATED)


async def test_a_unary_caller_hangs_up(scene: MakeScene) -> None:
    """Sent, and no answer came: nothing is owed for sure, the bound is at risk."""
    rig, (a,) = await scene([on.silence])
    task = asyncio.create_task(rig.invoker.invoke(chat()))
    await until(lambda: a.hits)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    record = rig.record
    assert (record.status, record.error_type, record.grpc_status) == (CallStatus.CANCELLED, "cancelled", "CANCELLED")
    assert (record.usage_source, record.cost_at_risk_picodollars, record.maybe_billed) == (UsageSource.NONE, 1000, True)
    await hung_up(a)


HANG_UPS = ["close", "cancel", "drop"]


@pytest.mark.parametrize("way", HANG_UPS)
async def test_a_caller_hangs_up_in_mid_stream(scene: MakeScene, way: str) -> None:
    """Upstream is cancelled, what was received is billed by estimate."""
    rig, (a,) = await scene([on.breaking(3, on.silence)])
    await leave_after(rig.invoker.invoke_stream(chat(streamed=True)), events=3, way=way)
    await until(lambda: rig.book.records)
    record = rig.record
    assert (record.status, record.usage_source, record.provider_of_record) == ("cancelled", UsageSource.ESTIMATED, "a")
    assert record.usage.output is not None
    assert record.usage.output >= 1
    assert record.attempts[0].status is AttemptStatus.CANCELLED
    await hung_up(a)


async def test_a_caller_hangs_up_while_usage_is_known(scene: MakeScene) -> None:
    """Reported so far is better than estimated."""
    usage = (
        b'{"choices": [{"index": 0, "delta": {"content": "x"}}], "usage": {"prompt_tokens": 7, "completion_tokens": 1}}'
    )

    async def then(exchange: on.Exchange) -> None:
        await exchange.event(usage)
        await on.silence(exchange)

    rig, _ = await scene([on.breaking(0, then)])
    await leave_after(rig.invoker.invoke_stream(chat(streamed=True)), events=2, way="close")
    assert (rig.record.usage_source, rig.record.usage.input) == (UsageSource.REPORTED, 7)


async def test_a_caller_hangs_up_in_a_back_off(scene: MakeScene) -> None:
    rig, (a,) = await scene([on.status(503)])
    task = asyncio.create_task(rig.invoker.invoke(chat()))
    await until(lambda: rig.notes.lines[-1:] and rig.notes.lines[-1][0] == "after_fault")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (rig.record.status, len(rig.record.attempts), rig.record.maybe_billed) == ("cancelled", 1, False)
    assert len(a.hits) == 1


async def test_a_half_open_circuit_is_freed_by_a_hang_up(scene: MakeScene) -> None:
    rig, (a,) = await scene([*[on.status(503)] * 6, on.silence, *OK])
    for _ in range(3):
        await rig.ask()
    await asyncio.sleep(10.5 * SCALE)
    await rig.ask()  # the probe fails
    await asyncio.sleep(20.5 * SCALE)
    task = asyncio.create_task(rig.invoker.invoke(chat()))
    await until(lambda: len(a.hits) == 7)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await rig.ask()).record.attempts[0].circuit == "half_open"
    assert (await rig.ask()).record.attempts[0].circuit == "closed"


async def test_a_full_journal_refuses_before_money_is_spent(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK)
    rig.book.full = True
    with pytest.raises(Refusal) as told:
        await rig.invoker.invoke(chat())
    assert (told.value.grpc_status, told.value.reason) == ("RESOURCE_EXHAUSTED", "JOURNAL_FULL")
    assert "disk" in told.value.message
    assert "journal" in told.value.message
    assert (rig.book.records, rig.invoker.unrecorded, a.hits) == ([], 1, [])


async def test_a_journal_full_at_an_attempts_start(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK)
    rig.book.full_at_start = True
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert ending.refusal.reason == "JOURNAL_FULL"
    assert (rig.record.status, rig.record.attempts) == (CallStatus.REFUSED, ())
    assert not a.hits


async def test_no_reply_leaves_before_its_record_is_durable(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    rig.book.failing = JournalFailed("the disk is gone")
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert (ending.refusal.grpc_status, ending.refusal.reason) == ("INTERNAL", "JOURNAL_FAILED")


async def test_a_bug_in_a_codec_is_internal_and_recorded(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    rig.invoker._rooms.wires("openai")
    object.__setattr__(rig.invoker._rooms, "wires", _broken_wire)
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert (ending.refusal.grpc_status, ending.refusal.reason) == ("INTERNAL", "INTERNAL")
    assert (rig.record.status, rig.record.error_type) == (CallStatus.REFUSED, "internal")
    event, values = rig.notes.lines[-1]
    assert (event, values["error"]) == ("call_broke", "ZeroDivisionError")
    assert "canary" not in repr(rig.notes.lines), "what an exception says may be a payload"


def _broken_wire(name: str) -> Any:
    raise ZeroDivisionError("canary")


async def test_broken_prices_lose_no_record(scene: MakeScene) -> None:
    rig, _ = await scene(OK)

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    rig.tariff.cost = broken  # type: ignore[method-assign]
    await rig.ask()
    assert (rig.record.status, rig.record.cost.priced) == (CallStatus.OK, False)


async def test_the_start_of_each_attempt_tells_all_that_is_known(scene: MakeScene) -> None:
    rig, _ = await scene([on.status(429)], OK)
    await rig.ask()
    first, second = rig.book.starts
    assert [attempt.status for attempt in second.attempts] == [AttemptStatus.FAILED, AttemptStatus.OPEN]
    assert (first.status, second.status, second.fallback_reason) == ("open", "open", "RATE_LIMITED")
    assert (first.seq, second.seq, rig.record.seq) == (1, 1, 1)
    assert (first.server_span_id, first.invoke_span_id) == (rig.record.server_span_id, rig.record.invoke_span_id)
    assert rig.record.attempts[1].span_id == second.attempts[1].span_id != first.attempts[0].span_id


async def test_retries_at_one_endpoint_share_a_span(scene: MakeScene) -> None:
    rig, _ = await scene([on.status(503), *OK])
    await rig.ask()
    assert len({attempt.span_id for attempt in rig.record.attempts}) == 1


async def test_a_reload_does_not_touch_calls_in_flight(scene: MakeScene) -> None:
    rig, (a, b) = await scene([on.late(on.status(429), 0.05)], OK)
    task = asyncio.create_task(rig.ask())
    await until(lambda: a.hits)
    rig.catalog = replace(rig.catalog, accounts={}, aliases={})
    assert (await task).record.provider_of_record == "b"
    ending = await rig.ask()
    assert isinstance(ending, CallFailed)
    assert len(b.hits) == 1


ACTS: dict[str, Act] = {
    "ok": on.answer("a b c d"),
    "503": on.status(503),
    "429": on.status(429, retry_after="1"),
    "400": on.BAD_REQUEST,
    "reset": on.reset,
    "silence": on.silence,
    "cut": on.breaking(2, on.reset),
    "stall": on.breaking(1, on.silence),
    "malformed": on.malformed(),
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    scripts=st.lists(st.lists(st.sampled_from(sorted(ACTS)), min_size=1, max_size=3), min_size=1, max_size=3),
    asked=st.fixed_dictionaries({"streamed": st.booleans(), "stream_recovery": st.sampled_from(StreamRecovery)}),
    leave=st.none() | st.tuples(st.integers(1, 5), st.sampled_from(HANG_UPS)),
    deadline_in_s=st.sampled_from([0.0, 0.02, 0.1, 5.0]),
)
def test_one_record_whatever_happens(
    scripts: list[list[str]], asked: dict[str, Any], leave: tuple[int, str] | None, deadline_in_s: float
) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            servers = [await stack.enter_async_context(hostile(*[ACTS[name] for name in script])) for script in scripts]
            rig = Rig(catalog_of([server.base_url for server in servers], time_scale=0.003))
            stack.push_async_callback(rig.transport.close)
            if leave is not None and asked["streamed"]:
                call = chat(deadline_in_s, **asked)
                await leave_after(rig.invoker.invoke_stream(call), events=leave[0], way=leave[1])
            elif asked["streamed"]:
                await rig.listen(deadline_in_s=deadline_in_s, **asked)
            else:
                await rig.ask(deadline_in_s=deadline_in_s, **asked)
        record = rig.record
        assert record.status not in (CallStatus.OPEN, CallStatus.ABANDONED)
        assert len(record.attempts) <= 4
        assert len(record.attempts) >= sum(len(server.hits) for server in servers)
        assert [attempt.number for attempt in record.attempts] == list(range(1, len(record.attempts) + 1))
        assert all(attempt.status is not AttemptStatus.OPEN for attempt in record.attempts)
        whole = record.attempts[-1:] != () and record.attempts[-1].status is AttemptStatus.OK
        assert whole or record.status is not CallStatus.OK
        assert not whole or record.status is CallStatus.OK or leave is not None, "left while a held answer went out"
        assert record.overhead_ns + record.provider_ns <= record.duration_ns

    with asyncio.Runner() as runner:
        runner.run(run())


async def leave_after(stream: AsyncGenerator[Any, None], *, events: int, way: str) -> None:
    """Takes so many events and then closes the stream, cancels its task, or just forgets it."""
    taken = asyncio.Event()

    async def take(from_: AsyncGenerator[Any, None]) -> None:
        for _ in range(events):
            await anext(from_, None)
        taken.set()
        if way == "cancel":
            await anext(from_, None)

    task = asyncio.create_task(take(stream))
    waiting = asyncio.create_task(taken.wait())
    await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.01)
    for each in (task, waiting):
        each.cancel()
    await asyncio.gather(task, waiting, return_exceptions=True)
    if way != "drop":
        await stream.aclose()
    del stream, task
    gc.collect()
    await asyncio.sleep(0.01)


async def until(holds: Any) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.002)


async def hung_up(provider: on.Hostile) -> None:
    """Its caller has closed the connection."""
    await until(lambda: not provider.playing)
