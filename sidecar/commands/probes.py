"""Is it there? Questions that a supervisor or a health check asks."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

if TYPE_CHECKING:
    from taximeter.v1.config_pb2 import GetConfigStatusResponse


async def serving(socket: Path) -> bool:
    """The sidecar's own health service says SERVING."""
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            said = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
    return bool(said.status == health_pb2.HealthCheckResponse.SERVING)


async def configuration_of(socket: Path) -> GetConfigStatusResponse | None:
    """What the sidecar says of its configuration; None if it does not answer."""
    from taximeter.v1 import config_pb2, config_pb2_grpc

    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        stub = config_pb2_grpc.ConfigServiceStub(channel)
        try:
            said: GetConfigStatusResponse = await stub.GetConfigStatus(config_pb2.GetConfigStatusRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return None
    return said


async def answering(socket: Path) -> bool:
    """The bookkeeper answers for its ledger."""
    from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc

    async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
        try:
            await ledger_pb2_grpc.LedgerServiceStub(channel).GetStatus(ledger_pb2.GetStatusRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
    return True


def reachable(host: str) -> str:
    """Where to ask a server that listens on `host`: for "every address" that is loopback."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound


async def shown(host: str, port: int) -> bool:
    """The dashboard's web server says it is healthy."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    with contextlib.closing(writer):
        try:
            writer.write(f"GET /_stcore/health HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
            async with asyncio.timeout(1):
                return b" 200 " in await reader.readline()
        except (OSError, TimeoutError):
            return False
