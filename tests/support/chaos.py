"""Load on a real stack while its processes are killed, and the reckoning afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections import Counter
from dataclasses import dataclass, field

import grpc

from analytics.source import open_source
from taximeter.v1 import invocation_pb2, invocation_pb2_grpc, payload_pb2
from tests.support.stack import Process, Stack, until

MODELS = ("plain", "slow-30", "slow-120")
STREAMED = ("tokens-5", "tokens-30-3")


@dataclass
class Tally:
    """What the callers saw."""

    sent: list[str] = field(default_factory=list)
    acknowledged: dict[str, str] = field(default_factory=dict)
    """request_id -> call_id of every call whose whole answer arrived."""
    failed: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Reckoning:
    """What the books say about it."""

    acknowledged: int
    lost: list[str]
    doubled: list[str]
    unbooked: list[str]
    """The provider was asked, and no row tells of it."""
    open_left: int
    rows: int
    statuses: dict[str, int]


def spec(model: str, request_id: str) -> invocation_pb2.CallSpec:
    return invocation_pb2.CallSpec(
        target=invocation_pb2.ModelRef(provider="loop", model=model),
        chat=payload_pb2.ChatRequest(prompt=f"marker {request_id}"),
        request_id=request_id,
    )


async def worker(stack: Stack, tally: Tally, stop: asyncio.Event, chance: random.Random) -> None:
    """Calls without a pause until told to stop; every failure is counted and the next call made."""
    while not stop.is_set():
        async with grpc.aio.insecure_channel(stack.address) as channel:
            stub = invocation_pb2_grpc.InvocationServiceStub(channel)
            try:
                while not stop.is_set():
                    await one_call(stub, tally, chance)
            except grpc.aio.AioRpcError as failed:
                tally.failed[failed.code().name] += 1
                await asyncio.sleep(0.02)


async def one_call(stub: invocation_pb2_grpc.InvocationServiceAsyncStub, tally: Tally, chance: random.Random) -> None:
    request_id = str(uuid.uuid4())
    tally.sent.append(request_id)
    if chance.random() < 0.4:
        request = invocation_pb2.InvokeStreamRequest(call=spec(chance.choice(STREAMED), request_id))
        async for answer in stub.InvokeStream(request, timeout=20):
            if answer.HasField("finished"):
                tally.acknowledged[request_id] = answer.finished.metering.call_id
    else:
        reply = await stub.Invoke(
            invocation_pb2.InvokeRequest(call=spec(chance.choice(MODELS), request_id)), timeout=20
        )
        tally.acknowledged[request_id] = reply.metering.call_id


async def storm(
    stack: Stack, running: dict[str, Process], *, kills: int, workers: int, seed: int, pause_s: tuple[float, float]
) -> tuple[Tally, Counter[str]]:
    """Kills sidecar or bookkeeper `kills` times under load, each time restarting it. `running` is kept up to date."""
    chance = random.Random(seed)
    tally, stop, killed = Tally(), asyncio.Event(), Counter[str]()
    load = [asyncio.create_task(worker(stack, tally, stop, random.Random(seed + n))) for n in range(workers)]
    for _ in range(kills):
        await asyncio.sleep(chance.uniform(*pause_s))
        name = chance.choice(("sidecar", "sidecar", "bookkeeper"))
        await asyncio.to_thread(running[name].kill)
        killed[name] += 1
        running[name] = await asyncio.to_thread(getattr(stack, name))
    await asyncio.sleep(0.5)
    stop.set()
    done, late = await asyncio.wait(load, timeout=30)
    for task in late:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*done, *late)
    return tally, killed


def reckon(stack: Stack, tally: Tally) -> Reckoning:
    """Waits until the books are up to date, then compares them with what callers and provider saw."""
    source = open_source(stack.home)
    asked = set(stack.markers())
    expected = asked | set(tally.acknowledged)

    def booked() -> bool:
        status = source.status()
        return bool(status.backlog_bytes == 0)

    until(booked, "the bookkeeper has booked everything", 60)
    rows = source.table(
        "SELECT sidecar_id, seq, call_id, request_id, status FROM ai_call_logs WHERE request_id <> ''", ()
    ).to_pylist()
    by_request = Counter(row["request_id"] for row in rows)
    by_key = Counter((row["sidecar_id"], row["seq"]) for row in rows)
    by_call = Counter(row["call_id"] for row in rows)
    good = {(row["request_id"], row["call_id"]) for row in rows if row["status"] == "ok"}
    doubles = [str(key) for counter in (by_request, by_key, by_call) for key, count in counter.items() if count > 1]
    open_left = source.table("SELECT count(*) AS n FROM ai_open_calls", ()).to_pylist()[0]["n"]
    return Reckoning(
        acknowledged=len(tally.acknowledged),
        lost=[request for request, call in tally.acknowledged.items() if (request, call) not in good],
        doubled=doubles,
        unbooked=sorted(expected - set(by_request)),
        open_left=open_left,
        rows=len(rows),
        statuses=dict(Counter(row["status"] for row in rows)),
    )
