"""The OpenAI wire: OpenAI itself, and every server that speaks its language."""

from __future__ import annotations

import base64
import json
from array import array
from typing import Any

from sidecar.core.call import Operation
from tests.conformance.families.openai_requests import translate
from tests.conformance.family import Explained, Family
from tests.conformance.outcome import Choice, Outcome, recorded_usage
from tests.support.providers import rows
from tests.support.providers_replay import Exchange

SUFFIXES = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embeddings": "/embeddings",
    "moderation": "/moderations",
}
OPERATIONS = {
    "chat": Operation.CHAT,
    "completion": Operation.COMPLETION,
    "embeddings": Operation.EMBEDDING,
    "moderation": Operation.MODERATION,
}
OTHER_ADDRESSES = frozenset({"azure", "vertexai"})
"""They speak it under addresses of their own, which a later wire will know."""
ALSO_UNDER = {"perplexity": "/v1"}
"""Where a provider serves the same as at the recorded address, and its row goes today."""
OTHER_WIRES = frozenset({"cohere", "anthropic", "gemini", "bedrock", "voyage", "writer"})
"""What was recorded without a request can be told apart by its provider only."""


def _mine(exchange: Exchange) -> bool:
    if exchange.operation not in SUFFIXES or exchange.provider in OTHER_ADDRESSES | OTHER_WIRES:
        return False
    return not exchange.path or exchange.path.endswith(SUFFIXES[exchange.operation])


def _account_type(exchange: Exchange) -> str:
    """The row of the exchange's provider; a provider without one is an OpenAI-compatible server."""
    row = rows().get(exchange.provider)
    return exchange.provider if row and row["wire"] == "openai" else "openai-compatible"


def _base_path(exchange: Exchange) -> str:
    """The recorded path up to the operation's."""
    return exchange.path.removesuffix(SUFFIXES[exchange.operation])


def expected(exchange: Exchange) -> Outcome:
    chunks = events(exchange) if exchange.stream else [json.loads(exchange.body)]
    for chunk in chunks:
        if exchange.status >= 400 or "error" in chunk:
            return Outcome(error=_error(exchange, chunk["error"]))
    outcome = recorded(exchange, chunks)
    outcome.vectors = [_numbers(vector) for vector in outcome.vectors]
    return outcome


def events(exchange: Exchange) -> list[dict[str, Any]]:
    lines = exchange.body.decode().splitlines()
    return [json.loads(line[5:]) for line in lines if line.startswith("data:") and line[5:].strip() != "[DONE]"]


def _error(exchange: Exchange, error: dict[str, Any]) -> tuple[int, str, str]:
    status = exchange.status if exchange.status >= 400 else error.get("status_code", 0)
    context = "context length" in error["message"] or error.get("code") == "context_length_exceeded"
    kinds = {400: "ContextTooLong" if context else "BadRequest", 401: "KeyRejected", 404: "ModelNotFound"}
    return status, kinds.get(status, "ServerError"), error["message"]


def _numbers(vector: Any) -> list[float]:
    values = array("f", base64.b64decode(vector)) if isinstance(vector, str) else array("f", vector)
    return list(values)


def sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    wrong = []
    recorded_path = _base_path(exchange) + SUFFIXES[exchange.operation]
    if path not in (recorded_path, ALSO_UNDER.get(exchange.provider, "") + recorded_path):
        wrong.append(f"path: recorded {exchange.path}, ours {path}")
    # One recording of a stream lacks the word for it in its request.
    before = _comparable({**(exchange.sent or {}), "stream": exchange.stream})
    ours = _comparable({"stream": False, **sent})
    differing = [name for name in sorted(before.keys() | ours.keys()) if before.get(name) != ours.get(name)]
    return wrong + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {ours.get(name)!r:.300}" for name in differing
    ]


_NEW_NAMES = {"max_completion_tokens": "max_tokens", "random_seed": "seed", "reasoning_content": "reasoning"}
_LISTS = ("input", "stop", "prompt")
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What means the same written the same: absent and empty, one and a list of one, new and old names."""
    body = {_NEW_NAMES.get(name, name): value for name, value in body.items() if value not in _EMPTY}
    body.pop("stream_options", None)  # asked for whether or not the recorded caller did
    for name in _LISTS:
        if isinstance(body.get(name), str) or _is_tokens(body.get(name)):
            body[name] = [body[name]]
    if body.get("tool_choice") == "any":
        body["tool_choice"] = "required"
    if isinstance(body.get("tool_choice"), dict):
        body["tool_choice"] = {"type": "function"} | body["tool_choice"]
    if "tools" in body:
        body["tools"] = [_comparable_tool(tool) for tool in body["tools"]]
    if "messages" in body:
        body["messages"] = [_comparable_message(message) for message in body["messages"]]
    return body


def _comparable_tool(tool: dict[str, Any]) -> dict[str, Any]:
    function = {name: value for name, value in tool.get("function", {}).items() if value not in _EMPTY}
    return {"type": "function", **tool} | ({"function": function} if function else {})


def _comparable_message(message: dict[str, Any]) -> dict[str, Any]:
    found = {_NEW_NAMES.get(name, name): value for name, value in message.items() if value not in _EMPTY}
    if found.get("prefix") is False:  # Mistral's default
        del found["prefix"]
    if isinstance(found.get("content"), list):
        found["content"] = [_comparable_part(part) for part in found["content"]]
    if "tool_calls" in found:
        found["tool_calls"] = [
            {**{name: call[name] for name in call if name != "index"}, "type": "function"}
            for call in found["tool_calls"]
        ]
    return found


def _comparable_part(part: dict[str, Any]) -> dict[str, Any]:
    match part:
        case {"type": "thinking", "thinking": list(thoughts)}:  # Mistral cuts one thought into several texts
            return {"type": "thinking", "thinking": "".join(thought["text"] for thought in thoughts)}
        case {"type": "image_url", "image_url": str(url)}:  # Mistral takes both: docs.mistral.ai/capabilities/vision
            return {**part, "image_url": {"url": url}}
        case _:
            return part


def _is_tokens(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], int)


def recorded(exchange: Exchange, chunks: list[dict[str, Any]]) -> Outcome:
    """`chunks`: the events of a stream, or the one body."""
    outcome = Outcome(usage=recorded_usage(exchange))
    for chunk in chunks:
        outcome.model = outcome.model or chunk.get("model") or ""
        for place, said in enumerate(chunk.get("choices") or []):
            _add(outcome.choices, said.get("index", place), said, exchange.stream)
        for entry in chunk.get("data") or []:
            outcome.vectors.append(entry["embedding"])
        for result in chunk.get("results") or []:
            scores = result["category_scores"]
            outcome.scores.append({name: (result["categories"][name], score) for name, score in scores.items()})
    return outcome


def _add(choices: list[Choice], index: int, said: dict[str, Any], stream: bool) -> None:
    while len(choices) <= index:
        choices.append(Choice())
    choice, message = choices[index], said.get("delta" if stream else "message") or {}
    choice.finish = said.get("finish_reason") or choice.finish
    choice.text += said.get("text") or ""
    content = message.get("content") or ""
    parts: list[dict[str, Any]] = [{"type": "text", "text": content}] if isinstance(content, str) else content
    for part in parts:
        if part["type"] == "thinking":
            choice.reasoning += "".join(each["text"] for each in part["thinking"])
        else:
            choice.text += part.get("text", "")
    choice.reasoning += message.get("reasoning_content") or message.get("reasoning") or ""
    choice.refusal += message.get("refusal") or ""
    calls = message.get("tool_calls") or []
    if (old := message.get("function_call")) and (old.get("name") or old.get("arguments")):
        calls = [{"index": 0, "function": old}]
    for place, call in enumerate(calls):
        number = call.get("index", place) if stream else place
        while len(choice.calls) <= number:
            choice.calls.append(["", "", ""])
        before, function = choice.calls[number], call["function"]
        choice.calls[number] = [
            before[0] or call.get("id") or "",
            before[1] or function.get("name") or "",
            before[2] + (function.get("arguments") or ""),
        ]


CACHED_BESIDE = "usage: recorded without `cached`, ours with"
FAMILY = Family(
    name="openai",
    mine=_mine,
    wire=lambda _: "openai",
    operation=lambda exchange: OPERATIONS[exchange.operation],
    account_type=_account_type,
    base_path=_base_path,
    model=lambda exchange: (exchange.sent or {}).get("model") or "unknown",
    translate=lambda exchange: translate(exchange, _account_type(exchange)),
    expected=expected,
    sent_misses=sent_misses,
    settings=lambda _: {"api": "chat"},  # also where today's default for the model would be Responses
    explained=(
        Explained(
            CACHED_BESIDE,
            "Together (also behind Hugging Face's router) sends `cached_tokens` beside `prompt_tokens`, as Moonshot"
            " documents it; the recorder reads it only under `prompt_tokens_details`. We report what was counted.",
        ),
    ),
)
