"""A provider that misbehaves by script: a real server on a loopback port, speaking the OpenAI wire by hand.

Each request it gets plays the next act of its script; the last act repeats. It counts its hits, keeps what came and
when, and sees when a caller hangs up.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Act = Callable[["Exchange"], Awaitable[None]]
HANG_S = 60.0
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


@dataclass
class Exchange:
    """One request, and the means to answer it."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    async def send(self, data: bytes) -> None:
        if self.writer.is_closing():  # uvloop's transports raise something else
            raise ConnectionResetError
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        await self.send("\r\n".join(lines).encode())

    async def event(self, data: bytes) -> None:
        """One server-sent event in one HTTP chunk."""
        text = b"data: " + data + b"\n\n"
        await self.send(b"%x\r\n%s\r\n" % (len(text), text))

    async def say(self, text: str, **choice: Any) -> None:
        delta = {"index": 0, "delta": {"content": text}, "finish_reason": None} | choice
        await self.event(json.dumps({"id": "c1", "model": "told", "choices": [delta]}).encode())

    async def begin(self) -> None:
        await self.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})

    def cut(self) -> None:
        """A reset, not an orderly end."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


def answer(
    text: str = "hello", *, usage: Mapping[str, int] | None = USAGE, end: bytes = b"[DONE]", hold: bool = False
) -> Act:
    """A good answer, streamed word by word if that was asked. `hold`: the connection stays open behind it."""

    async def act(exchange: Exchange) -> None:
        if not exchange.stream:
            await status(200, _whole(exchange, text, usage))(exchange)
            return
        await exchange.begin()
        for word in text.split(" "):
            await exchange.say(word)
        await exchange.say("", delta={}, finish_reason="stop")
        if usage is not None:
            await exchange.event(json.dumps({"id": "c1", "model": "told", "choices": [], "usage": usage}).encode())
        if end:
            await exchange.event(end)
        if hold:
            await silence(exchange)
        await exchange.send(b"0\r\n\r\n")

    return act


def _whole(exchange: Exchange, text: str, usage: Mapping[str, int] | None) -> dict[str, Any]:
    reported = {} if usage is None else {"usage": usage}
    if exchange.path.endswith("/embeddings"):
        return {"model": "told", "data": [{"index": 0, "embedding": [0.5, 0.25]}], **reported}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return {"id": "c1", "model": "told", "choices": [choice], **reported}


def status(code: int, body: Any = None, **headers: str) -> Act:
    """An answer of one piece. Header names with `_` for `-`."""
    message = {"error": {"message": f"status {code}"}} if body is None else body
    data = message if isinstance(message, bytes) else json.dumps(message).encode()

    async def act(exchange: Exchange) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await exchange.head(code, {"content-type": "application/json", "content-length": str(len(data)), **named})
        await exchange.send(data)

    return act


def refusal(code: int, text: str, kind: str = "invalid_request_error", name: str | None = None) -> Act:
    return status(code, {"error": {"message": text, "type": kind, "code": name}})


CONTEXT_LENGTH = refusal(400, "This model's maximum context length is 8 tokens", name="context_length_exceeded")
CONTENT_FILTER = refusal(400, "withheld", name="content_filter")
BAD_REQUEST = refusal(400, "canary: temperature must be below 2")
UNAUTHORIZED = refusal(401, "Incorrect API key provided", name="invalid_api_key")
NO_MODEL = refusal(404, "The model does not exist", name="model_not_found")


async def silence(exchange: Exchange) -> None:
    """Takes the request, and says nothing until the caller hangs up."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(HANG_S):
            await exchange.reader.read()


async def reset(exchange: Exchange) -> None:
    """Breaks the connection before any header."""
    exchange.cut()


def late(act: Act, after_s: float) -> Act:
    async def later(exchange: Exchange) -> None:
        await asyncio.sleep(after_s)
        await act(exchange)

    return later


def breaking(words: int, then: Act) -> Act:
    """A stream of so many words, and then what `then` does."""

    async def act(exchange: Exchange) -> None:
        await exchange.begin()
        for number in range(words):
            await exchange.say(f"w{number}")
        await then(exchange)

    return act


async def quiet_end(exchange: Exchange) -> None:
    """An orderly end of the body, without finish reason and terminal event."""
    await exchange.send(b"0\r\n\r\n")


async def comments(exchange: Exchange) -> None:
    """Keep-alive comments, and never an event."""
    with suppress(ConnectionError):
        while True:
            await exchange.send(b"e\r\n: still here\n\n\r\n")
            await asyncio.sleep(0.005)


def events(*data: bytes) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.begin()
        for each in data:
            await exchange.event(each)
        await quiet_end(exchange)

    return act


def malformed(text: str = "hello") -> Act:
    """An unreadable event in the midst of an otherwise good stream."""

    async def act(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.say(text)
        await exchange.event(b'{"choices": [{"del')
        await exchange.say(" again")
        await exchange.say("", delta={}, finish_reason="stop")
        await exchange.event(json.dumps({"id": "c1", "choices": [], "usage": USAGE}).encode())
        await exchange.event(b"[DONE]")
        await quiet_end(exchange)

    return act


def huge(size: int = 50 * 1024 * 1024) -> Act:
    """An answer far beyond any limit, without saying so beforehand."""

    async def act(exchange: Exchange) -> None:
        await exchange.head(200, {"content-type": "application/json", "transfer-encoding": "chunked"})
        block = b"x" * 65536
        with suppress(ConnectionError):
            for _ in range(size // len(block)):
                await exchange.send(b"10000\r\n" + block + b"\r\n")

    return act


@dataclass
class Hostile:
    """`base_url` to configure; what happened, to assert upon."""

    script: Sequence[Act]
    base_url: str = ""
    hits: list[float] = field(default_factory=list)
    """When each request had come in whole, monotonic seconds."""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    hangups: int = 0
    """Callers that left before their act was over."""
    _open: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = field(default_factory=dict)

    @property
    def gaps_s(self) -> list[float]:
        return [later - earlier for earlier, later in zip(self.hits, self.hits[1:], strict=False)]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while (exchange := await self._read(reader, writer)) is not None:
                self.hits.append(time.monotonic())
                self.bodies.append(exchange.body)
                self.keys.append(exchange.headers.get("authorization", "").removeprefix("Bearer "))
                await self.script[min(len(self.hits), len(self.script)) - 1](exchange)
        except ConnectionError:
            self.hangups += 1
        finally:
            del self._open[writer]
            writer.close()

    @staticmethod
    async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Exchange | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError:
            return None
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Exchange(head[0].split(" ")[1], headers, json.loads(body or b"{}"), reader, writer)

    async def close(self) -> None:
        serving = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        await asyncio.wait_for(asyncio.gather(*serving, return_exceptions=True), 5)


@asynccontextmanager
async def hostile(*script: Act) -> AsyncGenerator[Hostile, None]:
    """Serves the script (a good answer, if none is given) on a port of its own."""
    made = Hostile(script or (answer(),))
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made.base_url = f"http://127.0.0.1:{port}/v1"
    try:
        yield made
    finally:
        server.close()
        await made.close()
        await server.wait_closed()


def dead_url() -> str:
    """Where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
