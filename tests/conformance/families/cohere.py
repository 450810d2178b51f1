"""Cohere's own wire, version 2. What was recorded of version 1 is another API."""

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

SUFFIXES = {"chat": "/chat", "embeddings": "/embed"}
OPERATIONS = {"chat": Operation.CHAT, "embeddings": Operation.EMBEDDING}
SAME = ("temperature", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "logprobs")
RENAMED = {"p": "top_p", "k": "top_k", "stop_sequences": "stop"}


def _mine(exchange: Exchange) -> bool:
    if exchange.provider != "cohere" or exchange.operation not in SUFFIXES:
        return False
    return not exchange.path or exchange.path.endswith("/v2" + SUFFIXES[exchange.operation])


# --- asked ---------------------------------------------------------------------


def _translate(exchange: Exchange) -> tuple[Any, list[str]]:
    recorded = {name: value for name, value in (exchange.sent or {}).items() if name not in ("model", "stream")}
    request, readers = (pb.ChatRequest(), CHAT) if exchange.operation == "chat" else (pb.EmbeddingRequest(), EMBEDDING)
    fields: dict[str, Any] = {}
    rest = {}
    for name, value in recorded.items():
        try:
            fields |= readers[name](value)
        except (KeyError, ValueError):
            rest[name] = value
    if exchange.operation == "chat" and not fields.get("messages"):
        fields["prompt"] = "what the recorded messages say"
    if rest:
        fields["provider_options"] = {"cohere": rest}
    return json_format.ParseDict(fields, request), sorted(rest)


def _as(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: value}


def _message(recorded: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": f"ROLE_{recorded['role'].upper()}"}
    content = recorded.get("content")
    if isinstance(content, str):
        message["text"] = content
    thoughts = [part for part in content or () if isinstance(part, dict) and part["type"] == "thinking"]
    if not isinstance(content, str):
        message["parts"] = [_part(part) for part in content or () if part not in thoughts]
    blocks = [{"text": part["thinking"]} for part in thoughts]
    if recorded.get("tool_plan"):
        blocks.append({"text": recorded["tool_plan"], "id": "tool_plan"})
    message["reasoning_blocks"] = blocks
    message["tool_calls"] = [{"id": each["id"], **each["function"]} for each in recorded.get("tool_calls") or ()]
    if "tool_call_id" in recorded:
        message["tool_call_id"] = recorded["tool_call_id"]
    return message


def _part(part: dict[str, Any]) -> dict[str, Any]:
    match part:
        case {"type": "text", "text": text}:
            return {"text": text}
        case {"type": "image_url", "image_url": str(url)}:
            return {"image": {"url": url}}
        case {"type": "image_url", "image_url": dict(image)}:
            return {"image": image}
        case _:
            raise ValueError(part)


def _tool_choice(recorded: str) -> dict[str, Any]:
    return {"tool_choice": {"mode": recorded.lower()}}


def _response_format(recorded: dict[str, Any]) -> dict[str, Any]:
    if "json_schema" in recorded:
        return {"response_format": {"json_schema": {"schema": recorded["json_schema"]}}}
    if recorded.keys() - {"type"}:
        raise ValueError(recorded)
    return {"response_format": {recorded["type"]: True}}


def _thinking(recorded: dict[str, Any]) -> dict[str, Any]:
    if "token_budget" in recorded:
        return {"reasoning_max_tokens": recorded["token_budget"]}
    return {"reasoning_effort": {"enabled": "high", "disabled": "none"}[recorded["type"]]}


def _types(recorded: list[str]) -> dict[str, Any]:
    if recorded != ["float"]:  # which we ask for unasked
        raise ValueError(recorded)
    return {}


CHAT: dict[str, Callable[[Any], dict[str, Any]]] = {
    **{name: _as(name) for name in SAME},
    **{theirs: _as(ours) for theirs, ours in RENAMED.items()},
    "messages": lambda recorded: {"messages": [_message(each) for each in recorded]},
    "tools": lambda recorded: {"tools": [each["function"] for each in recorded]},
    "tool_choice": _tool_choice,
    "response_format": _response_format,
    "thinking": _thinking,
}
EMBEDDING: dict[str, Callable[[Any], dict[str, Any]]] = {
    "texts": _as("inputs"),
    "input_type": _as("input_type"),
    "output_dimension": _as("dimensions"),
    "embedding_types": _types,
}


# --- answered --------------------------------------------------------------------


def _expected(exchange: Exchange) -> Outcome:
    if exchange.status >= 400:
        return Outcome(error=_error(exchange))
    if exchange.stream:
        return Outcome(usage=recorded_usage(exchange), choices=[_streamed(exchange)])
    body = json.loads(exchange.body)
    if exchange.operation == "embeddings":
        return Outcome(usage=recorded_usage(exchange), vectors=_vectors(body["embeddings"]))
    said = body["message"]
    choice = Choice(finish=body["finish_reason"])
    for part in said.get("content") or ():
        choice.text += part.get("text", "")
        choice.reasoning += part.get("thinking", "")
    choice.reasoning += said.get("tool_plan") or ""
    choice.calls = [_call(each) for each in said.get("tool_calls") or ()]
    return Outcome(usage=recorded_usage(exchange), choices=[choice])


def _error(exchange: Exchange) -> tuple[int, str, str]:
    said = json.loads(exchange.body)["message"]
    kinds = {400: "BadRequest", 401: "KeyRejected", 403: "KeyRejected", 404: "ModelNotFound", 422: "BadRequest"}
    kind = "RateLimited" if exchange.status == 429 else kinds.get(exchange.status, "ServerError")
    return exchange.status, "ContextTooLong" if "too many tokens" in said else kind, said


def _call(recorded: dict[str, Any]) -> list[str]:
    return [recorded["id"], recorded["function"]["name"], recorded["function"]["arguments"]]


def _streamed(exchange: Exchange) -> Choice:
    choice = Choice()
    for line in exchange.body.decode().splitlines():
        if not line.startswith("data:") or line.endswith("[DONE]"):
            continue
        event = json.loads(line[5:])
        delta = event.get("delta") or {}
        said = delta.get("message") or {}
        match event["type"]:
            case "content-delta":
                choice.text += said["content"].get("text", "")
                choice.reasoning += said["content"].get("thinking", "")
            case "tool-plan-delta":
                choice.reasoning += said["tool_plan"]
            case "tool-call-start":
                choice.calls.append(_call(said["tool_calls"]))
            case "tool-call-delta":
                choice.calls[-1][2] += said["tool_calls"]["function"]["arguments"]
            case "message-end":
                choice.finish = delta["finish_reason"]
    return choice


def _vectors(embeddings: dict[str, Any]) -> list[list[float]]:
    return [list(array("f", vector)) for vector in next(iter(embeddings.values()))]


# --- sent ------------------------------------------------------------------------


def _sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    wrong = [] if path == exchange.path else [f"path: recorded {exchange.path}, ours {path}"]
    before, ours = _comparable({"stream": exchange.stream, **(exchange.sent or {})}), _comparable(sent)
    differing = [name for name in sorted(before.keys() | ours.keys()) if before.get(name) != ours.get(name)]
    return wrong + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {ours.get(name)!r:.300}" for name in differing
    ]


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What means the same written the same: absent and empty."""
    found = {name: value for name, value in body.items() if value not in (None, "", [], {}, False)}
    if "messages" in found:
        found["messages"] = [{k: v for k, v in each.items() if v not in (None, [])} for each in found["messages"]]
    return found


FAMILY = Family(
    name="cohere",
    mine=_mine,
    wire=lambda _: "cohere",
    operation=lambda exchange: OPERATIONS[exchange.operation],
    account_type=lambda _: "cohere",
    base_path=lambda exchange: exchange.path.removesuffix(SUFFIXES[exchange.operation]),
    model=lambda exchange: (exchange.sent or {}).get("model") or "unknown",
    translate=_translate,
    expected=_expected,
    sent_misses=_sent_misses,
)
