"""A recorded Gemini request in our own words: what our API has a field for goes there, the rest into options."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from google.protobuf import json_format

from taximeter.v1 import payload_pb2 as pb
from tests.support.providers_replay import Exchange

_FREE = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema")
"""Of the caller's own making: names in it stay as they are."""
_UNDERSCORED = re.compile(r"_([a-z])")
_CONFIG = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "maxOutputTokens": "max_tokens",
    "seed": "seed",
    "stopSequences": "stop",
    "candidateCount": "choice_count",
}
_MODES = {"AUTO": "auto", "ANY": "required", "NONE": "none"}


class Inexpressible(Exception):
    """Our API has no field for it."""


def camel(value: Any) -> Any:
    """Google reads either spelling of a field, and recorded clients use both."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    named = {_UNDERSCORED.sub(lambda found: found[1].upper(), name): each for name, each in value.items()}
    return {name: each if name in _FREE else camel(each) for name, each in named.items()}


def json_schema(schema: Any) -> Any:
    """OpenAPI's schemas, as Gemini has them, write the names of types in capitals."""
    if isinstance(schema, list):
        return [json_schema(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: each.lower() if name == "type" and isinstance(each, str) else json_schema(each)
        for name, each in schema.items()
    }


def translate(exchange: Exchange) -> tuple[Any, list[str]]:
    """(our request, the recorded fields that had to go through `provider_options`)."""
    recorded = camel(exchange.sent or {})
    if exchange.operation == "embeddings":
        return _embedding(recorded), []
    fields: dict[str, Any] = {"messages": []}
    rest: dict[str, Any] = {}
    for name in sorted(recorded, key=lambda name: (name != "systemInstruction", name)):
        try:
            found, left = READERS[name](recorded[name])
        except (KeyError, Inexpressible):
            rest[name] = recorded[name]
            continue
        fields["messages"] += found.pop("messages", [])
        fields |= found
        rest |= {name: left} if left else {}
    if not fields["messages"]:  # of some only the answer was recorded, and what goes through options replaces these
        fields["prompt"] = "what the recorded contents say"
    if rest:
        fields["provider_options"] = {"gemini": rest}
    return json_format.ParseDict(fields, pb.ChatRequest()), sorted(rest)


def _embedding(recorded: dict[str, Any]) -> pb.EmbeddingRequest:
    """All requests of one recording ask for the same."""
    if "instances" in recorded:
        asked = recorded["instances"]
        return pb.EmbeddingRequest(
            inputs=[each["content"] for each in asked], input_type=asked[0].get("taskType", "").lower()
        )
    asked = recorded["requests"]
    return pb.EmbeddingRequest(
        inputs=[part["text"] for each in asked for part in each["content"]["parts"]],
        dimensions=asked[0].get("outputDimensionality"),
        input_type=asked[0].get("taskType", "").lower(),
    )


Found = tuple[dict[str, Any], Any]
"""(fields of ours, what is left for options)."""


def _system(value: dict[str, Any]) -> Found:
    return {"messages": [{"role": "ROLE_SYSTEM", "parts": [_part(part) for part in value["parts"]]}]}, None


def _contents(recorded: list[dict[str, Any]]) -> Found:
    waiting: list[tuple[str, str]] = []
    """(name, id) of the calls that no response has come to yet."""
    messages: list[dict[str, Any]] = []
    for content in recorded:
        if content.get("role") == "model":
            messages.append(_assistant(content["parts"], waiting))
            continue
        results = [
            _result(part["functionResponse"], waiting) for part in content["parts"] if "functionResponse" in part
        ]
        rest = [_part(part) for part in content["parts"] if "functionResponse" not in part]
        if results and rest:
            raise Inexpressible
        messages += results + ([{"role": "ROLE_USER", "parts": rest}] if rest else [])
    return {"messages": messages}, None


def _assistant(parts: list[dict[str, Any]], waiting: list[tuple[str, str]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "ROLE_ASSISTANT", "parts": [], "reasoning_blocks": [], "tool_calls": []}
    for part in parts:
        signature = part.get("thoughtSignature", "")
        if part.get("thought"):
            block = {"text": part["text"], "signature": signature, "id": "gemini:thought"}
            message["reasoning_blocks"].append(block)
        elif "functionCall" in part:
            called = part["functionCall"]
            call_id = called.get("id") or f"{called['name']}-{len(waiting)}"
            waiting.append((called["name"], call_id))
            message["tool_calls"].append(
                {
                    "id": call_id,
                    "name": called["name"],
                    "arguments": json.dumps(called.get("args") or {}),
                    "signature": signature,
                }
            )
        elif message["tool_calls"]:
            raise Inexpressible
        else:
            message["parts"].append(_part({name: value for name, value in part.items() if name != "thoughtSignature"}))
            if signature:
                message["reasoning_blocks"].append({"signature": signature, "id": "gemini:text"})
    return message


def _result(said: dict[str, Any], waiting: list[tuple[str, str]]) -> dict[str, Any]:
    call = next(
        (each for each in waiting if each[0] == said["name"] and said.get("id") in (None, each[1])),
        (said["name"], said.get("id", "")),
    )
    if call in waiting:
        waiting.remove(call)
    parts = [{"text": json.dumps(said["response"])}, *(_part(part) for part in said.get("parts") or [])]
    return {"role": "ROLE_TOOL", "tool_call_id": call[1], "name": said["name"], "parts": parts}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    match part:
        case {"text": text, **more} if not more:
            return {"text": text}
        case {"inlineData": {"mimeType": kind, "data": data, **more}} if not more:
            return {"file": {"data": data, "media_type": kind}}
        case {"fileData": {"fileUri": uri, "mimeType": kind, **more}} if not more:
            return {"file": {"url": uri, "media_type": kind}}
        case _:
            raise Inexpressible


def _tools(recorded: list[dict[str, Any]]) -> Found:
    """Gemini's own tools go through options, beside ours."""
    ours = [each for tool in recorded for each in tool.get("functionDeclarations", [])]
    others = [tool for tool in recorded if "functionDeclarations" not in tool]
    return {"tools": [_tool(each) for each in ours]}, others


def _tool(declared: dict[str, Any]) -> dict[str, Any]:
    if declared.keys() - {"name", "description", "parameters", "parametersJsonSchema"}:
        raise Inexpressible
    schema = declared.get("parametersJsonSchema") or json_schema(declared.get("parameters"))
    tool = {"name": declared["name"], "description": declared.get("description", "")}
    return tool | ({"parameters": schema} if schema else {})


def _tool_config(value: dict[str, Any]) -> Found:
    calling = value.get("functionCallingConfig") or {}
    if value.keys() != {"functionCallingConfig"} or calling.get("mode") not in _MODES:
        raise Inexpressible
    match calling.get("allowedFunctionNames") or []:
        case []:
            return {"tool_choice": {"mode": _MODES[calling["mode"]]}}, None
        case [name]:
            return {"tool_choice": {"name": name}}, None
        case _:
            raise Inexpressible


def _config(value: dict[str, Any]) -> Found:
    fields = {_CONFIG[name]: each for name, each in value.items() if name in _CONFIG}
    rest = {name: each for name, each in value.items() if name not in _CONFIG}
    if rest.get("responseMimeType") == "application/json" and "responseSchema" not in rest:
        del rest["responseMimeType"]
        schema = rest.pop("responseJsonSchema", None)
        wanted = {"json_schema": {"name": "answer", "schema": schema}} if schema else {"json_object": True}
        fields["response_format"] = wanted
    match rest.get("thinkingConfig"):
        case {"includeThoughts": True, "thinkingLevel": level, **more} if not more:
            fields["reasoning_effort"] = level
            del rest["thinkingConfig"]
        case {"includeThoughts": True, "thinkingBudget": budget, **more} if not more:
            fields["reasoning_max_tokens"] = budget
            del rest["thinkingConfig"]
        case _:
            pass
    return fields, rest


READERS: dict[str, Callable[[Any], Found]] = {
    "systemInstruction": _system,
    "contents": _contents,
    "tools": _tools,
    "toolConfig": _tool_config,
    "generationConfig": _config,
}
