"""Our requests in Cohere's JSON (docs.cohere.com/reference/chat, docs.cohere.com/reference/embed)."""

from __future__ import annotations

from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.cohere_messages import message_json
from sidecar.providers.http import headers_for
from sidecar.providers.options import own_options
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

_SAME = ("temperature", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "logprobs")
_RENAMED = {"top_k": "k", "top_p": "p"}
_TOOL_MODES = {"none": "NONE", "required": "REQUIRED"}
_DEFAULT_INPUT_TYPE = "search_document"
"""The field is required by every model from version 3 on."""


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    _check_chat(request)
    messages = [message_json(message) for message in request.messages]
    if request.prompt:
        messages.append({"role": "user", "content": request.prompt})
    body: dict[str, Any] = {"messages": messages}
    body |= {name: getattr(request, name) for name in _SAME if request.HasField(name)}  # type: ignore[arg-type]
    body |= {ours: getattr(request, name) for name, ours in _RENAMED.items() if request.HasField(name)}  # type: ignore[arg-type]
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    body |= _tools(request)
    if response_format := request.response_format.WhichOneof("format"):
        body["response_format"] = _response_format(response_format, request.response_format)
    body |= _thinking(request)
    body |= own_options(request, account) | {"model": model, "stream": stream}
    return _post("/chat", body, stream=stream, account=account, secret=secret)


def encode_embedding(
    request: pb.EmbeddingRequest, model: str, _stream: bool, account: Account, secret: str
) -> HttpRequest:
    if request.token_inputs:
        raise Unsupported("Cohere embeds text, not tokens")
    body: dict[str, Any] = {"input_type": request.input_type or _DEFAULT_INPUT_TYPE, "embedding_types": ["float"]}
    if request.inputs:  # images come through provider_options, instead or besides
        body["texts"] = list(request.inputs)
    if request.HasField("dimensions"):
        body["output_dimension"] = request.dimensions
    body |= own_options(request, account) | {"model": model}
    return _post("/embed", body, stream=False, account=account, secret=secret)


def _check_chat(request: pb.ChatRequest) -> None:
    """Raises Unsupported for what the wire has no field for and leaving it out would change."""
    refused = {
        "choice_count": request.HasField("choice_count") and request.choice_count != 1,
        "parallel_tool_calls": request.HasField("parallel_tool_calls") and not request.parallel_tool_calls,
        "top_logprobs": request.HasField("top_logprobs"),
        "logit_bias": bool(request.logit_bias),
    }
    if names := [name for name, wanted in refused.items() if wanted]:
        raise Unsupported(f"Cohere does not take {', '.join(names)}")


def _tools(request: pb.ChatRequest) -> dict[str, Any]:
    tools, mode = list(request.tools), request.tool_choice.mode
    if request.tool_choice.WhichOneof("choice") == "name":
        # One tool cannot be named, only that some tool must be called: so it is the only one that is offered.
        tools, mode = [tool for tool in tools if tool.name == request.tool_choice.name], "required"
        if not tools:
            raise BadRequest(f"tool_choice names {request.tool_choice.name!r}, which is not among the tools")
    body: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]} if tools else {}
    if strict := [tool.strict for tool in tools if tool.HasField("strict")]:
        body["strict_tools"] = any(strict)  # for all of them or for none
    if mode in _TOOL_MODES:
        body["tool_choice"] = _TOOL_MODES[mode]
    elif mode not in ("", "auto"):
        raise BadRequest(f"tool_choice {mode!r} is none of auto, none, required")
    return body


def _tool(tool: pb.Tool) -> dict[str, Any]:
    parameters = to_plain(tool.parameters) if tool.HasField("parameters") else {"type": "object", "properties": {}}
    function: dict[str, Any] = {"name": tool.name, "parameters": parameters}  # both are required
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _response_format(kind: str, response_format: pb.ResponseFormat) -> dict[str, Any]:
    """A schema stands beside the type "json_object", and is always adhered to."""
    if kind != "json_schema":
        return {"type": kind}
    wanted = response_format.json_schema
    if not wanted.HasField("schema"):
        return {"type": "json_object"}
    about = {"description": wanted.description} if wanted.description else {}
    return {"type": "json_object", "json_schema": {**about, **to_plain(wanted.schema)}}


def _thinking(request: pb.ChatRequest) -> dict[str, Any]:
    """On or off, or a number of tokens: there are no efforts in between (docs.cohere.com/docs/reasoning)."""
    if request.HasField("reasoning_max_tokens"):
        budget = request.reasoning_max_tokens
        return {"thinking": {"type": "enabled", "token_budget": budget} if budget else {"type": "disabled"}}
    if request.reasoning_effort:
        return {"thinking": {"type": "disabled" if request.reasoning_effort == "none" else "enabled"}}
    return {}


def _post(path: str, body: dict[str, Any], *, stream: bool, account: Account, secret: str) -> HttpRequest:
    headers = headers_for(account, secret, stream=stream)
    return HttpRequest("POST", account.base_url.rstrip("/") + path, headers, orjson.dumps(body))
