"""Holds one exchange against its recording: what we sent, and what we made of the answer."""

from __future__ import annotations

import base64
import json
from array import array
from dataclasses import dataclass, replace
from typing import Any

from tests.conformance.cases import SUFFIXES, account_type, base_path
from tests.conformance.drive import Driver
from tests.conformance.outcome import Outcome, misses, recorded, rounded
from tests.conformance.translate import translate
from tests.support.providers_replay import Exchange, Replay

EXPLAINED: tuple[tuple[str, str], ...] = (
    (
        "usage: recorded without `cached`, ours with",
        (
            "Together (also behind Hugging Face's router) sends `cached_tokens` beside `prompt_tokens`, as Moonshot"
            " documents it; the recorder reads it only under `prompt_tokens_details`. We report what was counted."
        ),
    ),
)
"""(what is not as recorded, why it stands): the only differences that pass."""


@dataclass(frozen=True)
class Verdict:
    exchange: Exchange
    misses: tuple[str, ...]
    through_options: tuple[str, ...]
    """Recorded fields that our API has no name for, and that went through `provider_options`."""


async def check(exchange: Exchange, driver: Driver, replay: Replay) -> Verdict:
    request, through_options = translate(exchange, account_type(exchange))
    found = await driver(exchange, request, replay)
    wanted = rounded(_told_under(found, exchange, expected(exchange)))
    wrong = misses(wanted, rounded(found))
    if wrong and not misses(_without_cached(wanted), _without_cached(rounded(found))) and "cached" not in wanted.usage:
        wrong = [EXPLAINED[0][0]]
    if exchange.sent is not None:
        path, sent = replay.seen[exchange.id]
        wrong += _sent_misses(exchange, path, sent)
    return Verdict(exchange, tuple(wrong), tuple(through_options))


def explained(miss: str) -> str:
    return dict(EXPLAINED).get(miss, "")


def _told_under(found: Outcome, exchange: Exchange, wanted: Outcome) -> Outcome:
    """A stream's error event names a status of its own; an attempt's record has the one that the answer began with."""
    if wanted.error and found.error and found.error[0] == exchange.status:
        return replace(wanted, error=(exchange.status, *wanted.error[1:]))
    return wanted


def _without_cached(outcome: Outcome) -> Outcome:
    return replace(outcome, usage={name: value for name, value in outcome.usage.items() if name != "cached"})


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


def _sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    wrong = []
    if path != base_path(exchange) + SUFFIXES[exchange.operation]:
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
