"""The OpenAI Responses wire: OpenAI, Azure OpenAI, xAI, DeepSeek, and every server that speaks it."""

from __future__ import annotations

import json
from typing import Any

from sidecar.core.call import Operation
from tests.conformance.families.openai import events
from tests.conformance.families.responses_requests import translate
from tests.conformance.family import Family
from tests.conformance.outcome import Choice, Outcome, recorded_usage
from tests.support.providers_replay import Exchange

SUFFIX = "/responses"
TYPES = frozenset({"openai", "azure", "xai", "deepseek"})
"""Rows with a Responses API of their own; whoever else speaks it is an OpenAI-compatible server."""
LAST = ("response.completed", "response.incomplete")
KINDS = {400: "BadRequest", 401: "KeyRejected"}
CODES = {"insufficient_quota": "RateLimited"}


def _mine(exchange: Exchange) -> bool:
    """Not its other endpoints (compact, input_tokens, an answer taken up again)."""
    return exchange.operation == "responses" and (not exchange.path or exchange.path.endswith(SUFFIX))


def _account_type(exchange: Exchange) -> str:
    return exchange.provider if exchange.provider in TYPES else "openai-compatible"


def _wire(exchange: Exchange) -> str:
    return "azure-responses" if exchange.provider == "azure" else "openai-responses"


def _base_path(exchange: Exchange) -> str:
    recorded = exchange.path.removesuffix(SUFFIX)
    return recorded or ("/openai/v1" if exchange.provider == "azure" else "")


def expected(exchange: Exchange) -> Outcome:
    if exchange.status >= 400:
        return Outcome(error=_error(exchange.status, json.loads(exchange.body)["error"]))
    if not exchange.stream:
        return _outcome(exchange, json.loads(exchange.body))
    found = events(exchange)
    for event in found:
        if event["type"] == "error":
            return Outcome(error=_error(0, event["error"]))
    last = [event["response"] for event in found if event["type"] in LAST]
    if not last:
        return Outcome(error=(0, "StreamCut", "the stream ended before its end was told"))
    return _outcome(exchange, {**last[0], "output": _streamed(found)})


def _streamed(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["item"] for event in found if event["type"] == "response.output_item.done"]


def _error(status: int, error: dict[str, Any]) -> tuple[int, str, str]:
    return status, CODES.get(error.get("code") or "") or KINDS[status], error["message"]


def _outcome(exchange: Exchange, response: dict[str, Any]) -> Outcome:
    choice = Choice(finish=(response.get("incomplete_details") or {}).get("reason") or response["status"])
    thoughts = []
    for item in response["output"]:
        for part in item.get("content") or []:
            choice.text += part["text"] if part["type"] == "output_text" else ""
            choice.refusal += part["refusal"] if part["type"] == "refusal" else ""
        if item["type"] == "function_call":
            choice.calls.append([item["call_id"], item["name"], item["arguments"]])
        if item["type"] == "reasoning":
            thoughts += [part["text"] for part in [*item["summary"], *(item.get("content") or [])] if part["text"]]
    choice.reasoning = "\n\n".join(thoughts)
    return Outcome([choice], recorded_usage(exchange), model=response["model"])


def sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    wrong = [] if path == _base_path(exchange) + SUFFIX else [f"path: recorded {exchange.path}, ours {path}"]
    recorded = exchange.sent or {}
    if not set(recorded.get("include") or ()) <= set(sent.get("include", ())):
        wrong.append(f"sent include: recorded {recorded['include']}, ours {sent.get('include')}")
    if recorded.get("store") is not None and recorded["store"] != sent.get("store"):
        wrong.append(f"sent store: recorded {recorded['store']}, ours {sent.get('store')}")
    before, ours = _comparable({**recorded, "stream": exchange.stream}), _comparable({"stream": False, **sent})
    if not recorded.get("model"):  # a stored prompt names the model
        ours.pop("model")
    if not before["input"]:
        ours["input"] = []
    differing = [name for name in sorted(before.keys() | ours.keys()) if before.get(name) != ours.get(name)]
    return wrong + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {ours.get(name)!r:.300}" for name in differing
    ]


_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What means the same written the same."""
    body = {name: value for name, value in body.items() if value not in _EMPTY and name not in ("include", "store")}
    said = body.get("input", [])
    items = [{"role": "user", "content": said}] if isinstance(said, str) else [_item(item) for item in said]
    if instructions := body.pop("instructions", None):
        items.insert(0, {"role": "system", "content": instructions})
    body["input"] = items
    body["tools"] = [
        {name: value for name, value in tool.items() if value is not None} for tool in body.get("tools", [])
    ]
    return body


def _item(item: dict[str, Any]) -> dict[str, Any]:
    """Without what a server gives names and states to by itself."""
    item = {name: value for name, value in item.items() if value not in _EMPTY and name != "status"}
    if item.get("type") in ("function_call", "message"):
        item.pop("id", None)
    if item.get("type") == "message":
        del item["type"]
    content = item.get("content")
    if item.get("role") == "assistant" and isinstance(content, list):
        item["content"] = "".join(part["text"] for part in content)
    return item


FAMILY = Family(
    name="responses",
    mine=_mine,
    wire=_wire,
    operation=lambda _: Operation.CHAT,
    account_type=_account_type,
    base_path=_base_path,
    model=lambda exchange: (exchange.sent or {}).get("model") or "unknown",
    translate=lambda exchange: translate(exchange, _account_type(exchange)),
    expected=expected,
    sent_misses=sent_misses,
    settings=lambda _: {"api": "responses"},
)
