"""What an alias adds to its calls, and how many of them it takes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sidecar.core.call import RequestParameters
from sidecar.core.catalog import RateLimits
from sidecar.core.faults import RefusalReason
from sidecar.invoker import CallFailed, Outcome
from taximeter.v1 import payload_pb2
from tests.invoker.conftest import MakeScene
from tests.support import hostile as on

OK = (on.answer("hello there"),)


def asking(**fields: Any) -> dict[str, Any]:
    parameters = RequestParameters(**{name: fields[name] for name in fields if name in ("temperature", "max_tokens")})
    return {"payload": payload_pb2.ChatRequest(prompt="hello", **fields), "parameters": parameters}


@pytest.mark.parametrize(
    ("alias", "asked", "sent"),
    [
        pytest.param({"parameters": {"temperature": 0.2}}, {}, {"temperature": 0.2}, id="a-default"),
        pytest.param(
            {"parameters": {"temperature": 0.2}}, {"temperature": 0.9}, {"temperature": 0.9}, id="the-callers"
        ),
        pytest.param({"max_tokens": 50}, {}, {"max_tokens": 50}, id="a-limit"),
        pytest.param({"max_tokens": 50}, {"max_tokens": 90}, {"max_tokens": 50}, id="a-limit-cuts"),
        pytest.param({"max_tokens": 50}, {"max_tokens": 9}, {"max_tokens": 9}, id="a-limit-leaves-less"),
    ],
)
async def test_what_goes_out(
    scene: MakeScene, alias: dict[str, Any], asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    rig, (a,) = await scene(OK, alias=alias)
    assert isinstance(await rig.ask(**asking(**asked)), Outcome)
    assert {name: a.bodies[0][name] for name in sent} == sent
    recorded = rig.record.parameters
    assert (recorded.temperature, recorded.max_tokens) == (sent.get("temperature"), sent.get("max_tokens"))


async def test_a_stream_gets_the_same(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK, alias={"parameters": {"temperature": 0.2}})
    await rig.listen(**asking())
    assert a.bodies[0]["temperature"] == 0.2


async def test_more_calls_a_minute_than_it_takes_are_refused(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK, alias={"limits": RateLimits(requests_per_minute=2)})
    endings = [await rig.ask() for _ in range(3)]
    last = endings[-1]
    assert isinstance(last, CallFailed)
    assert (last.refusal.grpc_status, last.refusal.reason) == ("RESOURCE_EXHAUSTED", RefusalReason.OVERLOADED)
    assert "Alias 'smart' takes no more calls now" in last.refusal.message
    assert (len(a.hits), rig.book.records[-1].status) == (2, "refused")


async def test_places_at_it_come_free_however_a_call_ends(scene: MakeScene) -> None:
    rig, _ = await scene([on.status(400), *OK], alias={"limits": RateLimits(max_concurrent=1)})
    assert isinstance(await rig.ask(), CallFailed)
    assert isinstance(await rig.ask(), Outcome)


async def test_no_more_calls_at_once_than_it_takes(scene: MakeScene) -> None:
    rig, (a,) = await scene([on.silence], alias={"limits": RateLimits(max_concurrent=1)})
    first = asyncio.create_task(rig.ask())
    while not a.hits:
        await asyncio.sleep(0.001)
    second = await rig.ask()
    assert isinstance(second, CallFailed)
    assert "1 of 1 requests in flight" in second.refusal.message
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_another_version_counts_anew(scene: MakeScene) -> None:
    rig, _ = await scene(OK, alias={"limits": RateLimits(requests_per_minute=1)})
    assert isinstance(await rig.ask(), Outcome)
    smart = replace(rig.catalog.aliases["smart"], version=2, limits=RateLimits(requests_per_minute=2))
    rig.catalog = replace(rig.catalog, aliases={"smart": smart})
    assert isinstance(await rig.ask(), Outcome)
    assert [record.alias_version for record in rig.book.records] == [0, 2]


async def test_without_retention_stop_sequences_of_an_alias_are_not_recorded(scene: MakeScene) -> None:
    rig, (a,) = await scene(OK, alias={"parameters": {"stop": ["END"]}}, zero_retention=True)
    assert isinstance(await rig.ask(**asking()), Outcome)
    assert (a.bodies[0]["stop"], rig.record.parameters.stop) == (["END"], ())
