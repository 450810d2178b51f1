"""Our chat in a prediction's `input` (replicate.com/docs/topics/predictions/create-a-prediction).

Each model has an input schema of its own. Language models share `prompt`, `system_prompt`, `max_tokens`, `temperature`,
`top_p`, `top_k`, `presence_penalty`, `frequency_penalty`, `stop_sequences` (comma-separated), `seed`
(replicate.com/meta/meta-llama-3.1-405b-instruct/api/schema). The ones made after OpenAI's take `messages` in place of
both prompts, `max_completion_tokens` and `reasoning_effort` (replicate.com/openai/o1-mini/api/schema): the row's option
`openai_input` says which. What any other field of a model's is called goes through `provider_options`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import orjson

from sidecar.core.catalog import Account
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.http import headers_for
from sidecar.providers.options import own_options
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb

_SHARED = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
_SAYERS = {pb.ROLE_USER: "user", pb.ROLE_ASSISTANT: "assistant"}
_SYSTEM = (pb.ROLE_SYSTEM, pb.ROLE_DEVELOPER)
_CANCEL_AFTER_S = 180.0
"""The default deadline of a call."""
_SHORTEST_CANCEL_S = 5


def encode_chat(request: pb.ChatRequest, model: str, stream: bool, account: Account, secret: str) -> HttpRequest:
    _check(request)
    path, version = _place(model)
    as_openai = _like_openai(model, account)
    input_ = {**_conversation(request, as_openai), **_parameters(request, as_openai)}
    body: dict[str, Any] = {**version, "input": input_ | own_options(request, account)}
    headers = {"cancel-after": f"{_cancel_after_s(account)}s"}
    if stream:
        body["stream"] = True
    else:
        headers["prefer"] = "wait"
    headers |= headers_for(account, secret, stream=stream, accept="application/json")
    return HttpRequest("POST", account.base_url.rstrip("/") + path, headers, orjson.dumps(body))


def _place(model: str) -> tuple[str, dict[str, str]]:
    """(path, what the body says of the model): "owner/name" is an official model; "owner/name:version" or a bare
    version a community model's; "deployments/owner/name" one's own deployment."""
    name, _, version = model.partition(":")
    owner, slash, rest = name.partition("/")
    if version or not slash:
        return "/predictions", {"version": version or name}
    if owner == "deployments" and "/" in rest:
        owner, _, rest = rest.partition("/")
        return f"/deployments/{quote(owner, safe='')}/{quote(rest, safe='')}/predictions", {}
    return f"/models/{quote(owner, safe='')}/{quote(rest, safe='')}/predictions", {}


def _like_openai(model: str, account: Account) -> bool:
    prefixes = account.options.get("openai_input")
    return isinstance(prefixes, list) and model.startswith(tuple(map(str, prefixes)))


def _cancel_after_s(account: Account) -> int:
    """A caller that is gone no longer hears of the prediction: it must end by itself."""
    return max(math.ceil(account.timeouts.response_s or _CANCEL_AFTER_S), _SHORTEST_CANCEL_S)


def _check(request: pb.ChatRequest) -> None:
    """Raises Unsupported for what no input of Replicate's language models has a place for."""
    asked = {
        "tools": bool(request.tools),
        "tool_choice": request.tool_choice.WhichOneof("choice") not in (None, "mode")
        or request.tool_choice.mode not in ("", "auto", "none"),
        "response_format": request.response_format.WhichOneof("format") not in (None, "text"),
        "choice_count": request.choice_count > 1,
        "logprobs": request.logprobs or request.HasField("top_logprobs"),
        "logit_bias": bool(request.logit_bias),
        "reasoning_max_tokens": request.HasField("reasoning_max_tokens"),
    }
    if refused := [name for name, is_set in asked.items() if is_set]:
        raise Unsupported(f"Replicate's chat does not take {', '.join(refused)}")


def _conversation(request: pb.ChatRequest, as_openai: bool) -> dict[str, Any]:
    system = "\n\n".join(_text(message) for message in request.messages if message.role in _SYSTEM)
    turns = [(message.role, _text(message)) for message in request.messages if message.role not in _SYSTEM]
    if request.prompt:
        turns.append((pb.ROLE_USER, request.prompt))
    single = len(turns) <= 1 and all(role == pb.ROLE_USER for role, _ in turns)
    if as_openai and not single:
        first = [{"role": "system", "content": system}] if system else []
        return {"messages": [*first, *({"role": _sayer(role), "content": text} for role, text in turns)]}
    prompt = "".join(text for _, text in turns) if single else _transcript(turns)
    return {name: text for name, text in (("system_prompt", system), ("prompt", prompt)) if text}


def _transcript(turns: Sequence[tuple[pb.Role.ValueType, str]]) -> str:
    """Several turns where a model takes one prompt: who said what, and whose turn it is."""
    lines = [f"{_sayer(role).capitalize()}: {text}" for role, text in turns]
    return "\n\n".join(lines if turns[-1][0] == pb.ROLE_ASSISTANT else [*lines, "Assistant:"])


def _sayer(role: pb.Role.ValueType) -> str:
    if role == pb.ROLE_UNSPECIFIED:
        raise BadRequest("a message has no role")
    if role not in _SAYERS:
        raise Unsupported("Replicate's chat does not take tool messages")
    return _SAYERS[role]


def _text(message: pb.ChatMessage) -> str:
    if message.tool_calls:
        raise Unsupported("Replicate's chat does not take tool calls")
    pieces = [message.text] if message.HasField("text") else []
    for part in message.parts:
        if part.WhichOneof("part") != "text":
            raise Unsupported(
                "a model at Replicate takes images, audio and files in inputs of its own: name them in provider_options"
            )
        pieces.append(part.text)
    pieces.append(message.refusal)
    return "".join(pieces)


def _parameters(request: pb.ChatRequest, as_openai: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {name: getattr(request, name) for name in _SHARED if request.HasField(name)}  # type: ignore[arg-type]
    if request.HasField("max_tokens"):
        fields["max_completion_tokens" if as_openai else "max_tokens"] = request.max_tokens
    if request.stop:
        if any("," in stop for stop in request.stop):
            raise Unsupported("a stop sequence with a comma cannot be told to Replicate")
        fields["stop_sequences"] = ",".join(request.stop)
    if request.reasoning_effort:
        if not as_openai:
            raise Unsupported("this model at Replicate takes no reasoning_effort")
        fields["reasoning_effort"] = request.reasoning_effort
    return fields
