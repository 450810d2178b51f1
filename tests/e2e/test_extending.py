"""docs/extending.md: its row, wire and entry point, in a real sidecar against a server that speaks that wire."""

from __future__ import annotations

import json
import os
import re
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from taximeter import Client, errors
from tests.support.books import booked
from tests.support.stack import Stack, stack

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "extending.md").read_text()
ROW, PROJECT = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(WIRE,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
KEY = "sk-acme-0123456789"


class Acme(BaseHTTPRequestHandler):
    """Answers as the page says that Acme does."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        good = self.path == "/v1/ask" and self.headers["authorization"] == f"Bearer {KEY}"
        said = {"said": f"{asked['model']} heard {asked['ask']!r}", "spent": {"in": 4, "out": 6}, "why": "done"}
        body = json.dumps(said if good else {"sorry": "no"}).encode()
        self.send_response(200 if good else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def acme() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Acme)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


def installed(running: Stack, wire: str) -> None:
    """The page's package, as an installer would leave it."""
    site = running.folder / "site"
    project = tomllib.loads(PROJECT)["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]
    lines = [line for group in points for line in (f"[{group}]", *(f"{k} = {v}" for k, v in points[group].items()))]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    (site / "acme_wire.py").write_text(wire)
    running.env["PYTHONPATH"] += f"{os.pathsep}{site}"
    (running.cwd / "acme.toml").write_text(ROW)


@pytest.fixture
def running() -> Iterator[Stack]:
    with acme() as url, stack(TAXIMETER_PROVIDER_TYPES="acme.toml", ACME_API_KEY=KEY, AI_ACME_URL=url) as built:
        yield built


def test_the_page_s_wire_answers_and_is_metered(running: Stack) -> None:
    installed(running, WIRE)
    running.bookkeeper()
    running.sidecar()
    with Client(running.address, timeout=20) as client:
        reply = client.chat("hello", task="fast")
        with client.stream("hello", alias="smart") as stream:
            whole = "".join(stream.text)
    row, streamed = booked(running)
    assert (reply.text, reply.finish_reason) == ("acme-small heard 'hello'", "done")
    assert whole == "acme-large heard 'hello'"
    assert (row["provider"], row["model"], row["input_tokens"], row["output_tokens"]) == ("acme", "acme-small", 4, 6)
    assert (row["usage_source"], row["priced"], row["cost_usd"]) == ("reported", False, None)
    assert (streamed["status"], streamed["streamed"], streamed["output_tokens"]) == ("ok", True, 6)


def test_a_wire_that_cannot_be_loaded_is_told_and_does_not_stop_the_start(running: Stack) -> None:
    installed(running, "raise RuntimeError('half installed')")
    sidecar = running.sidecar()
    with Client(running.address, timeout=20) as client, pytest.raises(errors.TaximeterError) as refused:
        client.chat("hello", provider="acme")
    assert "the acme wire is not available" in str(refused.value)
    assert "cannot be loaded from acme_wire:WIRE: RuntimeError('half installed')" in sidecar.said()
