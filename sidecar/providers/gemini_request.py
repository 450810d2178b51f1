"""Our chat requests as generateContent (ai.google.dev/api/generate-content#method:-models.generatecontent)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.gemini_address import headers_of, is_vertex, url_of
from sidecar.providers.gemini_messages import Conversation
from sidecar.providers.gemini_models import thinking as thinking_config
from sidecar.providers.options import Request, keep_nothing, own_options
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
_RESOLUTIONS = {"high": "MEDIA_RESOLUTION_HIGH", "low": "MEDIA_RESOLUTION_LOW"}
_UNDERSCORED = re.compile(r"_([a-z])")
_UNKEPT = {"store": False}
"""Projects made since 2026-10-26 keep what is asked unless this says otherwise; embeddings never are
(ai.google.dev/gemini-api/docs/logs-datasets). Vertex AI has no such field
(googleapis.github.io/kotlin-genai, GenerateContentConfig.store)."""
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
    body = with_options(body, options_of(request, account))
    keep_nothing(body, account, {} if is_vertex(account) else _UNKEPT)
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    url = url_of(account, model, method)
    return HttpRequest("POST", url, headers_of(account, secret, stream=stream), orjson.dumps(body))


def options_of(request: Request, account: Account) -> dict[str, Any]:
    """What is meant for Gemini is meant for it at Vertex AI, too. Google reads both spellings of a field (topK,
    top_k), but not both at once."""
    options = own_options(request, account, "gemini")
    return {_UNDERSCORED.sub(lambda found: found[1].upper(), name): value for name, value in options.items()}


def with_options(body: dict[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """The options last and untouched: field by field within what is ours, too (`generationConfig`, `toolConfig`).
    Gemini's own tools stand beside the caller's."""
    merged = dict(body)
    for name, value in options.items():
        before = merged.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            merged[name] = with_options(before, value)
        elif name == "tools" and isinstance(before, list) and isinstance(value, list):
            merged[name] = [*before, *value]
        else:
            merged[name] = value
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
    config: dict[str, Any] = {
        theirs: getattr(request, ours)
        for ours, theirs in _RENAMED.items()
        if request.HasField(ours)  # type: ignore[arg-type]
    }
    if "logprobs" in config:
        config.setdefault("responseLogprobs", True)  # without it the number is refused
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if resolution := _media_resolution(request):
        config["mediaResolution"] = resolution
    if thinking := thinking_config(request, model):
        config["thinkingConfig"] = thinking
    return config | _response_format(request.response_format)


def _media_resolution(request: pb.ChatRequest) -> str:
    """The highest `detail` that an image asks for: a request has but one (ai.google.dev/api/generate-content
    #MediaResolution). Empty leaves it to the provider."""
    details = {part.image.detail for message in request.messages for part in message.parts}
    return next((found for detail, found in _RESOLUTIONS.items() if detail in details), "")


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
