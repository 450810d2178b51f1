"""Our chat request in the JSON of Perplexity's Agent API, which is the Responses API with differences.

Source: the pages under docs.perplexity.ai/docs/agent-api (migrate-from-sonar/how-to, effort, building-agents), and
references/request-mapping.md of the vendor's github.com/perplexityai/api-platform-developers, read 2026-11-21 in stored
copies; nothing of it was tried against Perplexity. Any field that it does not know is an error 400 there, nested ones
included, so nothing is sent that it does not document:

- In place of a model there may be a level of effort ("fast" ... "xhigh"; "fast@2026-10-16.0" pins one): it brings its
  model, instructions and tools along. It goes as `effort`; the row's option `levels` says which names are levels.
- A schema goes as `response_format`, in the form of chat completions. JSON without a schema is not offered.
- An assistant's message is plain text; images have no `detail`; no files, no audio, and no reasoning is given back.
- `thought_signature` comes with a call and goes back with the call and its result, along with the function's name.
- Claude models demand `max_output_tokens`: what the Messages API would be asked for is asked for here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.anthropic_models import ways_of
from sidecar.providers.anthropic_thinking import STREAM_MAX_TOKENS, UNARY_MAX_TOKENS
from sidecar.providers.http import headers_for
from sidecar.providers.openai_dialect import dialect_of
from sidecar.providers.openai_messages import data_url
from sidecar.providers.openai_request import response_format_json
from sidecar.providers.options import own_options
from sidecar.providers.responses_request import PATH, add_options, function_tool
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

_SAME = ("temperature", "top_p", "parallel_tool_calls")
_UNKNOWN = (
    *("top_k", "seed", "stop", "frequency_penalty", "presence_penalty", "logit_bias"),
    *("logprobs", "top_logprobs", "reasoning_max_tokens"),
)
"""`logprobs` are taken there and do nothing."""
_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_DEVELOPER: "developer",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
}


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    """`/v1/responses` and `/v1/agent` are one endpoint; a background answer is fetched from under the former only."""
    body = body_of(request, model, stream, account)
    headers = headers_for(account, secret, stream=stream)
    return HttpRequest("POST", account.base_url.rstrip("/") + PATH, headers, orjson.dumps(body))


def body_of(request: pb.ChatRequest, model: str, stream: bool, account: Account) -> dict[str, Any]:
    """Raises Unsupported for what the API has no field for."""
    _refuse_unknown(request)
    body: dict[str, Any] = {name: getattr(request, name) for name in _SAME if request.HasField(name)}  # type: ignore[arg-type]
    body |= {"input": list(_input(request)), "store": False, **_output(request, model, stream), **_tools(request)}
    if request.reasoning_effort:
        body["reasoning"] = {"effort": request.reasoning_effort}
    add_options(body, own_options(request, account), account)
    _put_what_was_routed(body, model, account)
    body.pop("stream", None)
    return {**body, "stream": True} if stream else body


def _put_what_was_routed(body: dict[str, Any], model: str, account: Account) -> None:
    """A model or a level, whatever the options say."""
    if any(fnmatchcase(model, level) for level in dialect_of(account).levels):
        body.pop("model", None)
        body.pop("preset", None)
        body["effort"] = model
    else:
        body["model"] = model


def _refuse_unknown(request: pb.ChatRequest) -> None:
    given = {field.name for field, _ in request.ListFields()}
    unknown = [name for name in _UNKNOWN if name in given]
    if request.choice_count > 1:
        unknown.append("choice_count")
    if request.reasoning_effort == "none":
        unknown.append("reasoning_effort none")
    if request.response_format.json_object:
        unknown.append("JSON without a schema")
    if unknown:
        raise Unsupported(f"Perplexity's Agent API does not take {', '.join(unknown)}")


def _output(request: pb.ChatRequest, model: str, stream: bool) -> dict[str, Any]:
    """What is said of the answer: how long, in which form."""
    body: dict[str, Any] = {}
    if request.HasField("max_tokens"):
        body["max_output_tokens"] = request.max_tokens
    elif model.startswith("anthropic/"):
        usual = STREAM_MAX_TOKENS if stream else UNARY_MAX_TOKENS
        body["max_output_tokens"] = min(usual, ways_of(model).max_tokens)
    if request.response_format.WhichOneof("format") == "json_schema":
        body["response_format"] = response_format_json("json_schema", request.response_format)
    return body


def _tools(request: pb.ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if request.tools:
        body["tools"] = [function_tool(tool) for tool in request.tools]
    if choice := request.tool_choice.WhichOneof("choice"):
        body["tool_choice"] = {"name": request.tool_choice.name} if choice == "name" else request.tool_choice.mode
    return body


def _input(request: pb.ChatRequest) -> Iterator[dict[str, Any]]:
    """Messages, calls and their results, in order."""
    calls = {call.id: call for message in request.messages for call in message.tool_calls}
    for message in request.messages:
        if message.name:
            raise Unsupported("Perplexity's Agent API knows no names of participants")
        if message.role == pb.ROLE_TOOL:
            yield _result(message, calls)
            continue
        content = _said(message)
        if content or not message.tool_calls:
            yield {"type": "message", "role": _role(message), "content": content}
        for call in message.tool_calls:
            arguments = {"name": call.name, "arguments": call.arguments}
            yield {"type": "function_call", "call_id": call.id, **arguments} | _signature(call)
    if request.prompt:
        yield {"type": "message", "role": "user", "content": request.prompt}


def _result(message: pb.ChatMessage, calls: Mapping[str, pb.ToolCall]) -> dict[str, Any]:
    said = _text(message, "what a tool gave")
    item = {"type": "function_call_output", "call_id": message.tool_call_id, "output": said}
    call = calls.get(message.tool_call_id)
    return item if call is None else item | {"name": call.name} | _signature(call)


def _signature(call: pb.ToolCall) -> dict[str, str]:
    return {"thought_signature": call.signature} if call.signature else {}


def _role(message: pb.ChatMessage) -> str:
    if message.role not in _ROLES:
        raise BadRequest("a message has no role")
    return _ROLES[message.role]


def _said(message: pb.ChatMessage) -> Any:
    """Text where it is nothing but text."""
    if message.role == pb.ROLE_ASSISTANT:
        return _text(message, "what an assistant said") + message.refusal
    if all(part.WhichOneof("part") == "text" for part in message.parts):
        return _text(message, "")
    first = [{"type": "input_text", "text": message.text}] if message.text else []
    return [*first, *(_part(part) for part in message.parts)]


def _text(message: pb.ChatMessage, what: str) -> str:
    if any(part.WhichOneof("part") != "text" for part in message.parts):
        raise Unsupported(f"Perplexity's Agent API takes only text as {what}")
    return message.text + "".join(part.text for part in message.parts)


def _part(part: pb.ContentPart) -> dict[str, Any]:
    match part.WhichOneof("part"):
        case "text":
            return {"type": "input_text", "text": part.text}
        case "image":
            return {"type": "input_image", "image_url": _image(part.image)}
        case None:
            raise BadRequest("a content part is empty")
        case kind:
            raise Unsupported(f"Perplexity's Agent API takes text and images, no {kind}")


def _image(image: pb.ImagePart) -> str:
    match image.WhichOneof("source"):
        case "url":
            return image.url
        case "data":
            return data_url(image.data, image.media_type)
        case _:
            raise BadRequest("an image part has neither url nor data")
