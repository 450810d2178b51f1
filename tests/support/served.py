"""The real edge, served by grpc.aio over a unix socket and loopback TCP, in front of the real invoker."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from sidecar.core.call import CallRecord
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import NOTHING
from sidecar.edge import catalog as catalog_service
from sidecar.edge import invocation, models, usage
from sidecar.edge.auth import Authenticator, Callers
from sidecar.edge.choosing import Choosing
from sidecar.edge.gate import Gate
from sidecar.edge.health import HealthView
from sidecar.edge.listen import Tls
from sidecar.edge.replay import Once
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.edge.watch import HealthWatch
from sidecar.invoker.prober import Prober
from sidecar.pricing import Pricing
from sidecar.providers.registry import wire
from sidecar.requests import Requests
from taximeter import errors
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import invocation_pb2_grpc
from tests.support.asked import WatchedBook
from tests.support.rig import Rig, Tariff

MAX_MESSAGE_BYTES = 1 << 20


@dataclass
class Ending:
    """How an RPC ended: OK, or the error as our own client reads it."""

    code: str
    error: errors.TaximeterError | None = None
    answer: Any = None

    @property
    def reason(self) -> str:
        return self.error.reason if self.error else ""

    @property
    def message(self) -> str:
        return self.error.message if self.error else ""


@dataclass
class Served:
    rig: Rig
    gate: Gate
    server: Server
    address: str
    """Loopback TCP."""
    socket: str
    channel: grpc.aio.Channel
    """To the unix socket."""
    prober: Prober
    watch: HealthWatch
    requests: Requests

    @property
    def records(self) -> list[CallRecord]:
        return self.rig.book.records

    @property
    def stub(self) -> Any:
        return invocation_pb2_grpc.InvocationServiceStub(self.channel)

    async def ask(self, spec: pb.CallSpec, *, timeout_s: float | None = 20, metadata: Any = ()) -> Ending:
        try:
            answer = await self.stub.Invoke(pb.InvokeRequest(call=spec), timeout=timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as failed:
            return _ended(failed)
        return Ending("OK", answer=answer)

    async def listen(self, spec: pb.CallSpec, *, timeout_s: float | None = 20) -> tuple[list[Any], Ending]:
        """Every event, and how the stream ended."""
        events: list[Any] = []
        try:
            async for event in self.stub.InvokeStream(pb.InvokeStreamRequest(call=spec), timeout=timeout_s):
                events.append(event)  # noqa: PERF401 - kept when it fails
        except grpc.aio.AioRpcError as failed:
            return events, _ended(failed)
        return events, Ending("OK", answer=events)

    async def raw(self, method: str, body: bytes | Message, *, timeout_s: float = 20) -> Ending:
        """A unary RPC with these very bytes."""
        data = body if isinstance(body, bytes) else body.SerializeToString()
        ask: Any = self.channel.unary_unary(f"/{method}")
        try:
            return Ending("OK", answer=await ask(data, timeout=timeout_s))
        except grpc.aio.AioRpcError as failed:
            return _ended(failed)

    async def settled(self) -> None:
        """All that began has ended, on the sidecar's side too."""
        async with asyncio.timeout(10):
            await self.gate.idle()


def _ended(failed: grpc.aio.AioRpcError) -> Ending:
    return Ending(failed.code().name, errors.from_rpc(failed))


@asynccontextmanager
async def served(
    catalog: Catalog,
    *,
    max_calls: int = 100,
    max_tags: int = 16,
    authenticator: Authenticator | None = None,
    listen: str = "127.0.0.1:0",
    tls: Tls | None = None,
    pricing: Pricing | None = None,
    replay_bytes: int = 1 << 20,
    replay_s: float = 60.0,
) -> AsyncIterator[Served]:
    """Serving until left. There is no bookkeeper."""
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    book = WatchedBook()
    rig = Rig(catalog, book) if pricing is None else Rig(catalog, book, tariff=cast("Tariff", pricing))
    requests = Requests(
        folder / "requests", Clock(), rig.notes, remembered=1000, replay_bytes=replay_bytes, replay_s=replay_s
    )
    book.told = requests.finished
    gate = Gate(max_calls)
    border = Border(authenticator or Callers(lambda: NOTHING, Clock()), gate, rig.notes, MAX_MESSAGE_BYTES)
    relay = usage.UsageRelay(folder / "bookkeeper.sock")
    once = Once(rig.invoker, requests, gate, relay.metering)
    calls = invocation.InvocationService(rig.invoker, once, lambda _: rig.catalog, gate, Clock(), max_tags=max_tags)
    prober = Prober(
        catalog=lambda: rig.catalog, wires=wire, transport=rig.transport, health=rig.health, clock=Clock(),
        random=lambda: 0.5, log=rig.notes,
    )  # fmt: skip
    view = HealthView(rig.health, prober, rig.limits.snapshot)
    watch = HealthWatch(view, lambda _: rig.catalog)
    rig.health.changed = watch.changed
    choosing = Choosing(rig.invoker.explain, lambda _: rig.catalog, pricing or Pricing(None), Clock(), max_tags)
    shown = catalog_service.CatalogService(lambda _: rig.catalog, Pricing(None), view, watch, prober)
    server = Server(
        {
            invocation.SERVICE: calls.handlers(border),
            catalog_service.SERVICE: {**shown.handlers(border), **choosing.handlers(border)},
            models.SERVICE: models.ModelService(lambda _: rig.catalog, rig.transport).handlers(border),
            usage.SERVICE.full_name: relay.handlers(border),
        },
        MAX_MESSAGE_BYTES,
    )
    address = server.listen_tcp(listen, tls, allow_insecure=True)
    server.listen_unix(folder / "s.sock", 0o600)
    await server.start()
    await server.serving()
    try:
        async with grpc.aio.insecure_channel(f"unix:{folder / 's.sock'}") as channel:
            yield Served(rig, gate, server, address, f"unix:{folder / 's.sock'}", channel, prober, watch, requests)
    finally:
        await server.stop()
        await prober.close()
        await gate.idle()
        await relay.close()
        await requests.close()
        await rig.transport.close()
        shutil.rmtree(folder, ignore_errors=True)
