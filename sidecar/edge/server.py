"""The gRPC server: services, health, reflection, listeners."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sidecar.edge import listen
from sidecar.edge.rpc import Handlers, register

MAX_STREAMS = 4096
"""RPCs at once on one connection; calls are limited by the gate, with a reason."""

MAX_PENDING = 1_000_000
MAX_UNREQUESTED_S = 600
_REFUSED_UNREAD = 4
"""Times the limit on messages: what is larger still, gRPC refuses unread, and without a reason of ours."""


def options(max_message_bytes: int) -> list[tuple[str, Any]]:
    """https://grpc.github.io/grpc/core/group__grpc__arg__keys.html"""
    return [
        ("grpc.max_receive_message_length", min(_REFUSED_UNREAD * max_message_bytes, 2**31 - 1)),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        # gRPC drops what it was asked and has not handed over, without a reason: from 3000 on, and after 30 s
        # (src/core/server/server.cc). Who is too many is for the gate to say.
        ("grpc.server.max_pending_requests", MAX_PENDING),
        ("grpc.server.max_pending_requests_hard_limit", MAX_PENDING),
        ("grpc.server_max_unrequested_time_in_server", MAX_UNREQUESTED_S),
        # A second process on our port must fail to start, not take half of our calls.
        ("grpc.so_reuseport", 0),
        # Dead callers are noticed, so that their calls stop costing; callers may ping as often as every 10 s.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


class Server:
    """Made, then `listen`ed, then `start`ed; SERVING from `serving` on."""

    def __init__(self, services: Mapping[str, Handlers], max_message_bytes: int) -> None:
        self._server = grpc.aio.server(options=options(max_message_bytes))
        self._health = health.aio.HealthServicer()
        self._names = ("", *services)
        for name, handlers in services.items():
            register(self._server, name, handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection([*services, health.SERVICE_NAME, reflection.SERVICE_NAME], self._server)

    def listen_tcp(self, address: str, tls: listen.Tls | None, *, allow_insecure: bool) -> str:
        """Returns the address with the port bound. Raises CannotListen."""
        host, port = listen.split(address)
        if tls is None and not listen.is_loopback(host) and not allow_insecure:
            raise listen.CannotListen(
                f"TAXIMETER_LISTEN={address} would serve other hosts without encryption. Set TAXIMETER_TLS_CERT and "
                "TAXIMETER_TLS_KEY, or, on a network you trust, TAXIMETER_ALLOW_INSECURE=true."
            )
        try:
            bound = (
                self._server.add_secure_port(address, listen.credentials(tls))
                if tls
                else self._server.add_insecure_port(address)
            )
        except RuntimeError:
            raise listen.CannotListen(listen.why_not(host, port, address)) from None
        return f"{f'[{host}]' if ':' in host else host}:{bound}"

    def listen_unix(self, path: Path, mode: int) -> None:
        """Takes the place of a dead socket, never that of a living one. Raises CannotListen."""
        if len(str(path).encode()) > listen.MAX_SOCKET_PATH:
            raise listen.CannotListen(
                f"The socket path {path} is longer than {listen.MAX_SOCKET_PATH} bytes, the most there can be. "
                "Set TAXIMETER_SOCKET (or TAXIMETER_HOME) to a shorter path."
            )
        if listen.answers(path):
            raise listen.CannotListen(
                f"Another process serves {path}. Stop it, or set TAXIMETER_SOCKET to another path."
            )
        try:
            self._server.add_insecure_port(f"unix:{path}")
            path.chmod(mode)
        except (RuntimeError, OSError):
            raise listen.CannotListen(
                f"Cannot create the socket {path}: its directory must exist and be writable."
            ) from None

    async def start(self) -> None:
        await self._say(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._server.start()

    async def serving(self) -> None:
        await self._say(health_pb2.HealthCheckResponse.SERVING)

    async def not_serving(self) -> None:
        """For good."""
        await self._health.enter_graceful_shutdown()

    async def stop(self) -> None:
        """Cancels what is still under way, and returns when its handlers have ended."""
        await self._server.stop(None)

    async def _say(self, status: int) -> None:
        for name in self._names:
            await self._health.set(name, status)
