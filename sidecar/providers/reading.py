"""Reading JSON that a provider sent, whichever wire is spoken: what is not as documented is taken for absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sidecar.core.faults import Fault, Garbled
from sidecar.providers.http import provider_request_id, retry_after_s
from sidecar.providers.wire import HttpResponse

NO_HEADERS: Mapping[str, str] = {}
NOTHING: Mapping[str, Any] = {}
_MOST_CHOICES = 1024
_MESSAGE_BYTES = 2048
_CODE_CHARACTERS = 64


def text_of(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    return value if isinstance(value, str) else ""


def object_of(said: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """The JSON objects of a list; empty for anything else."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def index_of(entry: Mapping[str, Any], place: int) -> int:
    """Which choice an entry is about: its `index`, where that can be one, else its place in the list."""
    index = entry.get("index")
    return index if type(index) is int and 0 <= index < _MOST_CHOICES else place  # a bool is an int, but no index


def count(value: Any) -> int | None:
    """A count of something; None for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if 0 <= value < 2**53 and value == int(value) else None


def json_object(data: bytes) -> dict[str, Any] | None:
    """None for what is no JSON object."""
    try:
        found = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def answer_of(response: HttpResponse) -> dict[str, Any]:
    """The JSON object that a good answer's body is. Raises Garbled."""
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise garbled("the answer is not JSON", response) from None
    if not isinstance(body, dict):
        raise garbled("the answer is not a JSON object", response)
    return body


def garbled(message: str, response: HttpResponse) -> Garbled:
    return Garbled(message, http_status=response.status, provider_request_id=provider_request_id(response.headers))


def error_body(response: HttpResponse) -> Any:
    """The JSON of an answer outside 2xx; its text where it is no JSON, unless it is a page for browsers."""
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        html = "html" in response.headers.get("content-type", "")
        return "" if html else response.body[:_MESSAGE_BYTES].decode(errors="replace").strip()


def fault_told(
    kind: type[Fault], message: str, status: int, headers: Mapping[str, str] = NO_HEADERS, code: str = ""
) -> Fault:
    """A fault in the provider's words, at most 2 KiB of them, with what its headers say. `status` 0: there was none."""
    return kind(
        bounded(message) or f"HTTP {status}",
        http_status=status,
        retry_after_s=retry_after_s(headers),
        provider_request_id=provider_request_id(headers),
        provider_code=code[:_CODE_CHARACTERS],
    )


def bounded(message: str) -> str:
    if len(message) * 4 <= _MESSAGE_BYTES:
        return message
    return message.encode()[:_MESSAGE_BYTES].decode(errors="ignore")


def message_of(said: Mapping[str, Any]) -> str:
    """`message` or `detail` of an error object, as text."""
    message = said.get("message") or said.get("detail") or ""
    return message if isinstance(message, str) else orjson.dumps(message).decode()
