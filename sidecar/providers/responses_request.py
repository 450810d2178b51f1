"""Our chat request in the JSON of the Responses API (developers.openai.com/api/reference/resources/responses).

What differs from chat completions: developers.openai.com/api/docs/guides/migrate-to-responses. Two things we decide:

- `store` is false unless the call says otherwise: by default OpenAI and xAI keep an answer for 30 days
  (docs.x.ai/developers/model-capabilities/text/generate-text), which a chat completion never asked for. A background
  answer has to be kept for a while to be fetched (developers.openai.com/api/docs/guides/background): there it is left
  to the provider. Of a workspace without retention it is false whatever the call says.
- What is not stored can be continued only if the reasoning comes along, encrypted
  (developers.openai.com/api/docs/guides/reasoning): we ask for it wherever the model reasons. Others refuse to be asked
  ("Encrypted content is not supported with this model": github.com/pydantic/pydantic-ai/issues/2865), so the row lists
  which do (`encrypted_reasoning`); a call that sets an effort or gives encrypted reasoning back shows it by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.http import headers_for
from sidecar.providers.openai_dialect import Dialect, dialect_of
from sidecar.providers.options import own_options
from sidecar.providers.responses_input import input_items
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

PATH = "/responses"
ENCRYPTED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"

_SAME = ("temperature", "top_p", "top_logprobs", "parallel_tool_calls")
_UNKNOWN = ("top_k", "seed", "frequency_penalty", "presence_penalty")
_MOST = {"choice_count": 1, "reasoning_max_tokens": 0}
"""It gives one answer, and takes no number of tokens to reason with; 0 is the effort "none"."""
_MERGED = ("reasoning", "text")
"""Objects of which a call's fields make one part and its options another."""


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    body = body_of(request, model, stream, account)
    headers = headers_for(account, secret, stream=stream)
    return HttpRequest("POST", account.base_url.rstrip("/") + PATH, headers, orjson.dumps(body))


def body_of(request: pb.ChatRequest, model: str, stream: bool, account: Account) -> dict[str, Any]:
    """Raises Unsupported for what the API has no field for."""
    _refuse_unknown(request, account)
    dialect = dialect_of(account)
    body: dict[str, Any] = {name: getattr(request, name) for name in _SAME if request.HasField(name)}  # type: ignore[arg-type]
    body |= {"input": input_items(request, dialect), "store": False, **_output(request), **_tools(request)}
    if effort := _effort(request, model, account, dialect):
        body["reasoning"] = {"effort": effort}
    if include := _include(request, model, dialect):
        body["include"] = include
    add_options(body, own_options(request, account, dialect.options_as), account)
    body["model"] = model
    body.pop("stream", None)
    return {**body, "stream": True} if stream else body


def _refuse_unknown(request: pb.ChatRequest, account: Account) -> None:
    unknown = [name for name in _UNKNOWN if request.HasField(name)]  # type: ignore[arg-type]
    unknown += [name for name in ("stop", "logit_bias") if getattr(request, name)]
    unknown += [name for name, most in _MOST.items() if getattr(request, name) > most]
    if unknown:
        raise Unsupported(f"the Responses API of {account.type} does not take {', '.join(unknown)}")


def _output(request: pb.ChatRequest) -> dict[str, Any]:
    """What is said of the answer: how long, in which form."""
    body: dict[str, Any] = {}
    if request.HasField("max_tokens"):
        body["max_output_tokens"] = request.max_tokens
    if kind := request.response_format.WhichOneof("format"):
        body["text"] = {"format": _format(kind, request.response_format.json_schema)}
    return body


def _effort(request: pb.ChatRequest, model: str, account: Account, dialect: Dialect) -> str:
    """No tokens to reason with is the effort "none"; of a model that never reasons there is nothing to be said."""
    if not request.HasField("reasoning_max_tokens"):
        return request.reasoning_effort
    if dialect.never_reasons(model, account):
        return ""
    if dialect.reasons(model) or (dialect.reasoning_off and not dialect.encrypted_reasoning):
        return "none"
    raise Unsupported(f"{model} at {account.type} is not known to be kept from reasoning")


def _format(kind: str, wanted: pb.JsonSchema) -> dict[str, Any]:
    if kind != "json_schema":
        return {"type": kind}
    schema: dict[str, Any] = {"type": kind, "name": wanted.name, "schema": to_plain(wanted.schema)}
    if wanted.description:
        schema["description"] = wanted.description
    if wanted.HasField("strict"):
        schema["strict"] = wanted.strict
    return schema


def _tools(request: pb.ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if request.tools:
        body["tools"] = [function_tool(tool) for tool in request.tools]
    if choice := request.tool_choice.WhichOneof("choice"):
        named = {"type": "function", "name": request.tool_choice.name}
        body["tool_choice"] = named if choice == "name" else request.tool_choice.mode
    return body


def function_tool(tool: pb.Tool) -> dict[str, Any]:
    """Here a function is strict unless it says otherwise, in chat completions the other way about: one that says
    nothing must mean the same on both (developers.openai.com/api/docs/guides/migrate-to-responses)."""
    parameters = to_plain(tool.parameters) if tool.HasField("parameters") else {"type": "object", "properties": {}}
    function = {"type": "function", "name": tool.name, "parameters": parameters, "strict": tool.strict}
    return {**function, "description": tool.description} if tool.description else function


def _include(request: pb.ChatRequest, model: str, dialect: Dialect) -> list[str]:
    include = [ENCRYPTED] if _reasons(request, model, dialect) else []
    return [*include, _LOGPROBS] if request.logprobs else include


def _reasons(request: pb.ChatRequest, model: str, dialect: Dialect) -> bool:
    """Whether the model is known to answer with reasoning that can be had encrypted."""
    if request.reasoning_effort not in ("", "none") or dialect.reasons(model):
        return True
    return any(block.signature for message in request.messages for block in message.reasoning_blocks)


def add_options(body: dict[str, Any], options: Mapping[str, Any], account: Account) -> None:
    """The options last and untouched; but tools of the provider's own join the caller's functions, and `reasoning` and
    `text` keep what the call's own fields say of them. Raises BadRequest for what a workspace may not have kept."""
    if account.zero_retention:
        options = _unkept(options)
    own = {name: body[name] for name in _MERGED if name in body}
    tools = body.get("tools", [])
    if options.get("background") is True:
        del body["store"]
    body |= options
    for name, fields in own.items():
        if isinstance(options.get(name), dict):
            body[name] = {**fields, **options[name]}
    if tools and isinstance(options.get("tools"), list):
        body["tools"] = [*tools, *options["tools"]]


def _unkept(options: Mapping[str, Any]) -> dict[str, Any]:
    """Without what has an answer kept: `store`, and `background`, whose answer has to be fetched. What a conversation
    at the provider says cannot be left out unnoticed (developers.openai.com/api/docs/guides/conversation-state)."""
    if options.get("conversation"):
        raise BadRequest(
            "this workspace keeps nothing (zero retention), and the option `conversation` has the provider keep what "
            "is said: send the messages instead"
        )
    return {name: value for name, value in options.items() if name not in ("store", "background")}
