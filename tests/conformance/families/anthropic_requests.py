"""A recorded Messages request in our own words: what our API has a field for goes there, the rest into options."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from taximeter.v1 import payload_pb2 as pb
from tests.support.providers_replay import Exchange

SAME = ("max_tokens", "temperature", "top_p", "top_k")
IN_A_TOOL = {"name", "description", "input_schema", "strict", "cache_control"}
CHOICES = {"auto": "auto", "none": "none", "any": "required"}
ASSISTANT_ORDER = ("thinking", "redacted_thinking", "text", "tool_use")


class Inexpressible(Exception):
    """Our API has no field for it."""


def translate(exchange: Exchange) -> tuple[Any, list[str]]:
    """(our request, the recorded fields that had to go through `provider_options`)."""
    recorded = {name: value for name, value in (exchange.sent or {}).items() if name not in ("model", "stream")}
    fields: dict[str, Any] = {"messages": []}
    rest: dict[str, Any] = {}
    for name, value in sorted(recorded.items(), reverse=True):  # "system" before "messages"
        try:
            found = READERS[name](value)
        except (KeyError, Inexpressible):
            rest[name] = value
            continue
        fields["messages"] += found.pop("messages", [])
        fields |= found
    if not fields["messages"]:  # of some only the answer was recorded, and what goes through options replaces these
        fields["prompt"] = "what the recorded messages say"
    if rest:
        fields["provider_options"] = {"anthropic": rest}
    return json_format.ParseDict(fields, pb.ChatRequest()), sorted(rest)


def _same(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: value}


def _system(value: Any) -> dict[str, Any]:
    return {"messages": [{"role": "ROLE_SYSTEM", "parts": _parts(value)}]}


def _messages(recorded: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messages": [ours for message in recorded for ours in _message(message)]}


def _message(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if message["role"] == "assistant":
        return [_assistant(blocks)]
    if message["role"] != "user":
        raise Inexpressible
    results = [_tool_result(block) for block in blocks if block["type"] == "tool_result"]
    rest = [block for block in blocks if block["type"] != "tool_result"]
    return results + ([{"role": "ROLE_USER", "parts": _parts(rest)}] if rest else [])


def _assistant(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = [block["type"] for block in blocks]
    if any(kind not in ASSISTANT_ORDER for kind in kinds) or kinds != sorted(kinds, key=ASSISTANT_ORDER.index):
        raise Inexpressible
    return {
        "role": "ROLE_ASSISTANT",
        "reasoning_blocks": [
            {
                "text": block.get("thinking", ""),
                "signature": block.get("signature", ""),
                "redacted": block.get("data", ""),
            }
            for block in blocks
            if block["type"] in ("thinking", "redacted_thinking")
        ],
        "parts": _parts([block for block in blocks if block["type"] == "text"]),
        "tool_calls": [
            {"id": block["id"], "name": block["name"], "arguments": json.dumps(block["input"])}
            for block in blocks
            if block["type"] == "tool_use"
        ],
    }


def _tool_result(block: dict[str, Any]) -> dict[str, Any]:
    return {
        "role": "ROLE_TOOL",
        "tool_call_id": block["tool_use_id"],
        "parts": _parts(block.get("content", [])),
        "tool_failed": block.get("is_error", False),
    }


def _parts(content: Any) -> list[dict[str, Any]]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [_part(block) for block in blocks]


def _part(block: dict[str, Any]) -> dict[str, Any]:
    match {name: value for name, value in block.items() if value is not None}:
        case {"type": "text", "text": text, **more} if not more.keys() - {"cache_control"}:
            part = {"text": text}
        case {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}, **more}:
            part = {"image": {"data": data, "media_type": kind}}
        case {"type": "image", "source": {"type": "url", "url": url}, **more}:
            part = {"image": {"url": url}}
        case {"type": "document", "source": {"type": "file", "file_id": file_id}, **more}:
            part = {"file": {"file_id": file_id}}
        case {"type": "document", "source": {"type": "base64", "media_type": kind, "data": data}, **more}:
            part = {"file": {"data": data, "media_type": kind}}
        case {"type": "document", "source": {"type": "url", "url": url}, **more}:
            part = {"file": {"url": url}}
        case _:
            raise Inexpressible
    if more.keys() - {"cache_control"}:
        raise Inexpressible
    return part | ({"cache_point": _cache_point(more["cache_control"])} if more else {})


def _cache_point(control: dict[str, Any]) -> dict[str, Any]:
    return {"ttl": control["ttl"]} if "ttl" in control else {}


def _tools(recorded: list[dict[str, Any]]) -> dict[str, Any]:
    return {"tools": [_tool(tool) for tool in recorded]}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.keys() - IN_A_TOOL - ({"type"} if tool.get("type") == "custom" else set()):
        raise Inexpressible
    ours = {"name": tool["name"], "description": tool.get("description", ""), "parameters": tool["input_schema"]}
    if "cache_control" in tool:
        ours["cache_point"] = _cache_point(tool["cache_control"])
    return ours | ({"strict": tool["strict"]} if "strict" in tool else {})


def _tool_choice(value: dict[str, Any]) -> dict[str, Any]:
    ours = {"name": value["name"]} if value["type"] == "tool" else {"mode": CHOICES[value["type"]]}
    parallel = {"parallel_tool_calls": False} if value.get("disable_parallel_tool_use") else {}
    return {"tool_choice": ours, **parallel}


def _thinking(value: dict[str, Any]) -> dict[str, Any]:
    if value.keys() == {"type", "budget_tokens"} and value["type"] == "enabled":
        return {"reasoning_max_tokens": value["budget_tokens"]}
    raise Inexpressible


def _output_config(value: dict[str, Any]) -> dict[str, Any]:
    if value.keys() == {"format"} and value["format"].keys() == {"type", "schema"}:
        # Our API wants a name, which other wires need and this one has no place for.
        return {"response_format": {"json_schema": {"name": "answer", "schema": value["format"]["schema"]}}}
    raise Inexpressible


READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    **{name: _same(name) for name in SAME},
    "stop_sequences": lambda value: {"stop": value},
    "system": _system,
    "messages": _messages,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "thinking": _thinking,
    "output_config": _output_config,
}
