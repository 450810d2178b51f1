"""Reading JSON that a provider sent, whichever wire is spoken: what is not as documented is taken for absent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import orjson

from sidecar.core.faults import MESSAGE_BYTES, Fault, Garbled
from sidecar.providers.http import provider_request_id, retry_after_s
from sidecar.providers.wire import HttpResponse

NO_HEADERS: Mapping[str, str] = {}
NOTHING: Mapping[str, Any] = {}
GEMINIS = "gemini:"
"""What the id of a reasoning block begins with that Gemini signed: of use there only, and refused elsewhere."""
_MOST_CHOICES = 1024
_MOST = 10**9
"""Tokens or seconds of one answer, a hundred times the largest context: at the dearest price its cost has just room in
a ledger row (below a million dollars). What says more is no count."""


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
    known = amount(value)
    return int(known) if known is not None and known.is_integer() else None


def amount(value: Any) -> float | None:
    """How much of something; None for what cannot be that."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value <= _MOST else None


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
        return "" if html else response.body[:MESSAGE_BYTES].decode(errors="replace").strip()


def fault_told(
    kind: type[Fault], message: str, status: int, headers: Mapping[str, str] = NO_HEADERS, code: str = ""
) -> Fault:
    """A fault in the provider's words, with what its headers say. `status` 0: there was none."""
    return kind(
        message or f"HTTP {status}",
        http_status=status,
        retry_after_s=retry_after_s(headers),
        provider_request_id=provider_request_id(headers),
        provider_code=code,
    )


def message_of(said: Mapping[str, Any]) -> str:
    """`message` or `detail` of an error object, as text."""
    return words_of(said.get("message") or said.get("detail"))


def words_of(value: Any) -> str:
    """What says why something failed: text, or other JSON as it stands; empty for what cannot be written."""
    if isinstance(value, str):
        return value
    with suppress(orjson.JSONEncodeError):  # nested too deeply
        return orjson.dumps(value).decode() if value else ""
    return ""


def codes_of(said: Mapping[str, Any], *names: str) -> list[str]:
    """The machine-readable codes of an error object, which stand under any of these names as text or number."""
    return [str(value) for name in names if isinstance(value := said.get(name), (str, int)) and value != ""]
