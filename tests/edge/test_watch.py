"""WatchHealth: the whole, then changes; slow readers, many readers, and the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest

from sidecar.core import faults
from sidecar.core.call import Target
from sidecar.core.catalog import Catalog
from sidecar.edge.health import HealthView
from sidecar.edge.watch import HealthWatch
from taximeter import errors
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import catalog_pb2_grpc
from tests.edge.conftest import MakeScene
from tests.support.served import Served

A = Target("a", "ma")


def break_down(served: Served, target: Target = A) -> None:
    for _ in range(5):
        served.rig.health.failed(target, served.rig.health.begin(target), faults.ServerError("down"))


def watch(served: Served) -> Any:
    return catalog_pb2_grpc.CatalogServiceStub(served.channel).WatchHealth(pb.WatchHealthRequest())


async def nothing_comes(stream: Any, within_s: float = 0.15) -> bool:
    """The stream stays readable."""
    reading = asyncio.ensure_future(stream.read())
    done, _ = await asyncio.wait({reading}, timeout=within_s)
    reading.cancel()
    return not done


async def test_first_the_whole_then_what_changes(scene: MakeScene) -> None:
    served, _ = await scene((), ())
    served.rig.health.succeeded(A, served.rig.health.begin(A), 0.5, 0.1)
    stream = watch(served)
    whole = await stream.read()
    assert [each.target.model for each in whole.targets] == ["ma"]
    assert [each.provider for each in whole.accounts] == ["a", "b"]
    break_down(served)
    news = await stream.read()
    assert [(each.target.model, each.circuit) for each in news.targets] == [("ma", pb.CIRCUIT_STATE_OPEN)]
    assert not news.accounts
    served.rig.health.reject_key(served.rig.catalog.accounts["b"].keys[0].key_id)
    news = await stream.read()
    assert [each.provider for each in news.accounts if each.keys_aside] == ["b"]
    stream.cancel()


async def test_calls_that_change_nothing_are_no_news(scene: MakeScene) -> None:
    served, _ = await scene()
    served.rig.health.succeeded(A, served.rig.health.begin(A), 0.5, None)
    stream = watch(served)
    await stream.read()
    for _ in range(50):
        served.rig.health.succeeded(A, served.rig.health.begin(A), 0.5, None)
    assert await nothing_comes(stream)
    stream.cancel()


async def test_what_a_reload_takes_away_is_told_as_gone(scene: MakeScene) -> None:
    served, _ = await scene((), ())
    served.rig.health.succeeded(A, served.rig.health.begin(A), 0.5, None)
    stream = watch(served)
    await stream.read()
    old = served.rig.catalog
    served.rig.catalog = replace(old, accounts={"b": old.accounts["b"]})
    served.rig.health.follow(old, served.rig.catalog)
    news = await stream.read()
    assert [(each.target.provider, each.blocked_reason) for each in news.targets] == [("a", "not configured")]
    assert [(each.provider, each.state) for each in news.accounts] == [("a", "not configured")]
    stream.cancel()


async def test_everybody_is_told(scene: MakeScene) -> None:
    served, _ = await scene()
    streams = [watch(served) for _ in range(10)]
    for stream in streams:
        await stream.read()
    break_down(served)
    for stream in streams:
        assert (await stream.read()).targets[0].circuit == pb.CIRCUIT_STATE_OPEN
        stream.cancel()


async def test_the_end_of_the_sidecar_ends_the_watch_with_its_reason(scene: MakeScene) -> None:
    served, _ = await scene()
    stream = watch(served)
    await stream.read()
    served.watch.close()
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        await stream.read()
    assert errors.from_rpc(ended.value).reason == "SHUTTING_DOWN"


async def test_a_reader_that_holds_back_costs_no_memory(scene: MakeScene) -> None:
    """Only what is the case now is kept for it, however much has happened."""
    served, _ = await scene()
    health = served.rig.health
    view = HealthView(health, served.prober, served.rig.limits.snapshot)
    watching = HealthWatch(view, lambda _: served.rig.catalog)
    health.changed = watching.changed
    gate, told = asyncio.Event(), []

    async def write(part: bytes) -> None:
        told.append(pb.WatchHealthResponse.FromString(part))
        if len(told) == 2:
            gate.clear()
        await gate.wait()

    gate.set()
    reader = asyncio.create_task(watching.watch("default", write))
    async with asyncio.timeout(20):
        while not told:
            await asyncio.sleep(0)
        for number in range(30):
            break_down(served, Target("a", f"m{number % 3}"))
            await asyncio.sleep(0.06)
            if number == 0:
                while len(told) < 2:
                    await asyncio.sleep(0.01)
        gate.set()
        while len(told) < 3:
            await asyncio.sleep(0.01)
    assert len(told) == 3
    assert {each.target.model for each in told[2].targets} <= {"m0", "m1", "m2"}
    reader.cancel()
    await asyncio.gather(reader, return_exceptions=True)
    assert not watching.looked_at, "nobody watches: nobody looks"


def view_of_acme(served: Served) -> Catalog:
    """The operator's `a` does not serve it; `b` is opened by a key of its own."""
    a, b = (served.rig.catalog.accounts[name] for name in "ab")
    accounts = {"a": replace(a, keys=(), unusable="no key"), "b": replace(b, owner="acme")}
    return replace(served.rig.catalog, accounts=accounts, workspace="acme")


async def test_each_workspace_sees_how_its_own_fare_and_nobody_elses(scene: MakeScene) -> None:
    served, _ = await scene((), ())
    health, acme = served.rig.health, view_of_acme(served)
    for target in (A, Target("b", "mb"), Target("b", "mb", "acme"), Target("b", "mb", "other")):
        health.succeeded(target, health.begin(target), 0.5, 0.1)
    view = HealthView(health, served.prober, served.rig.limits.snapshot)
    seen = {
        name: [target for target in view.marks(catalog) if isinstance(target, Target)]
        for name, catalog in {"default": served.rig.catalog, "acme": acme}.items()
    }
    assert seen == {"default": [A, Target("b", "mb")], "acme": [Target("b", "mb", "acme")]}
    assert [len(view.whole(catalog).targets) for catalog in (served.rig.catalog, acme)] == [2, 1]


async def test_a_watch_is_told_of_its_own_workspace_only(scene: MakeScene) -> None:
    served, _ = await scene((), ())
    catalogs = {"default": served.rig.catalog, "acme": view_of_acme(served)}
    watching = HealthWatch(
        HealthView(served.rig.health, served.prober, served.rig.limits.snapshot), catalogs.__getitem__
    )
    served.rig.health.changed = watching.changed
    told: dict[str, list[pb.WatchHealthResponse]] = {name: [] for name in catalogs}

    def writer(name: str) -> Any:
        async def write(part: bytes) -> None:
            told[name].append(pb.WatchHealthResponse.FromString(part))

        return write

    readers = [asyncio.create_task(watching.watch(name, writer(name))) for name in catalogs]
    async with asyncio.timeout(20):
        while not all(told.values()):
            await asyncio.sleep(0)
        break_down(served, Target("b", "mb", "acme"))
        while len(told["acme"]) < 2:
            await asyncio.sleep(0.01)
    for reader in readers:
        reader.cancel()
    assert [each.circuit for each in told["acme"][1].targets] == [pb.CIRCUIT_STATE_OPEN]
    assert len(told["default"]) == 1
