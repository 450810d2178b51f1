"""A call through the sidecar to a loopback provider: CPU per call, throughput on one core, latency.

Method. Sidecar pinned to core 0; provider, bookkeeper and load generator on core 1. Every reply waits for its
record to be on disk. CPU is user + system time of the process from /proc over the window, divided by the calls
answered in it. Windows of `SECONDS` each, in turn, `ROUNDS` times; the median round is shown.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import uvloop

from benchmarks.processes import cpu_s, pin
from taximeter.v1 import invocation_pb2, invocation_pb2_grpc, payload_pb2
from tests.support.stack import stack

SECONDS = 4.0
ROUNDS = 3
CONCURRENCY = (1, 16, 64)
STREAM_CHUNKS = 200


@dataclass(frozen=True, slots=True)
class Window:
    calls: int
    seconds: float
    sidecar_us: float
    bookkeeper_us: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        return self.calls / self.seconds


def spec(model: str) -> invocation_pb2.CallSpec:
    return invocation_pb2.CallSpec(
        target=invocation_pb2.ModelRef(provider="loop", model=model),
        chat=payload_pb2.ChatRequest(prompt="What does a taximeter do?"),
    )


async def load(once: Callable[[], Awaitable[None]], concurrent: int, seconds: float) -> list[float]:
    """Latencies in seconds of all calls answered within the window."""
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        while (began := time.perf_counter()) < end:
            await once()
            took.append(time.perf_counter() - began)

    await asyncio.gather(*(one() for _ in range(concurrent)))
    return took


async def measure(address: str, pids: tuple[int, int], model: str, concurrent: int, *, streamed: bool) -> Window:
    """One window of load on a running stack. `pids`: sidecar, bookkeeper."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = invocation_pb2_grpc.InvocationServiceStub(channel)

        async def unary() -> None:
            await stub.Invoke(invocation_pb2.InvokeRequest(call=spec(model)))

        async def stream() -> None:
            async for _ in stub.InvokeStream(invocation_pb2.InvokeStreamRequest(call=spec(model))):
                pass

        once = stream if streamed else unary
        await load(once, concurrent, 0.5)
        before, began = [cpu_s(pid) for pid in pids], time.perf_counter()
        took = await load(once, concurrent, SECONDS)
        seconds = time.perf_counter() - began
        # The bookkeeper follows within a fraction of a second; its share must be whole.
        await asyncio.sleep(0.5)
        used = [cpu_s(pid) - start for pid, start in zip(pids, before, strict=True)]
    cuts = statistics.quantiles(took, n=100)
    per_call = [1e6 * each / len(took) for each in used]
    return Window(len(took), seconds, per_call[0], per_call[1], 1e3 * cuts[49], 1e3 * cuts[98])


def table() -> str:
    """Markdown."""
    rows = []
    with stack() as running:
        running.provider()
        sidecar, bookkeeper = running.sidecar().popen.pid, running.bookkeeper().popen.pid
        for process in running.processes:
            pin(process.popen.pid, {1})
        pin(sidecar, {0})
        cases = [("unary", "plain", False, n) for n in CONCURRENCY]
        cases.append((f"stream of {STREAM_CHUNKS}", f"tokens-{STREAM_CHUNKS}", True, 16))
        found: dict[tuple[str, int], list[Window]] = {}
        for _ in range(ROUNDS):
            for name, model, streamed, concurrent in cases:
                window = uvloop.run(
                    measure(running.address, (sidecar, bookkeeper), model, concurrent, streamed=streamed)
                )
                found.setdefault((name, concurrent), []).append(window)
        for (name, concurrent), windows in found.items():
            middle = sorted(windows, key=lambda each: each.rate)[len(windows) // 2]
            rows.append(
                f"| {name} | {concurrent} | {middle.rate:,.0f} | {middle.sidecar_us:,.0f} "
                f"| {middle.bookkeeper_us:,.0f} | {middle.p50_ms:.2f} | {middle.p99_ms:.2f} |"
            )
    head = (
        "| call | concurrent | calls/s, one core | sidecar µs CPU/call | bookkeeper µs CPU/call | p50 ms | p99 ms |\n"
        "|---|---|---|---|---|---|---|"
    )
    return "\n".join(["## A call through the sidecar", "", head, *rows, ""])
