"""Our chat requests as POST /v1/messages (platform.claude.com/docs/en/api/messages/create)."""

from __future__ import annotations

from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import Unsupported
from sidecar.providers.anthropic_content import Block, with_cache_point
from sidecar.providers.anthropic_messages import conversation
from sidecar.providers.anthropic_models import Ways, ways_of
from sidecar.providers.anthropic_thinking import limits
from sidecar.providers.http import headers_for
from sidecar.providers.options import own_options
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

VERSION = "2023-06-01"
"""platform.claude.com/docs/en/api/versioning"""
BETAS = "betas"
"""Among `provider_options`: names for the header `anthropic-beta`, as Anthropic's own SDKs call them."""

_UNKNOWN = ("logprobs", "top_logprobs", "frequency_penalty", "presence_penalty")
"""The wire has no such field; zero and false mean what leaving them out does."""
_SAMPLING = ("temperature", "top_p", "top_k")
_HOTTEST = 1.0
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    ways = ways_of(model)
    _refuse_unknown(request, account)
    system, messages = conversation(request, ways)
    if messages and messages[-1]["role"] == "assistant" and not ways.prefill:
        raise Unsupported(f"{model} does not go on from an assistant message at the end")
    body: dict[str, Any] = {"messages": messages, **limits(request, model, ways, stream), **_sampling(request, model)}
    if system:
        body["system"] = system
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.tools:
        body["tools"] = [with_cache_point(_tool(tool), tool) for tool in request.tools]
    if choice := _tool_choice(request, model, ways):
        body["tool_choice"] = choice
    if schema := _format(request, model, ways):
        body["output_config"] = {**body.get("output_config", {}), "format": schema}
    options, betas = _options(request, account)
    body |= {**options, "model": model, "stream": stream}  # the last two are what metering stands on
    headers = _headers(account, secret, betas, stream=stream)
    return HttpRequest("POST", _url(account.base_url), headers, orjson.dumps(body))


def _refuse_unknown(request: pb.ChatRequest, account: Account) -> None:
    asked = [name for name in _UNKNOWN if getattr(request, name)]
    asked += ["seed"] if request.HasField("seed") else []
    asked += ["logit_bias"] if request.logit_bias else []
    asked += ["choice_count"] if request.choice_count > 1 else []
    if asked:
        raise Unsupported(f"{account.type} does not take {', '.join(asked)}")


def _sampling(request: pb.ChatRequest, model: str) -> dict[str, Any]:
    """The newest models take none of these; the value that they go by anyway may be left out."""
    asked: dict[str, Any] = {name: getattr(request, name) for name in _SAMPLING if request.HasField(name)}  # type: ignore[arg-type]
    if asked.get("temperature", 0) > _HOTTEST:
        raise Unsupported(f"{model} takes no temperature above {_HOTTEST}")
    if ways_of(model).sampling:
        return asked
    refused = [name for name, value in asked.items() if name == "top_k" or value != 1]
    if refused:
        raise Unsupported(f"{model} does not take {', '.join(refused)}")
    return {}


def _tool(tool: pb.Tool) -> Block:
    schema = to_plain(tool.parameters) if tool.HasField("parameters") else {}
    body: Block = {"name": tool.name, "input_schema": schema or {"type": "object", "properties": {}}}
    if tool.description:
        body["description"] = tool.description
    if tool.HasField("strict"):
        body["strict"] = tool.strict
    return body


def _tool_choice(request: pb.ChatRequest, model: str, ways: Ways) -> Block:
    """platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools; empty where nothing was said."""
    choice = request.tool_choice.WhichOneof("choice")
    mode = request.tool_choice.mode
    body: Block = {}
    if choice == "name":
        body = {"type": "tool", "name": request.tool_choice.name}
    elif choice:
        body = {"type": _CHOICES.get(mode, mode)}
    if body.get("type") in ("any", "tool") and not ways.forced_tools:
        raise Unsupported(f"{model} cannot be made to call a tool")
    one_at_a_time = request.HasField("parallel_tool_calls") and not request.parallel_tool_calls
    if one_at_a_time and request.tools and body.get("type") != "none":
        body = {"type": "auto", **body, "disable_parallel_tool_use": True}
    return body


def _format(request: pb.ChatRequest, model: str, ways: Ways) -> Block:
    """platform.claude.com/docs/en/build-with-claude/structured-outputs. A schema's name has no place there."""
    match request.response_format.WhichOneof("format"):
        case "json_object":
            raise Unsupported("the Anthropic wire gives JSON by a schema only")
        case "json_schema" if not ways.schema:
            raise Unsupported(f"{model} does not take a JSON schema")
        case "json_schema":
            wanted = request.response_format.json_schema
            about = {"description": wanted.description} if wanted.description else {}
            return {"type": "json_schema", "schema": {**about, **to_plain(wanted.schema)}}
        case _:
            return {}


def _options(request: pb.ChatRequest, account: Account) -> tuple[dict[str, Any], list[str]]:
    """(fields of the body, names of betas). Rows whose accounts also read what is meant for OpenAI are servers of no
    vendor's own: on this wire they read what is meant for Anthropic."""
    options = own_options(request, account, "anthropic" if account.options.get("options_as") else "")
    betas = options.pop(BETAS, [])
    return options, [str(name) for name in betas] if isinstance(betas, list) else []


def _headers(account: Account, secret: str, betas: list[str], *, stream: bool) -> dict[str, str]:
    headers = {"anthropic-version": VERSION, **headers_for(account, secret, stream=stream)}
    if betas:
        asked = [headers["anthropic-beta"]] if "anthropic-beta" in headers else []
        headers["anthropic-beta"] = ",".join([*asked, *betas])
    return headers


def _url(base_url: str) -> str:
    base = base_url.rstrip("/")
    return f"{base}/messages" if base.endswith("/v1") else f"{base}/v1/messages"
