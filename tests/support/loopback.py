"""A well-behaved OpenAI-compatible provider on loopback, fast enough never to be the bottleneck.

Run as a process: `python -m tests.support.loopback READY_FILE [SEEN_FILE]`. It writes its base URL to
READY_FILE. Every request's marker (a UUID in the last message) is appended to SEEN_FILE before the answer
leaves, so that a test can tell which calls a provider was really asked.

What it does is asked for by model name: "plain", "slow-250" (waits 250 ms), "tokens-40" (streams 40 parts),
"tokens-40-5" (with 5 ms between them), "dead" (500 for ever).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import BinaryIO, cast

import orjson
import uvloop

MARKER = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}


def unary(model: str) -> bytes:
    body = json.dumps(
        {
            "id": "chatcmpl-loopback",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Seven words that a provider once said."},
                    "finish_reason": "stop",
                }
            ],
            "usage": USAGE,
        }
    ).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def failure(status: int) -> bytes:
    body = b'{"error":{"message":"down for good","type":"server_error"}}'
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )


def event(content: dict[str, object]) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"


def parts(model: str, tokens: int) -> list[bytes]:
    """The events of a stream."""
    base = {"id": "chatcmpl-loopback", "object": "chat.completion.chunk", "created": 1, "model": model}
    delta = [
        event({**base, "choices": [{"index": 0, "delta": {"content": f"word{number} "}, "finish_reason": None}]})
        for number in range(tokens)
    ]
    last = event({**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    usage = {"prompt_tokens": 12, "completion_tokens": tokens, "total_tokens": 12 + tokens}
    return [*delta, last, event({**base, "choices": [], "usage": usage}), b"data: [DONE]\n\n"]


class Provider(asyncio.Protocol):
    def __init__(self, seen: BinaryIO | None) -> None:
        self._seen = seen
        self._buffer = b""
        self._answers: dict[str, bytes] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            found = LENGTH.search(self._buffer, 0, end)
            size = int(found.group(1)) if found else 0
            if len(self._buffer) < end + 4 + size:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + size], self._buffer[end + 4 + size :]
            self.answer(orjson.loads(body) if body else {}, body)

    def answer(self, asked: dict[str, object], body: bytes) -> None:
        if self._seen and (marker := MARKER.search(body)):
            self._seen.write(marker.group() + b"\n")
            self._seen.flush()
        model = str(asked.get("model", ""))
        kind, *numbers = model.split("-")
        if kind == "dead":
            self._transport.write(failure(500))
        elif asked.get("stream"):
            tokens = int(numbers[0]) if kind == "tokens" else 5
            pause_s = int(numbers[1]) / 1000 if kind == "tokens" and len(numbers) > 1 else 0.0
            self.later(self.stream(model, tokens, pause_s))
        elif kind == "slow":
            self.later(self.slow(model, int(numbers[0]) / 1000))
        else:
            if model not in self._answers:
                self._answers[model] = unary(model)
            self._transport.write(self._answers[model])

    def later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def slow(self, model: str, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        self._transport.write(unary(model))

    async def stream(self, model: str, tokens: int, pause_s: float) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        if not pause_s:
            whole = b"".join(parts(model, tokens))
            self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(whole), whole))
            return
        for part in parts(model, tokens):
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part))
            await asyncio.sleep(pause_s)
        self._transport.write(b"0\r\n\r\n")


async def serve(ready: Path, seen_path: str) -> None:
    with Path(seen_path or "/dev/null").open("ab") as seen:
        server = await asyncio.get_running_loop().create_server(
            lambda: Provider(seen if seen_path else None), "127.0.0.1", 0, backlog=1024
        )
        port = server.sockets[0].getsockname()[1]
        ready.write_text(f"http://127.0.0.1:{port}/v1\n")
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""))
