"""Our chat as Converse's JSON (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import Unsupported
from sidecar.providers.bedrock_messages import cache_point, system_blocks, turns
from sidecar.providers.bedrock_sign import access_key, region_of, signature
from sidecar.providers.http import headers_for
from sidecar.providers.options import own_options
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

_EVENT_STREAM = "application/vnd.amazon.eventstream"
_EFFORTS = frozenset({"low", "medium", "high"})
_ANTHROPIC = "anthropic."
_NOVA = "amazon.nova"


def encoder(now_s: Callable[[], float]) -> Callable[[Any, str, bool, Account, str], HttpRequest]:
    """`now_s`: seconds since the epoch, for the signature."""

    def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
        url = f"{account.base_url.rstrip('/')}/model/{quote(model, safe='')}/converse{'-stream' if stream else ''}"
        body = orjson.dumps(_with_options(_body(request, model), own_options(request, account)))
        key = access_key(secret)
        accept = _EVENT_STREAM if stream else "application/json"
        headers = headers_for(account, "" if key else secret, stream=stream, accept=accept)
        if key:
            headers |= signature(url, body, key, region_of(account), now_s())
        return HttpRequest("POST", url, headers, body)

    return encode_chat


def _with_options(body: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The options last; within an object of ours (additionalModelRequestFields) they stand beside our fields."""
    both = {name for name, value in options.items() if isinstance(value, dict) and isinstance(body.get(name), dict)}
    return {**body, **options, **{name: {**body[name], **options[name]} for name in both}}


def _body(request: pb.ChatRequest, model: str) -> dict[str, Any]:
    _check(request)
    parts = {
        "messages": turns(request),
        "system": system_blocks(request.messages),
        "inferenceConfig": _inference(request),
        "toolConfig": _tools(request),
        "outputConfig": _output(request),
        "additionalModelRequestFields": _of_the_model(request, model),
    }
    return {name: value for name, value in parts.items() if value or name == "messages"}


def _check(request: pb.ChatRequest) -> None:
    """Raises Unsupported for what Converse has no field for."""
    asked = {
        "seed": request.HasField("seed"),
        "frequency_penalty": request.HasField("frequency_penalty"),
        "presence_penalty": request.HasField("presence_penalty"),
        "choice_count": request.choice_count > 1,
        "logprobs": request.logprobs or request.HasField("top_logprobs"),
        "logit_bias": bool(request.logit_bias),
        "parallel_tool_calls": request.HasField("parallel_tool_calls") and not request.parallel_tool_calls,
        "json_object": request.response_format.json_object,
    }
    if refused := [name for name, is_set in asked.items() if is_set]:
        raise Unsupported(f"AWS Bedrock does not take {', '.join(refused)}")


def _inference(request: pb.ChatRequest) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for ours, theirs in (("max_tokens", "maxTokens"), ("temperature", "temperature"), ("top_p", "topP")):
        if request.HasField(ours):  # type: ignore[arg-type]
            fields[theirs] = getattr(request, ours)
    if request.stop:
        fields["stopSequences"] = list(request.stop)
    return fields


def _tools(request: pb.ChatRequest) -> dict[str, Any]:
    """docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html. It knows no "none": then the
    tools are not told, unless the conversation has calls in it, which without them is refused."""
    choice = request.tool_choice
    if not request.tools:
        return {}
    if choice.mode == "none":
        if any(message.tool_calls for message in request.messages):
            raise Unsupported("AWS Bedrock has no tool_choice none for a conversation with tool calls")
        return {}
    tools = [block for tool in request.tools for block in _tool(tool)]
    match choice.WhichOneof("choice"), choice.mode:
        case "name", _:
            return {"tools": tools, "toolChoice": {"tool": {"name": choice.name}}}
        case "mode", "required":
            return {"tools": tools, "toolChoice": {"any": {}}}
        case "mode", "auto":
            return {"tools": tools, "toolChoice": {"auto": {}}}
        case _:
            return {"tools": tools}


def _tool(tool: pb.Tool) -> list[dict[str, Any]]:
    schema = to_plain(tool.parameters) if tool.HasField("parameters") else {"type": "object", "properties": {}}
    spec: dict[str, Any] = {"name": tool.name, "inputSchema": {"json": schema}}
    if tool.description:
        spec["description"] = tool.description
    if tool.HasField("strict"):
        spec["strict"] = tool.strict
    return [{"toolSpec": spec}, *([cache_point(tool.cache_point)] if tool.HasField("cache_point") else [])]


def _output(request: pb.ChatRequest) -> dict[str, Any]:
    """docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_OutputConfig.html; a schema is JSON text there."""
    fields: dict[str, Any] = {}
    if request.reasoning_effort:
        if request.reasoning_effort not in _EFFORTS:
            raise Unsupported(f"AWS Bedrock has no reasoning effort {request.reasoning_effort}")
        fields["effort"] = request.reasoning_effort
    if request.response_format.WhichOneof("format") == "json_schema":
        wanted = request.response_format.json_schema
        schema: dict[str, Any] = {"schema": orjson.dumps(to_plain(wanted.schema)).decode()}
        schema |= {name: text for name, text in (("name", wanted.name), ("description", wanted.description)) if text}
        fields["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    return fields


def _of_the_model(request: pb.ChatRequest, model: str) -> dict[str, Any]:
    """What each maker's models call otherwise
    (docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html,
    docs.aws.amazon.com/nova/latest/userguide/using-converse-api.html)."""
    fields: dict[str, Any] = {}
    if request.HasField("top_k"):
        if _ANTHROPIC in model:
            fields["top_k"] = request.top_k
        elif _NOVA in model:
            fields["inferenceConfig"] = {"topK": request.top_k}
        else:
            raise Unsupported(f"{model} at AWS Bedrock takes no top_k")
    if request.HasField("reasoning_max_tokens"):
        if _ANTHROPIC not in model:
            raise Unsupported(f"{model} at AWS Bedrock takes no reasoning_max_tokens")
        budget = request.reasoning_max_tokens
        fields["thinking"] = {"type": "enabled", "budget_tokens": budget} if budget else {"type": "disabled"}
    return fields
