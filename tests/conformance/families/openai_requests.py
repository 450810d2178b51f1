"""A recorded request in our own words: what our API has a field for goes there, the rest into `provider_options`."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from taximeter.v1 import payload_pb2 as pb
from tests.support.providers_replay import Exchange

ROLES = {"system", "developer", "user", "assistant", "tool"}
SAME = {"temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias"}
OF_CHAT = SAME | {"top_k", "parallel_tool_calls", "logprobs", "top_logprobs"}
OF_COMPLETION = SAME | {"max_tokens", "logprobs", "echo", "suffix", "best_of"}
IN_A_MESSAGE = {
    "reasoning_content": "reasoning",
    "reasoning": "reasoning",
    "name": "name",
    "tool_call_id": "tool_call_id",
    "refusal": "refusal",
}
EFFORTS = {"none", "minimal", "low", "medium", "high"}


Readers = dict[str, Callable[[Any], dict[str, Any]]]
"""Recorded field -> what reads it into ours."""


class Inexpressible(Exception):
    """Our API has no field for it."""


def translate(exchange: Exchange, account_name: str) -> tuple[Any, list[str]]:
    """(our request, the recorded fields that had to go through `provider_options`)."""
    recorded = {name: value for name, value in (exchange.sent or {}).items() if value is not None}
    for name in ("model", "stream"):
        recorded.pop(name, None)
    asked = recorded.get("stream_options")
    if isinstance(asked, dict) and not asked.keys() - {"include_usage"}:
        del recorded["stream_options"]  # ours to ask for
    return _BUILDERS[exchange.operation](recorded, account_name)


def _built(request: Any, fields: dict[str, Any], rest: dict[str, Any], name: str) -> tuple[Any, list[str]]:
    if rest:
        fields["provider_options"] = {name: rest}
    return json_format.ParseDict(fields, request), sorted(rest)


def _split(recorded: dict[str, Any], readers: Readers) -> tuple[dict[str, Any], dict[str, Any]]:
    """(our fields, what is left)."""
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in recorded.items():
        try:
            fields |= readers[name](value)
        except (KeyError, Inexpressible):
            rest[name] = value
    return fields, rest


def _same(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {name: value}


def _stop(value: Any) -> dict[str, Any]:
    return {"stop": [value] if isinstance(value, str) else value}


def _chat(recorded: dict[str, Any], account_name: str) -> tuple[Any, list[str]]:
    readers: Readers = {name: _same(name) for name in OF_CHAT} | {
        "messages": _messages,
        "max_tokens": _same("max_tokens"),
        "max_completion_tokens": _same("max_tokens"),
        "random_seed": _same("seed"),
        "n": _same("choice_count"),
        "stop": _stop,
        "tools": _tools,
        "tool_choice": _tool_choice,
        "response_format": _response_format,
        "reasoning_effort": _effort,
    }
    fields, rest = _split(recorded, readers)
    if not fields.get("messages"):  # of some only the answer was recorded
        fields["prompt"] = "what the recorded messages say"
    return _built(pb.ChatRequest(), fields, rest, account_name)


def _completion(recorded: dict[str, Any], account_name: str) -> tuple[Any, list[str]]:
    readers = {name: _same(name) for name in OF_COMPLETION} | {
        "n": _same("choice_count"),
        "stop": _stop,
        "prompt": _prompt,
    }
    fields, rest = _split(recorded, readers)
    return _built(pb.CompletionRequest(), {"prompt": "-"} | fields, rest, account_name)


def _embedding(recorded: dict[str, Any], account_name: str) -> tuple[Any, list[str]]:
    fields, rest = _split(recorded, {"input": _input, "dimensions": _same("dimensions")})
    return _built(pb.EmbeddingRequest(), {"inputs": ["-"]} | fields if "input" in rest else fields, rest, account_name)


def _moderation(recorded: dict[str, Any], account_name: str) -> tuple[Any, list[str]]:
    fields, rest = _split(recorded, {"input": _moderated})
    return _built(pb.ModerationRequest(), fields, rest, account_name)


_BUILDERS = {"chat": _chat, "completion": _completion, "embeddings": _embedding, "moderation": _moderation}


def _messages(recorded: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messages": [_message(message) for message in recorded]}


def _tools(recorded: list[dict[str, Any]]) -> dict[str, Any]:
    return {"tools": [_tool(tool) for tool in recorded]}


def _message(recorded: dict[str, Any]) -> dict[str, Any]:
    left = {name: value for name, value in recorded.items() if value is not None}
    role = left.pop("role")
    if role not in ROLES:
        raise Inexpressible(role)
    message: dict[str, Any] = {"role": f"ROLE_{role.upper()}", **_content(left.pop("content", None))}
    for name, ours in IN_A_MESSAGE.items():
        if name in left:
            message[ours] = left.pop(name)
    message["tool_calls"] = [_call(call) for call in left.pop("tool_calls", ())]
    if left.pop("prefix", False) or left:
        raise Inexpressible(str(left))
    return message


def _content(content: Any) -> dict[str, Any]:
    if isinstance(content, str):
        return {"text": content}
    thoughts = [part for part in content or () if part.get("type") == "thinking"]
    fields: dict[str, Any] = {"parts": [_part(part) for part in content or () if part not in thoughts]}
    if thoughts:
        fields["reasoning"] = "".join(each["text"] for part in thoughts for each in part["thinking"])
    return fields


def _call(recorded: dict[str, Any]) -> dict[str, Any]:
    if recorded.keys() - {"id", "type", "function", "index"}:
        raise Inexpressible("tool call")
    return {"id": recorded.get("id") or "", **{name: recorded["function"][name] for name in ("name", "arguments")}}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    match part:
        case {"type": "text", "text": text} if len(part) == 2:
            return {"text": text}
        case {"type": "image_url", "image_url": str(url)} if len(part) == 2:
            return {"image": {"url": url}}
        case {"type": "image_url", "image_url": {"url": url, **detail}} if len(part) == 2 and not detail.keys() - {
            "detail"
        }:
            return {"image": {"url": url, **detail}}
        case {"type": "input_audio", "input_audio": {"data": data, "format": kind}} if len(part) == 2:
            return {"audio": {"data": data, "format": kind}}
        case {"type": "file", "file": {"file_id": file_id}}:
            return {"file": {"file_id": file_id}}
        case {"type": "file", "file": {"filename": filename, "file_data": str(url)}} if ";base64," in url:
            media_type, _, data = url.removeprefix("data:").partition(";base64,")
            return {"file": {"filename": filename, "media_type": media_type, "data": base64_data(data)}}
        case _:
            raise Inexpressible(str(part)[:50])


def base64_data(data: str) -> str:
    """Recordings shorten some data; what is no base64 cannot be ours."""
    try:
        return base64.b64encode(base64.b64decode(data, validate=True)).decode()
    except ValueError:
        raise Inexpressible("not base64") from None


def _tool(recorded: dict[str, Any]) -> dict[str, Any]:
    function = recorded.get("function") or {}
    if (
        recorded.keys() - {"type", "function"}
        or function.keys() - {"name", "description", "parameters", "strict"}
        or not function
    ):
        raise Inexpressible("tool")
    return {name: value for name, value in function.items() if value is not None}


def _tool_choice(recorded: Any) -> dict[str, Any]:
    if isinstance(recorded, dict):
        return {"tool_choice": {"name": recorded["function"]["name"]}}
    # Mistral has "any" for "required", and takes both: docs.mistral.ai/capabilities/function_calling
    return {"tool_choice": {"mode": "required" if recorded == "any" else recorded}}


def _response_format(recorded: dict[str, Any]) -> dict[str, Any]:
    match recorded:
        case {"type": "json_object" | "text" as kind}:
            return {"response_format": {kind: True}}
        case {"type": "json_schema", "json_schema": schema} if not schema.keys() - {
            "name",
            "description",
            "schema",
            "strict",
        }:
            return {"response_format": {"json_schema": {k: v for k, v in schema.items() if v is not None}}}
        case _:
            raise Inexpressible("response_format")


def _effort(recorded: Any) -> dict[str, Any]:
    if recorded not in EFFORTS:
        raise Inexpressible("effort")
    return {"reasoning_effort": recorded}


def _prompt(recorded: Any) -> dict[str, Any]:
    match recorded:
        case str():
            return {"prompt": recorded}
        case [str(first), *others] if all(isinstance(each, str) for each in others):
            return {"prompt": first, "more_prompts": others}
        case _:
            raise Inexpressible("prompt of tokens")


def _input(recorded: Any) -> dict[str, Any]:
    match recorded:
        case str():
            return {"inputs": [recorded]}
        case [str(), *_]:
            return {"inputs": recorded}
        case [int(), *_]:
            return {"token_inputs": [{"tokens": recorded}]}
        case [[int(), *_], *_]:
            return {"token_inputs": [{"tokens": tokens} for tokens in recorded]}
        case _:
            raise Inexpressible("input")


def _moderated(recorded: Any) -> dict[str, Any]:
    match recorded:
        case str():
            return {"inputs": [recorded]}
        case [str(), *_]:
            return {"inputs": recorded}
        case [dict(), *_]:
            return {"parts": [_part(part) for part in recorded]}
        case _:
            raise Inexpressible("input")
