"""Words planted where they must not be found again, and everything that is searched for them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.hostile import Act, Exchange, status
from tests.support.stack import Stack

FACES = (b"-wal", b"-shm")


def echoing(code: int) -> Act:
    """A provider that sends back, wherever there is room for words, the key and all that it was asked."""

    async def act(exchange: Exchange) -> None:
        key = exchange.headers.get("authorization", "").removeprefix("Bearer ")
        said = f"you came with {key} and asked {exchange.body}"
        error = {"message": said, "type": key, "code": key, "param": key}
        headers = {"x_request_id": key, "openai_organization": key, "set_cookie": key, "retry_after": "0"}
        await status(code, {"error": error}, **headers)(exchange)

    return act


async def answering_with_the_key(exchange: Exchange) -> None:
    """A good answer in which the key stands in every field of the frame."""
    key = exchange.headers.get("authorization", "").removeprefix("Bearer ")
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    message = {"role": "assistant", "content": "so be it"}
    body = {
        "id": key,
        "object": "chat.completion",
        "model": key,
        "system_fingerprint": key,
        "service_tier": key,
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": usage,
    }
    await status(200, body, x_request_id=key, openai_processing_ms=key)(exchange)


def run(running: Stack, *argv: str, given: str = "") -> bytes:
    """What the command line says, on both streams."""
    done = subprocess.run(
        [sys.executable, "-m", "sidecar", *argv],
        env=running.env,
        cwd=running.cwd,
        input=given.encode(),
        capture_output=True,
        check=False,
    )
    return b"\n".join((" ".join(argv).encode(), done.stdout, done.stderr))


def files(folder: Path, pattern: str = "*") -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob(pattern)) if path.is_file())


def around(found: Mapping[str, bytes], place: str, word: str) -> bytes:
    """Where the word stands, with what is before and behind it; empty if it is not there."""
    text, at = found[place], found[place].find(word.encode())
    return text[max(at - 200, 0) : at + 200] if at >= 0 else b""
