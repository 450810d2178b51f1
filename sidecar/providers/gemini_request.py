"""Our chat requests as generateContent (ai.google.dev/api/generate-content#method:-models.generatecontent)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.gemini_address import address, headers, is_vertex
from sidecar.providers.gemini_messages import Conversation
from sidecar.providers.gemini_thinking import thinking_config
from sidecar.providers.options import own_options
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

_RENAMED = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "seed": "seed",
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
    "choice_count": "candidateCount",
    "logprobs": "responseLogprobs",
    "top_logprobs": "logprobs",
}
"""Ours -> the field of `generationConfig` (ai.google.dev/api/generate-content#generationconfig)."""
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_FILES = "https://generativelanguage.googleapis.com/v1beta"
"""Where the Files API says its files are, whoever passes its name on."""


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    _refuse(request)
    talk = Conversation(model, "" if is_vertex(account) else _FILES)
    talk.read(
        [*request.messages, *([pb.ChatMessage(role=pb.ROLE_USER, text=request.prompt)] if request.prompt else [])]
    )
    body: dict[str, Any] = {"contents": talk.contents}
    if talk.system:
        body["systemInstruction"] = {"parts": talk.system}
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_declaration(tool) for tool in request.tools]}]
    if calling := _function_calling(request):
        body["toolConfig"] = {"functionCallingConfig": calling}
    if config := _generation_config(request, model):
        body["generationConfig"] = config
    body = with_options(body, own_options(request, account))
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    url = address(account, model, method)
    return HttpRequest("POST", url, headers(account, secret, stream=stream), orjson.dumps(body))


def with_options(body: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they stand. Gemini's own tools stand beside the caller's, and most of its fields are in groups
    (`generationConfig`, `toolConfig`), of which options say some."""
    merged = body | options
    for name in options.keys() & body.keys():
        ours, theirs = body[name], options[name]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            merged[name] = ours | theirs
        elif name == "tools" and isinstance(theirs, list):
            merged[name] = [*ours, *theirs]
    return merged


def _refuse(request: pb.ChatRequest) -> None:
    """Raises Unsupported for what the wire has no field for."""
    refused = {
        "logit_bias": bool(request.logit_bias),
        "parallel_tool_calls": request.HasField("parallel_tool_calls") and not request.parallel_tool_calls,
    }
    if names := [name for name, wanted in refused.items() if wanted]:
        raise Unsupported(f"Gemini does not take {', '.join(names)}")


def _declaration(tool: pb.Tool) -> dict[str, Any]:
    """`parameters` would be a part of OpenAPI's schemas only (ai.google.dev/api/caching#FunctionDeclaration)."""
    declaration: dict[str, Any] = {"name": tool.name}
    if tool.description:
        declaration["description"] = tool.description
    if tool.HasField("parameters"):
        declaration["parametersJsonSchema"] = to_plain(tool.parameters)
    return declaration


def _function_calling(request: pb.ChatRequest) -> dict[str, Any]:
    """ai.google.dev/api/caching#FunctionCallingConfig. A forced call always keeps to its schema; a free one does where
    the mode is VALIDATED."""
    choice, mode = request.tool_choice.WhichOneof("choice"), request.tool_choice.mode
    if choice == "name":
        return {"mode": "ANY", "allowedFunctionNames": [request.tool_choice.name]}
    if mode not in ("", *_MODES):
        raise BadRequest(f"tool_choice {mode!r} is none of auto, none, required")
    if mode in ("", "auto") and any(tool.strict for tool in request.tools):
        return {"mode": "VALIDATED"}
    return {"mode": _MODES[mode]} if mode else {}


def _generation_config(request: pb.ChatRequest, model: str) -> dict[str, Any]:
    config = {theirs: getattr(request, ours) for ours, theirs in _RENAMED.items() if request.HasField(ours)}  # type: ignore[arg-type]
    if request.stop:
        config["stopSequences"] = list(request.stop)
    config |= _response_format(request.response_format)
    if thinking := thinking_config(request, model):
        config["thinkingConfig"] = thinking
    return config


def _response_format(wanted: pb.ResponseFormat) -> dict[str, Any]:
    """ai.google.dev/gemini-api/docs/structured-output. A schema is always adhered to; its name has no place there."""
    match wanted.WhichOneof("format"):
        case "json_object":
            return {"responseMimeType": "application/json"}
        case "json_schema":
            about = {"description": wanted.json_schema.description} if wanted.json_schema.description else {}
            schema = {**about, **to_plain(wanted.json_schema.schema)}
            return {"responseMimeType": "application/json", "responseJsonSchema": schema}
        case _:
            return {}
