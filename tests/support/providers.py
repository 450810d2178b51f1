"""Small answers and accounts of our own for the tests of the wires."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.providers.wire import HttpRequest, HttpResponse, Reader, Reply

PROVIDERS_TOML = Path(__file__).resolve().parents[2] / "sidecar" / "data" / "providers.toml"


def rows() -> dict[str, dict[str, Any]]:
    """providers.toml as it stands."""
    return tomllib.loads(PROVIDERS_TOML.read_text(encoding="utf-8"))


def account(type_: str = "openai", *, name: str = "", base_url: str = "https://api.test/v1", **changes: Any) -> Account:
    """An account of that row, with its options, at an address of the test's."""
    row = rows()[type_]
    options: Mapping[str, object] = changes.pop("options", row.get("options", {}))
    return Account(name=name or type_, type=type_, wire=row["wire"], base_url=base_url, options=options, **changes)


def answer(body: Any, status: int = 200, **headers: str) -> HttpResponse:
    """An answer with a JSON body (bytes go as they are); header names with _ for -."""
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    return HttpResponse(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def sent(request: HttpRequest) -> dict[str, Any]:
    """The JSON that a request carries."""
    body: dict[str, Any] = orjson.loads(request.body)
    return body


def events(*chunks: Any, done: bool = True) -> bytes:
    """Chunks as server-sent events, and [DONE]."""
    lines = [chunk if isinstance(chunk, bytes) else orjson.dumps(chunk) for chunk in chunks]
    return b"".join(b"data: " + line + b"\n\n" for line in (*lines, *([b"[DONE]"] if done else [])))


def chunk(content: str | None = None, *, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    """One chat chunk; `delta` fields by name, other fields of the chunk under `top`."""
    top = more.pop("top", {})
    delta = {**({} if content is None else {"content": content}), **more}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return {"id": "c-1", "model": "m-1", "object": "chat.completion.chunk", "choices": [choice], **top}


def read(reader: Reader, data: bytes, cut: int = 0) -> list[Any]:
    """Feeds `data`, in pieces of `cut` bytes if given; all parts that came out."""
    pieces: Iterable[bytes] = [data[at : at + cut] for at in range(0, len(data), cut)] if cut else [data]
    return [part for piece in pieces for part in reader.feed(piece)]


def ended(reader: Reader) -> Reply:
    """What a stream came to, where nothing more is to be asked."""
    reply = reader.finish()
    assert isinstance(reply, Reply)
    return reply
