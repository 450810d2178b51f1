"""A fake Ollama on loopback: its management API, and enough of its chat to be called.

In this loop (`async with ollama() as fake`), or as a process: `python -m tests.support.fakeollama READY_FILE`, which
writes its URL there. What it holds is `small:latest`; what can be pulled is asked for by name: "new" (two layers),
"slow" (says 1 of 100 and then waits until it is left), "huge" (the disk is full), "cut" (breaks off); others are not
in its library.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DETAILS = {"format": "gguf", "family": "llama", "parameter_size": "1.2B", "quantization_level": "Q4_K_M"}
SHOWN = {
    "license": "MIT",
    "modelfile": "FROM small",
    "parameters": "stop x\nnum_ctx 2048",
    "template": "{{ .Prompt }}",
    "details": DETAILS,
    "model_info": {"general.architecture": "llama", "llama.context_length": 8192, "tokenizer.ggml.tokens": None},
    "capabilities": ["completion", "tools"],
    "modified_at": "2026-11-01T10:00:00.123456789+02:00",
}
ENDED = {"done": True, "done_reason": "stop", "prompt_eval_count": 3, "eval_count": 1, "load_duration": 12}
LAYER = "sha256:aa"
PULLS: dict[str, list[dict[str, Any]]] = {
    "new": [
        {"status": "pulling manifest"},
        {"status": f"pulling {LAYER}", "digest": LAYER, "total": 100},
        {"status": f"pulling {LAYER}", "digest": LAYER, "total": 100, "completed": 60},
        {"status": f"pulling {LAYER}", "digest": LAYER, "total": 100, "completed": 100},
        {"status": "verifying sha256 digest"},
        {"status": "success"},
    ],
    "slow": [{"status": f"pulling {LAYER}", "digest": LAYER, "total": 100, "completed": 1}],
    "huge": [{"status": "pulling manifest"}, {"error": "write /models/blobs/x-partial: no space left on device"}],
    "cut": [{"status": f"pulling {LAYER}", "digest": LAYER, "total": 100, "completed": 7}],
}


def tag(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "model": name,
        "size": 1_300_000_000,
        "digest": "baf6a787fdff",
        "modified_at": SHOWN["modified_at"],
        "details": DETAILS,
    }


@dataclass
class FakeOllama:
    url: str = ""
    held: list[str] = field(default_factory=lambda: ["small:latest"])
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    """(method, path, JSON)"""
    keys: list[str] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Somebody hung up on a pull."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        asked = json.loads(body) if body else {}
        self.requests.append((method, path, asked))
        self.keys.append(headers.get("authorization", ""))
        model = asked.get("model", "")
        match path:
            case "/api/tags":
                await _send(writer, 200, {"models": [tag(name) for name in self.held]})
            case "/api/show" if model in self.held:
                await _send(writer, 200, SHOWN)
            case "/api/delete" if model in self.held:
                self.held.remove(model)
                await _send(writer, 200, None)
            case "/api/pull":
                await self._pull(model, reader, writer)
            case "/api/chat" if asked["stream"]:
                await _stream(writer, [{"model": model, "message": {"content": "hi"}, "done": False}, ENDED])
            case "/api/chat":
                await _send(writer, 200, {"model": model, "message": {"content": "hi"}, **ENDED})
            case _:
                await _send(writer, 404, {"error": f"model '{model}' not found"})

    async def _pull(self, model: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = PULLS.get(
            model, [{"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"}]
        )
        await _stream(writer, lines, ended=model != "slow")
        if model == "slow":
            await reader.read()
            self.left.set()
            return
        if model == "new":
            self.held.append("new:latest")


async def _stream(writer: asyncio.StreamWriter, lines: list[dict[str, Any]], *, ended: bool = True) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n")
    for line in lines:
        data = json.dumps(line).encode() + b"\n"
        writer.write(b"%x\r\n%b\r\n" % (len(data), data))
    if ended:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _send(writer: asyncio.StreamWriter, status: int, body: Any) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    writer.write(b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
                 % (status, len(data), data))  # fmt: skip
    await writer.drain()


@asynccontextmanager
async def ollama(held: Iterable[str] = ("small:latest",)) -> AsyncIterator[FakeOllama]:
    fake = FakeOllama(held=list(held))
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.url = "http://{}:{}".format(*server.sockets[0].getsockname())
    try:
        yield fake
    finally:
        server.close()


async def main(ready: Path) -> None:
    async with ollama() as fake:
        ready.write_text(f"{fake.url}\n")
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
