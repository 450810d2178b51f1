"""Streams that break after their first content, and streams that end oddly and well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sidecar.core.call import (
    AttemptStatus,
    CallStatus,
    Operation,
    RequestParameters,
    StreamRecovery,
    Target,
    Timeouts,
    UsageSource,
)
from sidecar.core.catalog import RetryPolicy
from sidecar.invoker import Outcome, StreamRestarted, StreamStarted
from taximeter.v1 import payload_pb2
from tests.invoker.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act
from tests.support.rig import SCALE, chat, kinds, text_of

param = pytest.param
OK = (on.answer("hello there"),)


async def error_event(exchange: on.Exchange) -> None:
    await exchange.event(b'{"error": {"message": "overloaded", "code": 503}}')


async def limit_event(exchange: on.Exchange) -> None:
    await exchange.event(b'{"error": {"message": "slow down", "code": 429}}')


BREAKS = [
    param(on.reset, "STALL", "stream_cut", id="cut"),
    param(on.quiet_end, "STALL", "stream_cut", id="ended-without-terminal-event"),
    param(on.silence, "STALL", "stream_stalled", id="stalled"),
    param(on.comments, "STALL", "stream_stalled", id="only-comments"),
    param(error_event, "PROVIDER_ERROR", "server_error", id="error-event"),
    param(limit_event, "RATE_LIMITED", "rate_limited", id="mid-stream-429"),
]
breaks = pytest.mark.parametrize(("then", "reason", "error"), BREAKS)


@breaks
async def test_error_is_the_default(scene: MakeScene, then: Act, reason: str, error: str) -> None:
    """Never a truncated answer as success: an error status, with what was metered."""
    rig, (a, b) = await scene([on.breaking(3, then)], OK)
    events, failure = await rig.listen()
    assert failure is not None
    assert (failure.refusal.grpc_status, failure.refusal.reason) == ("UNAVAILABLE", "STREAM_BROKEN")
    assert kinds(events) == ["StreamStarted", "Delta", "Delta", "Delta"]
    record = rig.record
    assert (record.status, record.error_type, record.fallback_used) == (CallStatus.ERROR, error, False)
    assert (record.usage_source, record.cost.priced, record.provider_of_record) == (UsageSource.ESTIMATED, True, "a")
    assert record.cost.amount_picodollars == 10 + 2 * 2, "40 bytes in, 6 bytes out, 4 to a token"
    assert (len(a.hits), len(b.hits)) == (1, 0)


@breaks
async def test_restart(scene: MakeScene, then: Act, reason: str, error: str) -> None:
    """The next target begins anew behind a typed event; both are billed."""
    rig, _ = await scene([on.breaking(3, then)], OK)
    events, failure = await rig.listen(stream_recovery=StreamRecovery.RESTART)
    assert failure is None
    assert kinds(events) == ["StreamStarted", *["Delta"] * 3, "StreamRestarted", *["Delta"] * 2, "Outcome"]
    restarted = events[4]
    assert isinstance(restarted, StreamRestarted)
    assert (restarted.from_, restarted.to, restarted.reason) == (Target("a", "ma"), Target("b", "mb"), reason)
    record = rig.record
    assert (record.status, record.provider_of_record, record.fallback_reason) == (CallStatus.OK, "b", reason)
    assert [attempt.error_type for attempt in record.attempts] == [error, ""]
    assert [attempt.usage_source for attempt in record.attempts] == [UsageSource.ESTIMATED, UsageSource.REPORTED]
    assert record.cost.amount_picodollars == (10 + 2 * 2) + (10 + 2 * 5)
    assert (record.usage.input, record.usage.output, record.usage_source) == (20, 7, UsageSource.ESTIMATED)


@breaks
async def test_buffer(scene: MakeScene, then: Act, reason: str, error: str) -> None:
    """Content is held back until it is whole, so the next target takes over unseen."""
    rig, _ = await scene([on.breaking(3, then)], OK)
    events, failure = await rig.listen(stream_recovery=StreamRecovery.BUFFER)
    assert failure is None
    assert kinds(events) == ["StreamStarted", "Delta", "Delta", "Outcome"]
    assert events[0] == StreamStarted(Target("b", "mb"))
    assert text_of(events) == "hellothere"
    assert (rig.record.fallback_reason, rig.record.provider_of_record) == (reason, "b")


@pytest.mark.parametrize("recovery", [StreamRecovery.RESTART, StreamRecovery.BUFFER])
async def test_nobody_left_to_take_over(scene: MakeScene, recovery: StreamRecovery) -> None:
    rig, _ = await scene([on.breaking(2, on.reset)], [on.breaking(1, on.reset)])
    events, failure = await rig.listen(stream_recovery=recovery)
    assert failure is not None
    assert failure.refusal.grpc_status == "UNAVAILABLE"
    assert [event for event in events if isinstance(event, Outcome)] == []
    assert [attempt.status for attempt in rig.record.attempts] == [AttemptStatus.FAILED] * 2
    assert len(rig.record.attempts) == 2


async def test_restart_past_a_target_that_gives_nothing(scene: MakeScene) -> None:
    """One event for the caller, from the one whose content it has to the one that goes on."""
    rig, _ = await scene([on.breaking(1, on.reset)], [on.NO_MODEL], OK)
    events, _ = await rig.listen(stream_recovery=StreamRecovery.RESTART)
    (restarted,) = [event for event in events if isinstance(event, StreamRestarted)]
    assert (restarted.from_.provider, restarted.to.provider) == ("a", "c")
    assert rig.record.fallback_reason == "STALL", "the first reason"


async def test_recovery_of_the_alias(scene: MakeScene) -> None:
    rig, _ = await scene([on.breaking(1, on.reset)], OK, alias={"stream_recovery": StreamRecovery.BUFFER})
    events, failure = await rig.listen()
    assert failure is None
    assert text_of(events) == "hellothere"


@pytest.mark.parametrize("recovery", StreamRecovery)
@pytest.mark.parametrize(
    "script",
    [
        param([on.answer(end=b"")], id="no-DONE"),
        param([on.answer(end=b"", hold=True)], id="no-DONE-and-the-connection-stays-open"),
        param([on.answer(end=b"", usage=None, hold=True)], id="no-DONE-no-usage-and-stays-open"),
        param([on.answer(hold=True)], id="DONE-and-the-connection-stays-open"),
        param([on.malformed("hel")], id="an-unreadable-event-in-between"),
    ],
)
async def test_odd_and_whole(scene: MakeScene, script: Sequence[Act], recovery: StreamRecovery) -> None:
    """Success, at once: no stall is waited for."""
    rig, _ = await scene(script, OK)
    events, failure = await rig.listen(stream_recovery=recovery, timeouts=Timeouts(stall_s=5.0 / SCALE))
    assert failure is None
    assert kinds(events)[-1] == "Outcome"
    assert rig.record.status is CallStatus.OK
    assert len(rig.record.attempts) == 1
    assert rig.record.duration_ns < 4.5e9, "a stall is 5 s here"


async def test_unreadable_events_are_counted(scene: MakeScene) -> None:
    rig, _ = await scene([on.malformed("hello")])
    events, _ = await rig.listen()
    assert text_of(events) == "hello again"
    assert rig.record.attempts[0].malformed_events == 1


async def test_finish_reasons_and_times(scene: MakeScene) -> None:
    rig, _ = await scene([on.late(on.answer("hello there"), 0.05)])
    events, _ = await rig.listen()
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert [(choice.index, choice.finish_reason) for choice in outcome.finishes] == [(0, "stop")]
    record, attempt = outcome.record, outcome.record.attempts[0]
    assert outcome.payload is None
    assert (attempt.chunks, attempt.finish_reasons, record.bytes_out) == (2, ("stop",), len("hellothere"))
    assert record.first_token_ns is not None
    assert attempt.first_token_ns is not None
    assert attempt.first_token_ns - attempt.started_ns >= 50_000_000
    assert record.started_ns <= attempt.started_ns < attempt.first_token_ns <= record.first_token_ns <= record.ended_ns
    assert 50_000_000 <= record.provider_ns <= record.duration_ns
    assert rig.health.snapshot()[0].p50_first_token_s is not None


async def test_a_stream_larger_than_the_limit(scene: MakeScene) -> None:
    words = on.breaking(2000, on.quiet_end)
    rig, _ = await scene([words], OK, max_answer_bytes=20_000)
    events, failure = await rig.listen(stream_recovery=StreamRecovery.BUFFER)
    assert failure is None
    assert (rig.record.fallback_reason, text_of(events)) == ("GARBLED", "hellothere")
    assert rig.record.attempts[0].bytes_received <= 20_000


async def test_a_slow_caller_is_no_silent_provider(scene: MakeScene) -> None:
    """While the caller holds the stream no time-out runs: 3 words, a pause longer than a stall before each."""
    rig, _ = await scene([on.answer("one two three")])
    words = []
    async for event in rig.invoker.invoke_stream(chat(streamed=True, timeouts=Timeouts(stall_s=0.15 / SCALE))):
        await asyncio.sleep(0.2)
        words.append(type(event).__name__)
    assert words == ["StreamStarted", "Delta", "Delta", "Delta", "Outcome"]


async def test_an_operation_that_does_not_come_in_parts(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    asked = payload_pb2.EmbeddingRequest(inputs=["hello"])
    events, failure = await rig.listen(operation=Operation.EMBEDDING, payload=asked, alias="", target=Target("a", "m"))
    assert failure is None
    assert kinds(events) == ["StreamStarted", "Outcome"]
    outcome = events[-1]
    assert isinstance(outcome, Outcome)
    assert list(outcome.payload.embeddings[0].values) == [0.5, 0.25]


async def test_attempts_are_bounded_with_restarts_too(scene: MakeScene) -> None:
    scripts = [[on.breaking(1, on.reset)] for _ in range(4)]
    rig, _ = await scene(*scripts, retry=RetryPolicy(max_retries=2))
    await rig.listen(stream_recovery=StreamRecovery.RESTART)
    assert len(rig.record.attempts) == 3


FIRST_CHOICE = (
    b'{"choices": [{"index": 0, "delta": {"content": "one"}}]}',
    b'{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}',
)
SECOND_CHOICE = (b'{"choices": [{"index": 1, "delta": {"content": "two"}, "finish_reason": "stop"}]}',)


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        param(FIRST_CHOICE, False, id="the-second-never-began"),
        param((*FIRST_CHOICE, *SECOND_CHOICE), True, id="both"),
        param((*FIRST_CHOICE, b"[DONE]"), True, id="a-server-that-gives-one-and-says-so"),
    ],
)
async def test_choices_that_come_one_after_the_other(scene: MakeScene, data: Sequence[bytes], whole: bool) -> None:
    """The first one's end is not the stream's, if two were asked for."""
    rig, _ = await scene([on.events(*data)])
    _, failure = await rig.listen(parameters=RequestParameters(choice_count=2))
    assert (failure is None) is whole
