"""A recorded request to the Responses API in our own words; what our API has no field for goes through options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from taximeter.v1 import payload_pb2 as pb
from tests.conformance.families.openai_requests import EFFORTS, Inexpressible, base64_data
from tests.support.providers_replay import Exchange

ENCRYPTED = "reasoning.encrypted_content"
LISTED = {"openai", "azure", "xai"}
"""Rows that say which models give their reasoning encrypted."""
ROLES = {"system", "developer", "user"}


def translate(exchange: Exchange, account_name: str) -> tuple[Any, list[str]]:
    """(our request, the recorded fields that had to go through `provider_options`)."""
    recorded = _without_ours(exchange.sent or {}, account_name)
    instructions = recorded.pop("instructions", None)
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in recorded.items():
        try:
            fields |= _READERS[name](value)
        except (KeyError, Inexpressible):
            rest[name] = value
    if instructions and "input" in rest:
        rest["instructions"] = instructions
    elif instructions:
        fields["messages"] = [{"role": "ROLE_SYSTEM", "text": instructions}, *fields.get("messages", [])]
    if not fields.get("messages"):  # of some only the answer was recorded
        fields["prompt"] = "what the recorded input says"
    fields |= _effort(rest)
    if rest:
        fields["provider_options"] = {account_name: rest}
    return json_format.ParseDict(fields, pb.ChatRequest()), sorted(rest)


def _without_ours(sent: dict[str, Any], account_name: str) -> dict[str, Any]:
    """Without what the codec says by itself."""
    ours = {"model", "stream"}
    if sent.get("store") is False:
        ours.add("store")
    if sent.get("include") in ([], [ENCRYPTED]) and account_name in LISTED:
        ours.add("include")
    return {name: value for name, value in sent.items() if value is not None and name not in ours}


def _effort(rest: dict[str, Any]) -> dict[str, Any]:
    """The one field of `reasoning` that is ours, taken out of what goes through the options."""
    reasoning = rest.get("reasoning")
    if not isinstance(reasoning, dict) or reasoning.get("effort") not in EFFORTS:
        return {}
    rest["reasoning"] = {name: value for name, value in reasoning.items() if name != "effort"}
    return {"reasoning_effort": reasoning["effort"]}


def _input(recorded: Any) -> dict[str, Any]:
    if isinstance(recorded, str):
        return {"messages": [{"role": "ROLE_USER", "text": recorded}]}
    messages: list[dict[str, Any]] = []
    for item in recorded:
        kind = item.get("type", "message")
        if kind not in _ITEMS:
            raise Inexpressible(kind)
        _ITEMS[kind](item, messages)
    return {"messages": messages}


def _message(item: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    if item.get("role") in ROLES:
        messages.append({"role": f"ROLE_{item['role'].upper()}", **_content(item["content"])})
        return
    said = item["content"] if isinstance(item["content"], str) else "".join(each["text"] for each in item["content"])
    _assistant(messages, {"text", "tool_calls"})["text"] = said


def _function_call(item: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    if "namespace" in item:
        raise Inexpressible("namespace")
    call = {"id": item["call_id"], "name": item["name"], "arguments": item["arguments"]}
    _assistant(messages, set()).setdefault("tool_calls", []).append(call)


def _output(item: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    messages.append({"role": "ROLE_TOOL", "tool_call_id": item["call_id"], **_content(item["output"])})


def _reasoning(item: dict[str, Any], messages: list[dict[str, Any]]) -> None:
    if item.get("content") or len(item["summary"]) > 1:
        raise Inexpressible("reasoning")
    block = {"text": "".join(part["text"] for part in item["summary"]), "signature": item["encrypted_content"]}
    blocks = _assistant(messages, {"text", "tool_calls"}).setdefault("reasoning_blocks", [])
    blocks.append({**block, "id": item.get("id", "")})


_ITEMS: dict[str, Callable[[dict[str, Any], list[dict[str, Any]]], None]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _output,
    "reasoning": _reasoning,
}


def _assistant(messages: list[dict[str, Any]], ends: set[str]) -> dict[str, Any]:
    """The assistant's message that is being written; a new one where what it has already ends it."""
    last = messages[-1] if messages else {}
    if last.get("role") != "ROLE_ASSISTANT" or ends & last.keys():
        messages.append({"role": "ROLE_ASSISTANT"})
    return messages[-1]


def _content(content: Any) -> dict[str, Any]:
    return {"text": content} if isinstance(content, str) else {"parts": [_part(part) for part in content]}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    match part:
        case {"type": "input_text" | "output_text", "text": text}:
            return {"text": text}
        case {"type": "input_image", "image_url": url, **rest} if not rest.keys() - {"detail"}:
            return {"image": {"url": url, **rest}}
        case {"type": "input_file", "file_url": url}:
            return {"file": {"url": url}}
        case {"type": "input_file", "filename": filename, "file_data": str(url)} if ";base64," in url:
            media_type, _, data = url.removeprefix("data:").partition(";base64,")
            return {"file": {"filename": filename, "media_type": media_type, "data": base64_data(data)}}
        case _:
            raise Inexpressible(str(part)[:50])


def _tools(recorded: list[dict[str, Any]]) -> dict[str, Any]:
    return {"tools": [_tool(tool) for tool in recorded]}


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool["type"] != "function" or tool.keys() - {"type", "name", "description", "parameters", "strict"}:
        raise Inexpressible("tool")
    return {name: value for name, value in tool.items() if name != "type" and value is not None}


def _tool_choice(recorded: Any) -> dict[str, Any]:
    match recorded:
        case str():
            return {"tool_choice": {"mode": recorded}}
        case {"type": "function", "name": name}:
            return {"tool_choice": {"name": name}}
        case _:
            raise Inexpressible("tool_choice")


def _text(recorded: dict[str, Any]) -> dict[str, Any]:
    match recorded:
        case {"format": {"type": "json_object" | "text" as kind}} if len(recorded) == 1:
            return {"response_format": {kind: True}}
        case {"format": {"type": "json_schema", **schema}} if len(recorded) == 1:
            return {"response_format": {"json_schema": {k: v for k, v in schema.items() if v is not None}}}
        case _:
            raise Inexpressible("text")


def _reasoned(recorded: dict[str, Any]) -> dict[str, Any]:
    if recorded.keys() != {"effort"} or recorded["effort"] not in EFFORTS:
        raise Inexpressible("reasoning")
    return {"reasoning_effort": recorded["effort"]}


_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "input": _input,
    "tools": _tools,
    "tool_choice": _tool_choice,
    "text": _text,
    "reasoning": _reasoned,
    "max_output_tokens": lambda value: {"max_tokens": value},
    "temperature": lambda value: {"temperature": value},
    "top_p": lambda value: {"top_p": value},
    "top_logprobs": lambda value: {"top_logprobs": value},
    "parallel_tool_calls": lambda value: {"parallel_tool_calls": value},
}
