"""Converse's recorded requests in our own words, and how two of them are compared."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format

from taximeter.v1 import payload_pb2 as pb
from tests.support.providers_replay import Exchange

MEDIA_TYPES = {
    **{name: f"image/{name}" for name in ("png", "jpeg", "gif", "webp")},
    "pdf": "application/pdf",
    "csv": "text/csv",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "three_gp": "video/3gpp",
}
CHOICES = {"auto": "auto", "any": "required"}

Block = dict[str, Any]


class Inexpressible(Exception):
    """Our API has no field for it."""


def model_of(exchange: Exchange) -> str:
    return unquote(exchange.path.removeprefix("/model/").rpartition("/")[0])


def translate(exchange: Exchange) -> tuple[Any, list[str]]:
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for name, value in (exchange.sent or {}).items():
        try:
            fields |= _READERS[name](value)
        except (KeyError, Inexpressible):
            rest[name] = value
    # The system prompt is a message of ours, the first.
    said = [{"role": "ROLE_USER", "text": "what the recorded messages say"}]
    fields["messages"] = [*fields.pop("system", []), *fields.get("messages", said)]
    if rest:
        fields["provider_options"] = {"bedrock": rest}
    return json_format.ParseDict(fields, pb.ChatRequest()), sorted(rest)


def _system(blocks: list[Block]) -> dict[str, Any]:
    return {"system": [{"role": "ROLE_SYSTEM", "parts": list(_parts(blocks))}] if blocks else []}


def _messages(recorded: list[dict[str, Any]]) -> dict[str, Any]:
    return {"messages": [ours for message in recorded for ours in _message(message)]}


def _message(recorded: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A turn of the user's with results of tools in it is several messages of ours."""
    if recorded["role"] == "assistant":
        yield _assistant(recorded["content"])
        return
    for is_result, blocks in groupby(recorded["content"], key=lambda block: "toolResult" in block):
        if not is_result:
            yield {"role": "ROLE_USER", "parts": list(_parts(list(blocks)))}
        for block in blocks if is_result else ():
            result = block["toolResult"]
            parts = list(_parts(result["content"]))
            failed = result.get("status") == "error"
            yield {"role": "ROLE_TOOL", "tool_call_id": result["toolUseId"], "parts": parts, "tool_failed": failed}


def _assistant(blocks: list[Block]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "ROLE_ASSISTANT", "tool_calls": [], "reasoning_blocks": []}
    said = []
    for block in blocks:
        match block:
            case {"toolUse": {"toolUseId": id_, "name": name, "input": input_}}:
                message["tool_calls"].append({"id": id_, "name": name, "arguments": json.dumps(input_)})
            case {"reasoningContent": {"reasoningText": reasoning}}:
                message["reasoning_blocks"].append(reasoning)
            case {"reasoningContent": {"redactedContent": redacted}}:
                message["reasoning_blocks"].append({"redacted": redacted})
            case _:
                said.append(block)
    return {**message, "parts": list(_parts(said))}


def _parts(blocks: list[Block]) -> Iterator[dict[str, Any]]:
    parts: list[dict[str, Any]] = []
    for block in blocks:
        match block:
            case {"text": text}:
                parts.append({"text": text})
            case {"cachePoint": point} if parts:
                parts[-1]["cache_point"] = {name: value for name, value in point.items() if name == "ttl"}
            case {"image": image}:
                parts.append({"image": {**_source(image), "media_type": MEDIA_TYPES[image["format"]]}})
            case {"document": document}:
                source = {**_source(document), "media_type": MEDIA_TYPES[document["format"]]}
                parts.append({"file": {**source, "filename": document["name"]}})
            case {"video": video}:
                parts.append({"file": {**_source(video), "media_type": MEDIA_TYPES[video["format"]]}})
            case _:
                raise Inexpressible(str(block)[:50])
    yield from parts


def _source(media: dict[str, Any]) -> dict[str, str]:
    match media["source"]:
        case {"s3Location": {"uri": uri, **more}} if not more:
            return {"url": uri}
        case {"bytes": data}:
            try:
                return {"data": base64.b64encode(base64.b64decode(data, validate=True)).decode()}
            except ValueError:  # the recordings shorten some
                raise Inexpressible("not base64") from None
        case _:
            raise Inexpressible("source")


def _inference(recorded: dict[str, Any]) -> dict[str, Any]:
    names = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p", "stopSequences": "stop"}
    return {names[name]: value for name, value in recorded.items()}


def _tools(recorded: dict[str, Any]) -> dict[str, Any]:
    tools = []
    for tool in recorded["tools"]:
        spec = tool["toolSpec"]
        if spec.keys() - {"name", "description", "inputSchema", "strict"}:
            raise Inexpressible("tool")
        shared = {name: spec[name] for name in ("name", "description", "strict") if name in spec}
        tools.append({**shared, "parameters": spec["inputSchema"]["json"]})
    match recorded.get("toolChoice"):
        case None:
            return {"tools": tools}
        case {"tool": {"name": name}}:
            return {"tools": tools, "tool_choice": {"name": name}}
        case choice:
            return {"tools": tools, "tool_choice": {"mode": CHOICES[next(iter(choice))]}}


def _output(recorded: dict[str, Any]) -> dict[str, Any]:
    match recorded:
        case {"textFormat": {"structure": {"jsonSchema": schema}}} if len(recorded) == 1:
            return {"response_format": {"json_schema": {**schema, "schema": json.loads(schema["schema"])}}}
        case _:
            raise Inexpressible("outputConfig")


def _of_the_model(recorded: dict[str, Any]) -> dict[str, Any]:
    match recorded:
        case {"thinking": {"type": "enabled", "budget_tokens": budget}} if len(recorded) == 1:
            return {"reasoning_max_tokens": budget}
        case _:
            raise Inexpressible("additionalModelRequestFields")


_READERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "system": _system,
    "messages": _messages,
    "inferenceConfig": _inference,
    "toolConfig": _tools,
    "outputConfig": _output,
    "additionalModelRequestFields": _of_the_model,
}


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What means the same written the same: absent and empty, success and no status, a schema as text."""
    found = {name: value for name, value in body.items() if value not in (None, {}, [])}
    found["messages"] = [
        {**message, "content": [_comparable_block(block) for block in message["content"]]}
        for message in found.get("messages", [])
    ]
    match found.get("outputConfig"):
        case {"textFormat": {"structure": {"jsonSchema": schema}}}:
            found["outputConfig"] = {**schema, "schema": json.loads(schema["schema"])}
    return found


def _comparable_block(block: Block) -> Block:
    if "toolResult" not in block:
        return block
    result = {name: value for name, value in block["toolResult"].items() if (name, value) != ("status", "success")}
    return {"toolResult": result}
