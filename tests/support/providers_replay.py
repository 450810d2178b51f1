"""Recorded exchanges of real providers, and a loopback server that answers as they did.

The recordings are not part of the project: `TAXIMETER_RECORDINGS` names the folder that has `exchanges.jsonl.gz`.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What belongs to the recorded connection and not to the answer.
_HOP_HEADERS = frozenset(
    {"content-length", "transfer-encoding", "connection", "content-encoding", "date", "server", "keep-alive"}
)
_EVENT = re.compile(r".+?(?:\r?\n\r?\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Exchange:
    """One line of the recordings, as it stands."""

    line: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.line["id"])

    @property
    def provider(self) -> str:
        return str(self.line["provider"])

    @property
    def operation(self) -> str:
        return str(self.line["operation"])

    @property
    def stream(self) -> bool:
        """Some recorders know a stream by its events only: AWS's has a path of its own."""
        return bool(self.line["stream"]) or self.path.endswith("-stream")

    @property
    def path(self) -> str:
        """As recorded; empty where only the answer was."""
        return str((self.line["request"] or {}).get("path") or "")

    @property
    def sent(self) -> dict[str, Any] | None:
        """The recorded request's JSON; None where only the answer was recorded."""
        sent: dict[str, Any] | None = (self.line["request"] or {}).get("json")
        return sent

    @property
    def status(self) -> int:
        return int(self.line["response"]["status"])

    @property
    def body(self) -> bytes:
        response = self.line["response"]
        return base64.b64decode(response["body_b64"]) if "body_b64" in response else response.get("body", "").encode()

    @property
    def usage(self) -> Mapping[str, Any]:
        """Normalised by the recorder; empty where the provider reported none."""
        return self.line["usage"] or {}

    def answer(self) -> bytes:
        """The recorded answer as HTTP/1.1: a stream event by event, in chunks."""
        headers = {
            name: value
            for name, value in self.line["response"]["headers"].items()
            if name not in _HOP_HEADERS and "\n" not in value and value.isascii()
        }
        headers.setdefault("content-type", "text/event-stream" if self.stream else "application/json")
        head = [f"HTTP/1.1 {self.status} Recorded", *(f"{name}: {value}" for name, value in headers.items())]
        if not self.stream:
            return "\r\n".join([*head, f"content-length: {len(self.body)}", "", ""]).encode() + self.body
        binary = "body_b64" in self.line["response"]
        chunks = [self.body] if binary else [event.encode() for event in _EVENT.findall(self.body.decode())]
        framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        return "\r\n".join([*head, "transfer-encoding: chunked", "", ""]).encode() + framed + b"0\r\n\r\n"

    def later(self) -> bytes:
        """What a poll gets of a job that was under way when it was recorded: the same job, done."""
        body = json.dumps({**json.loads(self.body), "status": "succeeded"}).encode()
        return b"HTTP/1.1 200 Recorded\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )


def load(folder: Path) -> list[Exchange]:
    with gzip.open(folder / "exchanges.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [Exchange(json.loads(line)) for line in lines]


class Replay:
    """Answers `POST /<id>/<path>` as recorded and remembers what was sent last."""

    def __init__(self, exchanges: Mapping[str, Exchange]) -> None:
        self._exchanges = exchanges
        self.port = 0
        self.seen: dict[str, tuple[str, dict[str, Any]]] = {}
        """Exchange id -> path and JSON as we sent them."""

    def address(self, exchange_id: str) -> str:
        return f"http://127.0.0.1:{self.port}/{exchange_id}"

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
                length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1]) if length else 0)
                exchange_id, _, path = head.split(" ", 2)[1].lstrip("/").partition("/")
                exchange = self._exchanges[exchange_id]
                if head.startswith("GET ") and exchange_id in self.seen:
                    writer.write(exchange.later())
                else:
                    self.seen[exchange_id] = ("/" + path, json.loads(body or b"{}"))
                    writer.write(exchange.answer())
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def replaying(exchanges: Mapping[str, Exchange]) -> AsyncIterator[Replay]:
    replay = Replay(exchanges)
    server = await asyncio.start_server(replay.connected, "127.0.0.1", 0)
    replay.port = server.sockets[0].getsockname()[1]
    try:
        yield replay
    finally:
        server.close()
