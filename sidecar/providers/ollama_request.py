"""Our requests in Ollama's JSON (docs.ollama.com/api/chat, /api/generate and /api/embed)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import Unsupported
from sidecar.providers.http import headers_for
from sidecar.providers.ollama_messages import messages_json
from sidecar.providers.options import own_options
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

NDJSON = "application/x-ndjson"

_OPTIONS = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")
Request = pb.ChatRequest | pb.CompletionRequest | pb.EmbeddingRequest


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    _refuse(
        choice_count=request.HasField("choice_count") and request.choice_count != 1,
        parallel_tool_calls=request.HasField("parallel_tool_calls") and not request.parallel_tool_calls,
        logit_bias=bool(request.logit_bias),
        tool_choice=request.tool_choice.WhichOneof("choice") == "name" or request.tool_choice.mode == "required",
        reasoning_max_tokens=request.reasoning_max_tokens > 0,
        strict=any(tool.strict for tool in request.tools),
    )
    messages = messages_json(request.messages)
    if request.prompt:
        messages.append({"role": "user", "content": request.prompt})
    body: dict[str, Any] = {"messages": messages}
    if request.tools and request.tool_choice.mode != "none":  # there is no other way to forbid their use
        body["tools"] = [_tool(tool) for tool in request.tools]
    if (wanted := _format(request.response_format)) is not None:
        body["format"] = wanted
    if (think := _think(request, model)) is not None:
        body["think"] = think
    body |= {name: getattr(request, name) for name in ("logprobs", "top_logprobs") if request.HasField(name)}
    options = _options(request)
    if request.HasField("top_k"):
        options["top_k"] = request.top_k
    return _post("/api/chat", body, options, request, model=model, stream=stream, account=account, secret=secret)


def encode_completion(
    request: pb.CompletionRequest, model: str, stream: bool, account: Account, secret: str
) -> HttpRequest:
    _refuse(
        more_prompts=bool(request.more_prompts),
        choice_count=request.HasField("choice_count") and request.choice_count != 1,
        best_of=request.HasField("best_of") and request.best_of != 1,
        echo=request.echo,
        logit_bias=bool(request.logit_bias),
    )
    body: dict[str, Any] = {"prompt": request.prompt}
    if request.suffix:
        body["suffix"] = request.suffix
    if request.HasField("logprobs"):
        body |= {"logprobs": True} | ({"top_logprobs": request.logprobs} if request.logprobs else {})
    options = _options(request)
    return _post("/api/generate", body, options, request, model=model, stream=stream, account=account, secret=secret)


def encode_embedding(
    request: pb.EmbeddingRequest, model: str, _stream: bool, account: Account, secret: str
) -> HttpRequest:
    _refuse(token_inputs=bool(request.token_inputs))
    body: dict[str, Any] = {"input": list(request.inputs)}
    if request.HasField("dimensions"):
        body["dimensions"] = request.dimensions
    return _post("/api/embed", body, {}, request, model=model, stream=None, account=account, secret=secret)


def _refuse(**wanted: bool) -> None:
    """Raises Unsupported for what the wire has no field for and leaving it out would change."""
    if names := [name for name, there in wanted.items() if there]:
        raise Unsupported(f"Ollama does not take {', '.join(names)}")


def _options(request: pb.ChatRequest | pb.CompletionRequest) -> dict[str, Any]:
    options: dict[str, Any] = {name: getattr(request, name) for name in _OPTIONS if request.HasField(name)}  # type: ignore[arg-type]
    if request.HasField("max_tokens"):
        options["num_predict"] = request.max_tokens
    if request.stop:
        options["stop"] = list(request.stop)
    return options


def _tool(tool: pb.Tool) -> dict[str, Any]:
    parameters = to_plain(tool.parameters) if tool.HasField("parameters") else {"type": "object", "properties": {}}
    function: dict[str, Any] = {"name": tool.name, "parameters": parameters}  # both are required
    if tool.description:
        function["description"] = tool.description
    return {"type": "function", "function": function}


def _format(response_format: pb.ResponseFormat) -> Any:
    """ "json", or the schema itself (docs.ollama.com/capabilities/structured-outputs); None for text."""
    match response_format.WhichOneof("format"):
        case "json_object":
            return "json"
        case "json_schema" if response_format.json_schema.HasField("schema"):
            about = response_format.json_schema.description
            schema = to_plain(response_format.json_schema.schema)
            return {"description": about, **schema} if about else schema
        case "json_schema":
            return "json"
        case _:
            return None


def _think(request: pb.ChatRequest, model: str) -> bool | str | None:
    """On or off; gpt-oss alone takes a level, and refuses none (docs.ollama.com/capabilities/thinking)."""
    if request.HasField("reasoning_max_tokens"):
        return False
    effort = request.reasoning_effort
    if not effort:
        return None
    if effort == "none" or "gpt-oss" not in model.lower():
        return effort != "none"
    return "low" if effort == "minimal" else effort


def _post(
    path: str,
    body: dict[str, Any],
    options: dict[str, Any],
    request: Request,
    *,
    model: str,
    stream: bool | None,
    account: Account,
    secret: str,
) -> HttpRequest:
    """`stream` None: the operation does not know the field. The caller's `options` go over ours one by one."""
    own = own_options(request, account)
    theirs = own.pop("options", {})
    options |= theirs if isinstance(theirs, Mapping) else {}
    body |= {**({"options": options} if options else {}), **own, "model": model}
    body.pop("stream", None)
    if stream is not None:
        body["stream"] = stream  # it streams unless told not to
    headers = headers_for(account, secret, stream=bool(stream), accept=NDJSON if stream else "")
    return HttpRequest("POST", account.base_url.rstrip("/") + path, headers, orjson.dumps(body))
