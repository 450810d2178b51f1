"""Small requests, answers and streams of our own for the tests of the Anthropic wire."""

from __future__ import annotations

from typing import Any

import orjson
from google.protobuf import json_format

from sidecar.core.call import Operation
from sidecar.providers.registry import wire
from sidecar.providers.wire import Codec, HttpRequest, Reader
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

BASE_URL = "https://api.test"
OLD, BOTH, NEW, STRICT = "claude-haiku-4-5", "claude-sonnet-4-6", "claude-opus-4-8", "claude-opus-5-5"
"""By budget; by budget or effort; by effort; by effort, and more refused."""
USER = [{"role": "ROLE_USER", "text": "hi"}]


def codec() -> Codec:
    return wire("anthropic")[Operation.CHAT]


def encode(fields: dict[str, Any], model: str = OLD, *, stream: bool = False, **changes: Any) -> HttpRequest:
    """Of a chat request given in protobuf's JSON form."""
    request = json_format.ParseDict({"messages": USER, **fields}, pb.ChatRequest())
    type_ = changes.pop("type_", "anthropic")
    options = {"auth": "x-api-key"} | changes.pop("options", {})
    target = account(type_, base_url=changes.pop("base_url", BASE_URL), options=options, **changes)
    return codec().encode(request, model, stream, target, "sk-1")


def chat(model: str = OLD, *, stream: bool = False, **fields: Any) -> dict[str, Any]:
    """The JSON that is sent."""
    return sent(encode(fields, model, stream=stream))


def turns(*messages: dict[str, Any], model: str = OLD) -> list[dict[str, Any]]:
    """`messages` as sent."""
    found: list[dict[str, Any]] = chat(model, messages=list(messages))["messages"]
    return found


def reader() -> Reader:
    make = codec().reader
    assert make is not None
    return make()


def events(*each: dict[str, Any] | bytes) -> bytes:
    """As server-sent events, each under its type's name."""
    return b"".join(
        b"event: garbage\ndata: " + event + b"\n\n"
        if isinstance(event, bytes)
        else f"event: {event.get('type')}\ndata: ".encode() + orjson.dumps(event) + b"\n\n"
        for event in each
    )


def start(**usage: Any) -> dict[str, Any]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m-1", "content": []}
    return {"type": "message_start", "message": {**message, "usage": usage or {"input_tokens": 3, "output_tokens": 1}}}


def block(index: int, begun: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    """A whole content block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": begun},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(said: str, index: int = 0) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, {"type": "text_delta", "text": said})


def end(reason: str = "end_turn", **usage: Any) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": usage or {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
