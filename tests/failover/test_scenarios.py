"""Scenarios of more than one call, and what settings and callers change, through real gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from decimal import Decimal
from typing import Any

import grpc
import pytest

from sidecar.core.catalog import Key, RetryPolicy
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2 as payload
from tests.failover.flapping import DOWN_S
from tests.failover.play import Played
from tests.failover.table import Mode
from tests.support import hostile as on
from tests.support.hostile import Act, Hostile, hostile
from tests.support.rig import SCALE, catalog_of
from tests.support.served import Ending, Served, served

param = pytest.param
GOOD, DOWN = on.answer("hello there"), on.status(503)
Scene = tuple[Served, list[Hostile]]
MakeScene = Callable[..., Awaitable[Scene]]
every_mode = pytest.mark.parametrize("mode", Mode)
whole_table = pytest.mark.xdist_group("failover")


@pytest.fixture
async def scene() -> AsyncIterator[MakeScene]:
    """`await scene(script of a, script of b, ...)` -> what serves, and its providers."""
    async with AsyncExitStack() as stack:

        async def make(*scripts: Sequence[Act], **values: Any) -> Scene:
            providers = [await stack.enter_async_context(hostile(*script)) for script in scripts]
            catalog = catalog_of([provider.base_url for provider in providers], **values)
            return await stack.enter_async_context(served(catalog)), providers

        yield make


def spec_of(mode: Mode) -> pb.CallSpec:
    spec = pb.CallSpec(alias="smart", chat=payload.ChatRequest(prompt="hello"))
    if mode.streamed:
        spec.stream_recovery = pb.StreamRecovery.Value(mode.recovery)
    return spec


async def ask(here: Served, mode: Mode, timeout_s: float = 20) -> Ending:
    if mode.streamed:
        return (await here.listen(spec_of(mode), timeout_s=timeout_s))[1]
    return await here.ask(spec_of(mode), timeout_s=timeout_s)


def tried(here: Served) -> str:
    """Of the last call."""
    return "".join(attempt.target.provider for attempt in here.records[-1].attempts)


@whole_table
@every_mode
class TestAPrimaryThatFlaps:
    def test_every_call_is_served(self, mode: Mode, played: Played) -> None:
        assert [ride for ride in played.flaps[mode].rides if not ride.served_by] == []

    def test_by_the_fallback_while_it_is_down(self, mode: Mode, played: Played) -> None:
        flap = played.flaps[mode]
        assert {ride.served_by for ride in flap.rides if ride.ended_s < DOWN_S} == {flap.accounts[1]}

    def test_it_is_probed_and_not_hammered_meanwhile(self, mode: Mode, played: Played) -> None:
        """Five failures open its circuit, calls that were under way add a few; then one call after 10 s, 20 s, 25 s."""
        assert 5 <= played.flaps[mode].asked_while_down <= 12

    def test_it_is_back_within_30_s(self, mode: Mode, played: Played) -> None:
        flap = played.flaps[mode]
        assert DOWN_S <= flap.back_at_s <= DOWN_S + 30
        assert {ride.served_by for ride in flap.rides if ride.at_s > DOWN_S + 30} == {flap.accounts[0]}


@whole_table
@every_mode
def test_failover_accounting(mode: Mode, played: Played) -> None:
    """The model and usage reported are the fallback's, at its price; rejected attempts cost nothing."""
    seen = played.seen[f"accounting/{mode}/one fallback"]
    told, row = seen.metering, seen.row
    assert (told.provider, told.model_requested) == (seen.case.accounts[1], "gpt-4o-mini")
    assert (told.model_reported, row["model_reported"]) == ("gpt-4o-mini-2024-07-18",) * 2
    assert (told.usage.input_tokens, told.usage.output_tokens) == (1000, 5)
    assert (row["input_tokens"], row["output_tokens"]) == (1000, 5)
    first, second, third = told.attempts
    assert [first.cost.amount_picodollars, second.cost.amount_picodollars] == [0, 0]
    assert told.cost.amount_picodollars == third.cost.amount_picodollars == 1000 * 150_000 + 5 * 600_000
    assert (told.cost.price_source, row["price_source"]) == ("genai-prices",) * 2
    assert row["cost_usd"] == Decimal("0.000153")


@whole_table
@every_mode
def test_a_fallbacks_own_400_hides_nothing(mode: Mode, played: Played) -> None:
    seen = played.seen[f"503, and the fallback refuses the request itself/{mode}/one fallback"]
    assert seen.error is not None
    lines = seen.error.message.split("\n")
    a, b = (f"{name}/{model}" for name, model in zip(seen.case.accounts, seen.case.scenario.models, strict=True))
    assert lines[1:3] == [f"{a}: server error (HTTP 503): status 503"] * 2
    assert lines[3].startswith(f"Fallback provider failed: {b}: invalid request (HTTP 400): canary")


@every_mode
async def test_a_second_key(mode: Mode, scene: MakeScene) -> None:
    """401 puts the key aside, not the provider: no fallback is needed, and the next call begins with the good key."""
    here, (a, b) = await scene([on.UNAUTHORIZED, GOOD], [GOOD])
    keys = Key("k1", "sk-the-first-one"), Key("k2", "sk-the-second-one")
    known = here.rig.catalog.accounts
    here.rig.catalog = replace(here.rig.catalog, accounts={**known, "a": replace(known["a"], keys=keys)})
    for _ in range(2):
        assert (await ask(here, mode)).code == "OK"
    assert a.keys == ["sk-the-first-one", "sk-the-second-one", "sk-the-second-one"]
    assert [record.key_id for record in here.records] == ["k2", "k2"]
    assert not b.hits


@every_mode
async def test_retry_failed_false_asks_no_other_target(mode: Mode, scene: MakeScene) -> None:
    here, (a, b) = await scene([DOWN], [GOOD], retry=RetryPolicy(retry_failed=False))
    assert (await ask(here, mode)).reason == "ALL_ATTEMPTS_FAILED"
    assert (len(a.hits), len(b.hits)) == (2, 0)


@every_mode
@pytest.mark.parametrize(("max_retries", "order"), [(0, "a"), (1, "ab"), (2, "aab"), (3, "aabb"), (9, "aabb")])
async def test_at_most_one_and_max_retries_attempts(mode: Mode, max_retries: int, order: str, scene: MakeScene) -> None:
    """Another target goes before another try."""
    here, _ = await scene([DOWN], [DOWN], retry=RetryPolicy(max_retries))
    assert (await ask(here, mode)).reason == "ALL_ATTEMPTS_FAILED"
    assert tried(here) == order


@every_mode
async def test_a_restart_counts_as_a_retry(mode: Mode, scene: MakeScene) -> None:
    """Attempts are bounded however they end."""
    cut = on.breaking(2, on.reset)
    here, providers = await scene([cut], [cut], [cut], [GOOD], retry=RetryPolicy(2))
    assert (await ask(here, mode)).code == "UNAVAILABLE"
    assert sum(len(provider.hits) for provider in providers) == (1 if mode is Mode.ERROR else 3)


@every_mode
@pytest.mark.parametrize(
    "script", [param([on.silence], id="silent"), param([on.breaking(2, on.silence)], id="silent-after-two-words")]
)
async def test_the_callers_deadline(mode: Mode, script: list[Act], scene: MakeScene) -> None:
    """Ends the call at once, at the provider too; nobody else is asked."""
    here, (a, b) = await scene(script, [GOOD])
    ending = await ask(here, mode, timeout_s=0.15)
    assert ending.code == "DEADLINE_EXCEEDED"
    await here.settled()
    (record,) = here.records
    assert (record.status, record.error_type, tried(here)) == ("cancelled", "deadline_exceeded", "a")
    assert record.maybe_billed or record.cost.amount_picodollars
    await _sees_the_hang_up(a)
    assert not b.hits


@every_mode
async def test_the_callers_cancel(mode: Mode, scene: MakeScene) -> None:
    here, (a, b) = await scene([on.breaking(2, on.silence)], [GOOD])
    if mode.streamed:
        call: Any = here.stub.InvokeStream(pb.InvokeStreamRequest(call=spec_of(mode)), timeout=20)
    else:
        call = here.stub.Invoke(pb.InvokeRequest(call=spec_of(mode)), timeout=20)
    await _until(lambda: a.playing)
    call.cancel()
    with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
        await (call.read() if mode.streamed else call)
    await here.settled()
    assert (here.records[0].status, here.records[0].error_type) == ("cancelled", "cancelled")
    await _sees_the_hang_up(a)
    assert not b.hits


@every_mode
async def test_the_breaker_opens_and_lets_one_probe_through(mode: Mode, scene: MakeScene) -> None:
    """Ten calls at once at a circuit whose probe is due: one of them asks, and closes it."""
    here, (a, b) = await scene([*[DOWN] * 5, on.late(GOOD, 0.1), GOOD], [GOOD])
    for _ in range(4):
        assert (await ask(here, mode)).code == "OK"
    assert len(a.hits) == 5, "closed to the fourth call"
    assert (here.records[-1].fallback_reason, here.records[-1].skips[0].reason) == ("CIRCUIT_OPEN",) * 2
    await asyncio.sleep(10 * SCALE * 1.1)
    endings = await asyncio.gather(*(ask(here, mode) for _ in range(10)))
    assert {ending.code for ending in endings} == {"OK"}
    assert len(a.hits) == 6
    await ask(here, mode)
    assert (tried(here), len(a.hits)) == ("a", 7)
    assert len(b.hits) == 3 + 1 + 9


@every_mode
async def test_a_rate_limited_target_is_left_alone_by_every_call(mode: Mode, scene: MakeScene) -> None:
    here, (a, b) = await scene([on.status(429, retry_after="30"), GOOD], [GOOD])
    await ask(here, mode)
    endings = await asyncio.gather(*(ask(here, mode) for _ in range(10)))
    assert {ending.code for ending in endings} == {"OK"}
    assert (len(a.hits), len(b.hits)) == (1, 11)
    await asyncio.sleep(30 * SCALE)
    await ask(here, mode)
    assert len(a.hits) == 2


async def _sees_the_hang_up(provider: Hostile) -> None:
    await _until(lambda: not provider.playing)


async def _until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.002)
