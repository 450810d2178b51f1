"""Calls against limits: who is tried instead, who waits and for how long, and that every exit gives back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import CallRecord, CallStatus, StreamRecovery, Target
from sidecar.core.catalog import RateLimits, RetryPolicy
from sidecar.invoker import CallFailed, Outcome
from tests.invoker.conftest import MakeScene
from tests.support import hostile as on
from tests.support.hostile import Act, Exchange
from tests.support.rig import SCALE, Rig, chat

param = pytest.param
OK = (on.answer("hello there"),)
A = Target("a", "ma")
PATIENCE_S = 5.0 * SCALE
MINUTE_S = 60.0 * SCALE


def limit(rig: Rig, name: str = "a", **limits: Any) -> None:
    account, before = replace(rig.catalog.accounts[name], limits=RateLimits(**limits)), rig.catalog
    rig.catalog = replace(before, accounts={**before.accounts, name: account})
    rig.limits.follow(before, rig.catalog)


def use_up(rig: Rig, requests: int, tokens: int = 0) -> None:
    for _ in range(requests):
        rig.limits.take(rig.catalog.accounts["a"], A, lambda: tokens).release(None)


def in_flight(rig: Rig) -> dict[str, int]:
    return {shown.provider: shown.in_flight for shown in rig.limits.snapshot(rig.catalog.accounts.values())}


def told(record: CallRecord) -> tuple[str, list[str], str]:
    tried = "".join(attempt.target.provider for attempt in record.attempts)
    return tried, [f"{skip.target.provider}: {skip.detail}" for skip in record.skips], record.fallback_reason


def held(then: Act) -> tuple[Act, asyncio.Event]:
    """An act that answers when the event is set."""
    go = asyncio.Event()

    async def act(exchange: Exchange) -> None:
        await go.wait()
        await then(exchange)

    return act, go


@asynccontextmanager
async def under_way(rig: Rig, **asked: Any) -> AsyncIterator[asyncio.Task[Any]]:
    """A call that has its permit."""
    before = sum(in_flight(rig).values())
    task = asyncio.create_task(rig.ask(**asked))
    while sum(in_flight(rig).values()) == before:
        await asyncio.sleep(0.001)
    try:
        yield task
    finally:
        await task


async def test_what_does_not_fit_goes_to_the_next_target_at_once(scene: MakeScene) -> None:
    act, go = held(OK[0])
    rig, (_, b) = await scene([act], OK)
    limit(rig, max_concurrent=1)
    async with under_way(rig):
        second = await rig.ask()
        go.set()
    assert isinstance(second, Outcome)
    assert told(second.record) == ("b", ["a: 1 of 1 requests in flight"], "RATE_LIMITED")
    assert second.record.queued_ns == 0
    assert (len(b.hits), in_flight(rig)) == (1, {"a": 0, "b": 0})


async def test_where_there_is_no_other_it_waits_for_a_place(scene: MakeScene) -> None:
    act, go = held(OK[0])
    rig, _ = await scene([act, *OK])
    limit(rig, max_concurrent=1)
    async with under_way(rig):
        second = asyncio.create_task(rig.ask())
        await asyncio.sleep(0.02)
        go.set()
    found = await second
    assert isinstance(found, Outcome)
    assert told(found.record) == ("a", [], "")
    assert found.record.queued_ns >= 0.015e9
    assert found.record.overhead_ns < found.record.duration_ns - found.record.queued_ns


@pytest.mark.parametrize(
    ("deadline_in_s", "reason"),
    [
        param(20.0, "NO_PROVIDER_AVAILABLE", id="no-longer-than-a-retry-after-is-obeyed"),
        param(PATIENCE_S / 2, "DEADLINE_EXCEEDED", id="nor-than-the-caller"),
    ],
)
async def test_it_does_not_wait_for_ever(scene: MakeScene, deadline_in_s: float, reason: str) -> None:
    act, go = held(OK[0])
    rig, (a,) = await scene([act])
    limit(rig, max_concurrent=1)
    async with under_way(rig):
        second = await rig.ask(deadline_in_s=deadline_in_s)
        go.set()
    assert isinstance(second, CallFailed)
    assert second.refusal.reason == reason
    assert second.record.attempts == ()
    assert second.record.queued_ns <= 2 * PATIENCE_S * 1e9
    assert (len(a.hits), in_flight(rig)) == (1, {"a": 0})


async def test_what_is_missing_is_told(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    limit(rig, requests_per_minute=2)
    use_up(rig, 2)
    failed = await rig.ask()
    assert isinstance(failed, CallFailed)
    assert failed.refusal.message == "No available AI providers: a (its 2 requests a minute are used up)"
    assert failed.refusal.retry_after_s == pytest.approx(MINUTE_S / 2, rel=0.2)
    assert failed.record.status is CallStatus.REFUSED


async def test_a_short_wait_for_the_bucket_is_waited_out(scene: MakeScene) -> None:
    rig, _ = await scene(OK)
    limit(rig, requests_per_minute=60)
    began_ns = time.time_ns()
    use_up(rig, 60)
    found = await asyncio.gather(*(rig.ask() for _ in range(3)))
    assert all(isinstance(each, Outcome) for each in found)
    asked_s = sorted((each.record.attempts[0].started_ns - began_ns) / 1e9 for each in found)
    assert [at >= 0.9 * number * MINUTE_S / 60 for number, at in enumerate(asked_s, 1)] == [True] * 3, "one by one"


async def test_tokens_are_reserved_by_estimate_and_settled_by_report(scene: MakeScene) -> None:
    act, go = held(OK[0])
    rig, _ = await scene([act], time_scale=1.0)
    limit(rig, tokens_per_minute=100_000)

    def left() -> int:
        (shown,) = rig.limits.snapshot([rig.catalog.accounts["a"]])
        assert shown.tokens is not None
        return shown.tokens.remaining

    async with under_way(rig, bytes_in=40_000):
        assert left() == pytest.approx(100_000 - 10_000 - 256, abs=500), "in by its size, out as is usual"
        go.set()
    assert left() >= 100_000 - 50, "the provider has reported a few"


async def test_a_rate_limited_target_comes_back_if_all_others_fail(scene: MakeScene) -> None:
    act, go = held(OK[0])
    rig, (a, b) = await scene([act, *OK], [on.status(500)])
    limit(rig, max_concurrent=1)
    async with under_way(rig):
        second = asyncio.create_task(rig.ask())
        while not b.hits:
            await asyncio.sleep(0.001)
        go.set()
    found = await second
    assert isinstance(found, Outcome)
    assert told(found.record) == ("bba", ["a: 1 of 1 requests in flight"], "RATE_LIMITED")
    assert len(a.hits) == 2


async def test_a_limit_leads_nobody_to_the_next_target_after_a_failure_that_may_not(scene: MakeScene) -> None:
    act, go = held(on.status(500))
    rig, (_, b) = await scene([act, *OK], OK, retry=RetryPolicy(retry_failed=False))
    limit(rig, max_concurrent=1)
    async with under_way(rig) as first:
        rig.limits.take(rig.catalog.accounts["a"], A, lambda: 0)
        go.set()
    failed = first.result()
    assert isinstance(failed, CallFailed)
    assert (failed.refusal.reason, told(failed.record)[0], b.hits) == ("ALL_ATTEMPTS_FAILED", "a", [])


def telling(remaining: int, reset: str) -> Act:
    async def act(exchange: Exchange) -> None:
        body = exchange.tongue.whole(exchange.path, "hello", "told", on.USAGE)
        headers = {"limit": "60", "remaining": str(remaining), "reset": reset}
        await on.status(200, body, **{f"x_ratelimit_{name}_requests": text for name, text in headers.items()})(exchange)

    return act


async def test_what_the_provider_tells_moves_the_next_call_elsewhere(scene: MakeScene) -> None:
    rig, _ = await scene([telling(0, "60s")], OK)
    records = [(await rig.ask()).record for _ in range(2)]
    assert [told(record) for record in records] == [
        ("a", [], ""),
        ("b", ["a: 0 of 60 requests left there"], "RATE_LIMITED"),
    ]


async def test_but_refuses_nothing_where_there_is_no_other(scene: MakeScene) -> None:
    rig, (a,) = await scene([telling(0, "3600s")])
    records = [(await rig.ask()).record for _ in range(3)]
    assert [(told(record), record.status) for record in records] == [(("a", [], ""), CallStatus.OK)] * 3
    assert len(a.hits) == 3


async def test_a_short_wait_that_was_told_is_waited_out(scene: MakeScene) -> None:
    rig, _ = await scene([telling(0, "60s")])
    first, second = [(await rig.ask()).record.attempts[0].started_ns for _ in range(2)]
    assert second - first >= 0.9e9 * MINUTE_S / 60


ENDINGS: list[Any] = [
    param([on.answer()], id="answer"),
    param([on.status(400, {"error": {"message": "no"}})], id="refused"),
    param([on.status(503)], id="down"),
    param([on.status(429)], id="limited"),
    param([on.reset], id="reset"),
    param([on.silence], id="silent"),
    param([on.breaking(2, on.reset)], id="cut"),
    param([on.breaking(2, on.silence)], id="stalled"),
    param([on.status(200, b"<html>")], id="garbled"),
    param([], id="not-there"),
]


@pytest.mark.parametrize("script", ENDINGS)
@pytest.mark.parametrize("streamed", [False, True], ids=["unary", "streamed"])
async def test_every_ending_gives_back(scene: MakeScene, script: list[Act], streamed: bool) -> None:
    rig, _ = await scene(script)
    limit(rig, max_concurrent=1)
    for recovery in (StreamRecovery.ERROR, StreamRecovery.RESTART):
        if streamed:
            await rig.listen(stream_recovery=recovery)
        else:
            await rig.ask()
    assert in_flight(rig) == {"a": 0}


@pytest.mark.parametrize("after", ["waiting", "silent", "streaming"])
async def test_hanging_up_gives_back(scene: MakeScene, after: str) -> None:
    rig, (a,) = await scene([on.breaking(2, on.silence) if after == "streaming" else on.silence])
    limit(rig, max_concurrent=1)
    if after == "waiting":
        rig.limits.take(rig.catalog.accounts["a"], A, lambda: 0)
    task = asyncio.create_task(rig.listen() if after == "streaming" else rig.ask())
    await asyncio.sleep(0.03)
    while after != "waiting" and not a.hits:
        await asyncio.sleep(0.001)
    assert len(a.hits) == (after != "waiting")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert in_flight(rig) == {"a": 1 if after == "waiting" else 0}


async def test_a_stream_holds_its_place_until_it_ends(scene: MakeScene) -> None:
    rig, _ = await scene(OK, OK)
    limit(rig, max_concurrent=1)
    stream = rig.invoker.invoke_stream(chat(streamed=True))
    await anext(stream)
    assert in_flight(rig) == {"a": 1, "b": 0}
    second = await rig.ask()
    assert second.record.provider_of_record == "b"
    await stream.aclose()
    assert in_flight(rig) == {"a": 0, "b": 0}


async def test_two_hundred_calls_never_pass_the_limit(scene: MakeScene) -> None:
    most, flying = 0, 0

    async def busy(exchange: Exchange) -> None:
        nonlocal most, flying
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0.001)
        flying -= 1
        await OK[0](exchange)

    rig, _ = await scene([busy], OK)
    limit(rig, max_concurrent=7)
    found = await asyncio.gather(*(rig.ask() for _ in range(200)))
    assert all(isinstance(each, Outcome) for each in found)
    assert most <= 7
    assert in_flight(rig) == {"a": 0, "b": 0}


async def test_a_direct_call_waits_too(scene: MakeScene) -> None:
    act, go = held(OK[0])
    rig, _ = await scene([act, *OK], OK)
    limit(rig, max_concurrent=1)
    async with under_way(rig, alias="", target=A):
        second = asyncio.create_task(rig.ask(alias="", target=A))
        await asyncio.sleep(0.01)
        go.set()
    assert (await second).record.provider_of_record == "a"
