"""Ollama's own wire, under /api. What it says under /v1 is the OpenAI wire."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from sidecar.core.call import Operation
from taximeter.v1 import payload_pb2 as pb
from tests.conformance.family import Family
from tests.conformance.outcome import Choice, Outcome, recorded_usage
from tests.support.providers_replay import Exchange

PATHS = {"/api/chat": Operation.CHAT, "/api/generate": Operation.COMPLETION, "/api/embed": Operation.EMBEDDING}
REQUESTS: dict[Operation, Callable[[], Any]] = {
    Operation.CHAT: pb.ChatRequest,
    Operation.COMPLETION: pb.CompletionRequest,
    Operation.EMBEDDING: pb.EmbeddingRequest,
}
EMPTY: tuple[Any, ...] = (None, "", [], {}, False)


def _operation(exchange: Exchange) -> Operation:
    return PATHS[exchange.path]


def _mine(exchange: Exchange) -> bool:
    return exchange.provider == "ollama" and exchange.path in PATHS


# --- asked ---------------------------------------------------------------------


def _translate(exchange: Exchange) -> tuple[Any, list[str]]:
    recorded = {name: value for name, value in (exchange.sent or {}).items() if value not in EMPTY}
    for name in ("model", "stream"):
        recorded.pop(name, None)
    operation = _operation(exchange)
    fields: dict[str, Any] = {}
    rest = {}
    for name, value in recorded.items():
        try:
            fields |= READERS[operation][name](value)
        except (KeyError, ValueError):
            rest[name] = value
    if rest:
        fields["provider_options"] = {"ollama": rest}
    return json_format.ParseDict(fields, REQUESTS[operation]()), sorted(rest)


def _as(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: value}


OPTIONS = {"num_predict": "max_tokens"} | {
    name: name for name in ("temperature", "top_p", "top_k", "seed", "stop", "frequency_penalty", "presence_penalty")
}


def _options(recorded: dict[str, Any]) -> dict[str, Any]:
    if recorded.keys() - OPTIONS.keys():
        raise ValueError(recorded)
    return {OPTIONS[name]: value for name, value in recorded.items()}


def _message(recorded: dict[str, Any]) -> dict[str, Any]:
    if recorded.keys() - {"role", "content", "images", "thinking", "tool_calls", "tool_name", "tool_call_id"}:
        raise ValueError(recorded)
    return {
        "role": f"ROLE_{recorded['role'].upper()}",
        "text": recorded.get("content") or "",
        "parts": [{"image": {"data": image, "media_type": "image/png"}} for image in recorded.get("images") or ()],
        "reasoning": recorded.get("thinking") or "",
        "name": recorded.get("tool_name") or "",
        "tool_call_id": recorded.get("tool_call_id") or "",
        "tool_calls": [_call(each) for each in recorded.get("tool_calls") or ()],
    }


def _call(recorded: dict[str, Any]) -> dict[str, Any]:
    function = recorded["function"]
    return {
        "id": recorded.get("id") or "",
        "name": function["name"],
        "arguments": json.dumps(function.get("arguments") or {}),
    }


def _format(recorded: Any) -> dict[str, Any]:
    if recorded == "json":
        return {"response_format": {"json_object": True}}
    return {"response_format": {"json_schema": {"schema": recorded}}}


def _think(recorded: Any) -> dict[str, Any]:
    return {"reasoning_effort": recorded if isinstance(recorded, str) else "high"}


READERS: dict[Operation, dict[str, Callable[[Any], dict[str, Any]]]] = {
    Operation.CHAT: {
        "messages": lambda recorded: {"messages": [_message(each) for each in recorded]},
        "tools": lambda recorded: {"tools": [each["function"] for each in recorded]},
        "format": _format,
        "think": _think,
        "options": _options,
        "logprobs": _as("logprobs"),
        "top_logprobs": _as("top_logprobs"),
    },
    Operation.COMPLETION: {"prompt": _as("prompt"), "suffix": _as("suffix"), "options": _options},
    Operation.EMBEDDING: {
        "input": lambda recorded: {"inputs": [recorded] if isinstance(recorded, str) else recorded},
        "dimensions": _as("dimensions"),
    },
}


# --- answered --------------------------------------------------------------------


def _expected(exchange: Exchange) -> Outcome:
    lines = [json.loads(line) for line in exchange.body.decode().splitlines() if line.strip()]
    for line in lines:
        if exchange.status >= 400 or "error" in line:
            kinds = {400: "BadRequest", 401: "KeyRejected", 404: "ModelNotFound", 429: "RateLimited"}
            return Outcome(error=(exchange.status, kinds.get(exchange.status, "ServerError"), line["error"]))
    if _operation(exchange) is Operation.EMBEDDING:
        vectors = [list(array("f", vector)) for vector in lines[0]["embeddings"]]
        return Outcome(usage=recorded_usage(exchange), vectors=vectors, model=lines[0].get("model") or "")
    choice = Choice(finish=lines[-1].get("done_reason") or "")
    for line in lines:
        said = line.get("message") or line
        choice.text += said.get("content") or said.get("response") or ""
        choice.reasoning += said.get("thinking") or ""
        for call in said.get("tool_calls") or ():
            arguments = json.dumps(call["function"].get("arguments") or {}, separators=(",", ":"), ensure_ascii=False)
            choice.calls.append([call.get("id") or "", call["function"]["name"], arguments])
    return Outcome(choices=[choice], usage=recorded_usage(exchange), model=lines[0]["model"])


# --- sent ------------------------------------------------------------------------


def _sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    wrong = [] if path == exchange.path else [f"path: recorded {exchange.path}, ours {path}"]
    before, ours = _comparable(exchange.sent or {}), _comparable(sent)
    differing = [name for name in sorted(before.keys() | ours.keys()) if before.get(name) != ours.get(name)]
    return wrong + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {ours.get(name)!r:.300}" for name in differing
    ]


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What means the same written the same: absent and empty, one text and a list of one."""
    found = {name: value for name, value in body.items() if value not in EMPTY}
    if isinstance(found.get("input"), str):
        found["input"] = [found["input"]]
    if "messages" in found:
        found["messages"] = [{k: v for k, v in each.items() if v not in EMPTY} for each in found["messages"]]
    return found


FAMILY = Family(
    name="ollama",
    mine=_mine,
    wire=lambda _: "ollama",
    operation=_operation,
    account_type=lambda _: "ollama",
    base_path=lambda _: "",
    model=lambda exchange: (exchange.sent or {}).get("model") or "unknown",
    translate=_translate,
    expected=_expected,
    sent_misses=_sent_misses,
)
