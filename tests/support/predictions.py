"""A loopback server that plays Replicate by script: each request gets the next answer, and is remembered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

CREATE_PATH = "/v1/models/meta/llama/predictions"
POLL = "GET /v1/predictions/p1"
STREAM = "GET /stream/p1"
METRICS = {"input_token_count": 4, "output_token_count": 2, "predict_time": 0.5}


@dataclass
class Hit:
    line: str
    """ "GET /v1/predictions/p1"."""
    headers: dict[str, str]
    body: Any


Answer = Callable[["Predictions"], tuple[int, str, bytes]]
"""(status, content type, body); an empty content type: the connection breaks instead."""


@dataclass
class Predictions:
    script: Sequence[Answer]
    hits: list[Hit] = field(default_factory=list)
    port: int = 0

    @property
    def lines(self) -> list[str]:
        return [hit.line for hit in self.hits]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        place = min(len(self.hits), len(self.script) - 1)
        self.hits.append(Hit(head[0].rpartition(" ")[0], headers, json.loads(body) if body else None))
        status, content_type, said = self.script[place](self)
        if not content_type:
            return False
        head_out = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(said)}\r\n\r\n"
        writer.write(head_out.encode() + said)
        await writer.drain()
        return True


@asynccontextmanager
async def predicting(*script: Answer) -> AsyncIterator[Predictions]:
    """The last answer repeats."""
    played = Predictions(script)
    server = await asyncio.start_server(played.connected, "127.0.0.1", 0)
    played.port = server.sockets[0].getsockname()[1]
    try:
        yield played
    finally:
        server.close()


def told(status: str, *, streams: bool = True, code: int = 200, **more: Any) -> Answer:
    """A prediction."""

    def answer(played: Predictions) -> tuple[int, str, bytes]:
        urls = {"stream": f"http://127.0.0.1:{played.port}/stream/p1"} if streams else {}
        said = {"id": "p1", "model": "meta/llama", "status": status, "urls": urls, **more}
        return code, "application/json", json.dumps(said).encode()

    return answer


def heard(*events: tuple[str, str]) -> Answer:
    """Server-sent events, (name, data) each."""
    data = "".join(f"event: {name}\ndata: {text}\n\n" for name, text in events).encode()
    return lambda _: (200, "text/event-stream", data)


def failing(code: int) -> Answer:
    return lambda _: (code, "application/json", b'{"detail":"no"}')


def breaking() -> Answer:
    """The connection ends without an answer."""
    return lambda _: (0, "", b"")
