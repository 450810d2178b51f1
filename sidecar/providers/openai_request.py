"""Our requests in OpenAI's JSON (platform.openai.com/docs/api-reference)."""

from __future__ import annotations

from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.http import headers_for
from sidecar.providers.openai_dialect import COMPLETIONS, Dialect, dialect_of
from sidecar.providers.openai_messages import message_json, part_json
from sidecar.providers.options import keep_nothing, own_options
from sidecar.providers.structs import to_plain, whole
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

_SAMPLING = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")
_CHAT_FIELDS = (*_SAMPLING, "top_k", "parallel_tool_calls", "logprobs", "top_logprobs")
_COMPLETION_FIELDS = (*_SAMPLING, "max_tokens", "logprobs", "echo", "best_of")

_OPERATIONS: dict[type[Any], str] = {
    pb.ChatRequest: "chat",
    pb.CompletionRequest: "completion",
    pb.EmbeddingRequest: "embedding",
    pb.ModerationRequest: "moderation",
}

Request = pb.ChatRequest | pb.CompletionRequest | pb.EmbeddingRequest | pb.ModerationRequest


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    dialect = dialect_of(account)
    messages = [message_json(message, dialect) for message in request.messages]
    if request.prompt:
        messages.append({"role": "user", "content": request.prompt})
    elif dialect.prefix and messages and messages[-1]["role"] == "assistant" and "tool_calls" not in messages[-1]:
        messages[-1]["prefix"] = True
    body: dict[str, Any] = {"messages": messages, **_generation(request, _CHAT_FIELDS)}
    if request.HasField("max_tokens"):
        body[dialect.max_tokens] = request.max_tokens
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if choice := request.tool_choice.WhichOneof("choice"):
        named = {"type": "function", "function": {"name": request.tool_choice.name}}
        body["tool_choice"] = named if choice == "name" else request.tool_choice.mode
    if response_format := request.response_format.WhichOneof("format"):
        body["response_format"] = response_format_json(response_format, request.response_format)
    body |= _reasoning(request, model, account, dialect)
    return _post("/chat/completions", body, request, model=model, stream=stream, account=account, secret=secret)


def encode_completion(
    request: pb.CompletionRequest, model: str, stream: bool, account: Account, secret: str
) -> HttpRequest:
    path = dialect_of(account).completion_path
    if request.more_prompts and path != COMPLETIONS:
        raise Unsupported(f"{account.type} completes one prompt in a call")
    prompt = [request.prompt, *request.more_prompts] if request.more_prompts else request.prompt
    body: dict[str, Any] = {"prompt": prompt, **_generation(request, _COMPLETION_FIELDS)}
    if request.suffix:
        body["suffix"] = request.suffix
    return _post(path, body, request, model=model, stream=stream, account=account, secret=secret)


def encode_embedding(
    request: pb.EmbeddingRequest, model: str, _stream: bool, account: Account, secret: str
) -> HttpRequest:
    if request.inputs and request.token_inputs:
        raise BadRequest("inputs and token_inputs cannot be in one request")
    tokens = [list(tokens.tokens) for tokens in request.token_inputs]
    body: dict[str, Any] = {"input": tokens or list(request.inputs)}
    if request.HasField("dimensions"):
        body["dimensions"] = request.dimensions
    if request.input_type and (asks := dialect_of(account).input_type):
        body[asks] = request.input_type
    return _post("/embeddings", body, request, model=model, stream=False, account=account, secret=secret)


def encode_moderation(
    request: pb.ModerationRequest, model: str, _stream: bool, account: Account, secret: str
) -> HttpRequest:
    if bool(request.inputs) + bool(request.parts) + bool(request.messages) > 1:
        raise BadRequest("only one of inputs, parts and messages can be in a request")
    dialect = dialect_of(account)
    if request.messages and not dialect.conversation_moderation_path:
        raise Unsupported(f"{account.type} judges texts, not conversations")
    path = dialect.conversation_moderation_path if request.messages else "/moderations"
    judged = [message_json(message, dialect) for message in request.messages]
    judged += [part_json(part, dialect) for part in request.parts]
    texts: Any = list(request.inputs)
    body = {"input": judged or texts}
    return _post(path, body, request, model=model, stream=False, account=account, secret=secret)


def _generation(request: pb.ChatRequest | pb.CompletionRequest, names: tuple[str, ...]) -> dict[str, Any]:
    """Fields that chat and completion share, where the caller set them."""
    body: dict[str, Any] = {name: getattr(request, name) for name in names if request.HasField(name)}  # type: ignore[arg-type]
    if request.HasField("choice_count"):
        body["n"] = request.choice_count
    if request.stop:
        body["stop"] = list(request.stop)
    if request.logit_bias:
        body["logit_bias"] = {token: whole(bias) for token, bias in request.logit_bias.items()}
    return body


def _reasoning(request: pb.ChatRequest, model: str, account: Account, dialect: Dialect) -> dict[str, Any]:
    """How hard to try, or how many tokens to reason with; none are told in the server's own way, where it has one."""
    effort = {"reasoning_effort": request.reasoning_effort} if request.reasoning_effort else {}
    if not request.HasField("reasoning_max_tokens"):
        return dict(dialect.reasoning_off) or effort if request.reasoning_effort == "none" else effort
    if request.reasoning_max_tokens <= 0:
        return _never(model, account, dialect)
    if not dialect.reasoning_budget:
        raise Unsupported(f"{account.type} takes no reasoning_max_tokens; reasoning_effort says how hard to try")
    outer, _, inner = dialect.reasoning_budget.partition(".")
    return {**effort, outer: {inner: request.reasoning_max_tokens} if inner else request.reasoning_max_tokens}


def _never(model: str, account: Account, dialect: Dialect) -> dict[str, Any]:
    """Of a model that never reasons there is nothing to be said."""
    if dialect.never_reasons(model, account):
        return {}
    if not dialect.reasoning_off or (dialect.encrypted_reasoning and not dialect.reasons(model)):
        raise Unsupported(f"{model} at {account.type} is not known to be kept from reasoning")
    return dict(dialect.reasoning_off)


def _tool(tool: pb.Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.HasField("parameters"):
        function["parameters"] = to_plain(tool.parameters)
    if tool.HasField("strict"):
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def response_format_json(kind: str, response_format: pb.ResponseFormat) -> dict[str, Any]:
    if kind != "json_schema":
        return {"type": kind}
    wanted = response_format.json_schema
    schema: dict[str, Any] = {"name": wanted.name}
    if wanted.description:
        schema["description"] = wanted.description
    if wanted.HasField("schema"):
        schema["schema"] = to_plain(wanted.schema)
    if wanted.HasField("strict"):
        schema["strict"] = wanted.strict
    return {"type": "json_schema", "json_schema": schema}


def _post(
    path: str, body: dict[str, Any], request: Request, *, model: str, stream: bool, account: Account, secret: str
) -> HttpRequest:
    dialect = dialect_of(account)
    body = _in_dialect(body, account, dialect) | own_options(request, account, dialect.options_as)
    keep_nothing(body, account, dialect.keep_nothing.get(_OPERATIONS[type(request)], {}))
    _put_what_metering_stands_on(body, model, stream, dialect)
    headers = headers_for(account, secret, stream=stream)
    return HttpRequest("POST", account.base_url.rstrip("/") + path, headers, orjson.dumps(body))


def _in_dialect(body: dict[str, Any], account: Account, dialect: Dialect) -> dict[str, Any]:
    refused = [name for name in dialect.unsupported if name in body]
    if refused:
        raise Unsupported(f"{account.type} does not take {', '.join(refused)}")
    return {dialect.rename.get(name, name): value for name, value in body.items()}


def _put_what_metering_stands_on(body: dict[str, Any], model: str, stream: bool, dialect: Dialect) -> None:
    """What no option may change: the model that was routed, whether it streams, and that a stream reports its usage."""
    body["model"] = model
    body.pop("stream", None)
    if stream:
        body["stream"] = True
    if stream and dialect.stream_usage:
        asked = body.get("stream_options")
        body["stream_options"] = {**(asked if isinstance(asked, dict) else {}), "include_usage": True}
