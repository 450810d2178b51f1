"""The Anthropic wire against a real server that speaks it: llama.cpp's, with the embedded model."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar import local_model
from sidecar.core.faults import ContextTooLong
from sidecar.providers.transport import HttpxTransport
from sidecar.providers.wire import Reply
from tests.support.anthropic import codec, encode, reader
from tests.support.providers import ended

READY_S = 30.0
CONNECT_S = 5.0
MAX_BYTES = 1_000_000
ASK = {
    "max_tokens": 16,
    "messages": [{"role": "ROLE_SYSTEM", "text": "Be brief."}, {"role": "ROLE_USER", "text": "Hi"}],
}

pytestmark = pytest.mark.skipif(bool(local_model.missing()), reason=local_model.missing())


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    told = tmp_path_factory.mktemp("model") / "ready.json"
    server = subprocess.Popen([sys.executable, "-m", "sidecar.local_model", str(told)])
    try:
        yield str(_ready(told, server)["base_url"])
    finally:
        server.terminate()
        server.wait()


def _ready(told: Path, server: subprocess.Popen[bytes]) -> dict[str, Any]:
    until = time.monotonic() + READY_S
    while time.monotonic() < until and server.poll() is None:
        if told.exists() and (line := told.read_text()).endswith("\n"):
            found: dict[str, Any] = json.loads(line)
            return found
        time.sleep(0.05)
    raise AssertionError("the embedded model did not start")


async def test_a_whole_answer(base_url: str) -> None:
    transport = HttpxTransport()
    response = await transport.send(
        encode(ASK, local_model.MODEL, base_url=base_url), connect_s=CONNECT_S, max_bytes=MAX_BYTES
    )
    await transport.close()
    reply = codec().decode(response)
    assert isinstance(reply, Reply)
    assert reply.payload.choices[0].message.text
    assert reply.finish_reasons[0] in ("end_turn", "max_tokens")
    assert reply.usage is not None
    assert reply.usage.input
    assert reply.usage.output


async def test_a_stream(base_url: str) -> None:
    transport, each = HttpxTransport(), reader()
    request = encode(ASK, local_model.MODEL, stream=True, base_url=base_url)
    async with transport.stream(request, connect_s=CONNECT_S, max_bytes=MAX_BYTES) as answer:
        parts = [part async for data in answer.chunks() for part in each.feed(data)]
    await transport.close()
    reply = ended(each)
    assert "".join(part.text for part in parts)
    assert (each.done, each.malformed) == (True, 0)
    assert reply.usage is not None
    assert reply.usage.input
    assert reply.usage.output


async def test_a_prompt_that_does_not_fit(base_url: str) -> None:
    transport = HttpxTransport()
    request = encode({"prompt": "x " * 2 * local_model.CONTEXT_TOKENS}, local_model.MODEL, base_url=base_url)
    response = await transport.send(request, connect_s=CONNECT_S, max_bytes=MAX_BYTES)
    await transport.close()
    assert isinstance(codec().fault(response), ContextTooLong)
