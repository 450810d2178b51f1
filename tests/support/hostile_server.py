"""Loopback servers that let a test play the provider: what came is kept, what is answered is a script.

A `House` has many stages on one port, each with a script of its own under `/{stage}`: as many misbehaving providers as
a table has rows. `hostile(*script)` of `tests.support.hostile` is a house with one stage.
"""

from __future__ import annotations

import asyncio
import functools
import json
import socket
import struct
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.hostile_tongue import Tongue
from tests.support.hostile_tongues import tongue_of

Act = Callable[["Exchange"], Awaitable[None]]


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    method: str = "POST"
    hanging_up: bool = False
    """Whoever asked has left before the act was over."""

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream")) or "stream" in self.path.lower()

    @property
    def tongue(self) -> Tongue:
        """The wire that is spoken here, by its path."""
        return tongue_of(self.path)

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing():  # uvloop's transports raise something else
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode())

    async def piece(self, data: bytes) -> None:
        """One HTTP chunk."""
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def event(self, data: bytes) -> None:
        """One server-sent event in one HTTP chunk."""
        await self.piece(b"data: " + data + b"\n\n")

    async def say(self, text: str, **choice: Any) -> None:
        """A word of the answer; `choice` changes the choice that carries it (OpenAI's wire only)."""
        await self.piece(self.tongue.word(text, **choice))

    async def begin(self, model: str = "told") -> None:
        await self.head(200, {"content-type": self.tongue.stream_type, "transfer-encoding": "chunked"})
        for event in self.tongue.opening(model):
            await self.piece(event)

    def cut(self) -> None:
        """A reset, not an orderly end."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


@dataclass
class Hostile:
    """One provider: `base_url` to configure; what happened, to assert upon.

    Each request it gets plays the next act of its script; the last act repeats.
    """

    script: Sequence[Act]
    base_url: str = ""
    hits: list[float] = field(default_factory=list)
    """When each request had come in whole, monotonic seconds."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    hangups: int = 0
    """Callers that left before their act was over."""
    playing: int = 0
    probed: Act | None = None
    """Answers GETs, beside the script and uncounted; None: they are requests like all others."""

    @property
    def gaps_s(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.hits, self.hits[1:], strict=False)]

    async def play(self, exchange: Exchange) -> None:
        if self.probed is not None and exchange.method == "GET":
            await self.probed(exchange)
            return
        self.hits.append(time.monotonic())
        self.bodies.append(exchange.body)
        self.keys.append(exchange.headers.get("authorization", "").removeprefix("Bearer "))
        self.playing += 1
        try:
            await self.script[min(len(self.hits), len(self.script)) - 1](exchange)
        except ConnectionError:
            exchange.hanging_up = True
            raise
        finally:
            self.playing -= 1
            self.hangups += exchange.hanging_up


@dataclass
class House:
    """Serves its stages until it is closed."""

    stages: dict[str, Hostile] = field(default_factory=dict)
    origin: str = ""
    _open: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = field(default_factory=dict)

    def stage(self, name: str, *script: Act) -> Hostile:
        """A provider of that name, which must do for a path."""
        made = self.stages[name] = Hostile(script, f"{self.origin}/{name}/v1")
        return made

    @property
    def connections(self) -> int:
        return len(self._open)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while (exchange := await _read(reader, writer)) is not None:
                _, name, rest = exchange.path.split("/", 2)
                exchange.path = f"/{rest}"
                await self.stages[name].play(exchange)
        except ConnectionError:
            pass  # the act was told, and has counted it
        finally:
            del self._open[writer]
            writer.close()

    async def close(self) -> None:
        serving = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        await asyncio.wait_for(asyncio.gather(*serving, return_exceptions=True), 5)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    pairs = (line.split(": ", 1) for line in head[1:] if line)
    headers = {name.lower(): value for name, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    method, path, _ = head[0].split(" ", 2)
    return Exchange(path, headers, json.loads(body or b"{}"), reader, writer, method)


@asynccontextmanager
async def house() -> AsyncGenerator[House, None]:
    """An empty house on a port of its own."""
    made = House()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, backlog=1024)
    made.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await made.close()
        await server.wait_closed()


@functools.cache
def dead_url() -> str:
    """Where nothing listens. The port stays taken until this process ends: given back, it would soon be another's."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    taken.detach()
    return f"http://127.0.0.1:{port}/v1"


@contextmanager
def deaf_url() -> Iterator[str]:
    """Where something listens and never takes a connection: its queue is full, so that connecting hangs (Linux)."""
    with ExitStack() as held:
        server = held.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"
