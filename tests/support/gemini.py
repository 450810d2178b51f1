"""Small requests, answers and streams of our own for the tests of the Gemini wire."""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format

from sidecar.core.call import Operation
from sidecar.providers.registry import wire
from sidecar.providers.wire import Codec, HttpRequest, Reader
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, events, sent

BASE_URL = "https://g.test"
BUDGETS, LEVELS, OLD = "gemini-2.5-flash", "gemini-3.5-flash", "gemini-2.0-flash"
USER = [{"role": "ROLE_USER", "text": "hi"}]
USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}


def codec(operation: Operation = Operation.CHAT) -> Codec:
    return wire("gemini")[operation]


def encode(fields: dict[str, Any], model: str = BUDGETS, *, stream: bool = False, **changes: Any) -> HttpRequest:
    """Of a chat request given in protobuf's JSON form."""
    request = json_format.ParseDict({"messages": USER, **fields}, pb.ChatRequest())
    return codec().encode(request, model, stream, target(**changes), "key-1")


def target(type_: str = "gemini", base_url: str = BASE_URL, **changes: Any) -> Any:
    options = {"auth": "bearer", "address": "vertex"} if type_ == "vertexai" else {"auth": "x-goog-api-key"}
    return account(type_, base_url=base_url, options=options, **changes)


def chat(model: str = BUDGETS, **fields: Any) -> dict[str, Any]:
    """The JSON that is sent."""
    return sent(encode(fields, model))


def config(model: str = BUDGETS, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = chat(model, **fields).get("generationConfig", {})
    return found


def contents(*messages: dict[str, Any], model: str = BUDGETS) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chat(model, messages=list(messages))["contents"]
    return found


def parts(*pieces: Any, finish: str = "", index: int = 0, usage: Any = None, **more: Any) -> dict[str, Any]:
    """An answer, or an event, with one candidate; texts as they are."""
    candidate: dict[str, Any] = {"index": index}
    if pieces:
        said = [{"text": piece} if isinstance(piece, str) else piece for piece in pieces]
        candidate["content"] = {"role": "model", "parts": said}
    if finish:
        candidate["finishReason"] = finish
    body = {"candidates": [candidate | more.pop("candidate", {})], "modelVersion": "gemini-m", "responseId": "r-1"}
    return {**body, **({"usageMetadata": usage} if usage else {}), **more}


def called(name: str = "f", signature: str = "", **fields: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, **fields}, **({"thoughtSignature": signature} if signature else {})}


def reader() -> Reader:
    make = codec().reader
    assert make is not None
    return make()


def stream(*chunks: Any) -> bytes:
    return events(*chunks, done=False)
