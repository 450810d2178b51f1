"""The Anthropic wire: POST /v1/messages."""

from __future__ import annotations

import json
from typing import Any

from sidecar.core.call import Operation
from tests.conformance.families.anthropic_requests import translate
from tests.conformance.family import Family
from tests.conformance.outcome import Choice, Outcome, recorded_usage
from tests.support.providers_replay import Exchange

PATH = "/v1/messages"
EMPTY: tuple[Any, ...] = (None, "", [], {}, False)


def _mine(exchange: Exchange) -> bool:
    """Three recordings are left out, which no request has as its answer: two are the answers to several requests in
    one file; one puts a second answer behind half of the first, as an intermediary did that had lost its upstream
    (github.com/vercel/ai/issues/18331). To us that is a broken stream: tests/providers/test_anthropic_stream.py.
    """
    spoken = exchange.provider == "anthropic" and exchange.operation == "chat" and exchange.path in ("", PATH)
    return spoken and exchange.body.count(b"event: message_start") <= 1


# --- as recorded: read without any help from the codec --------------------------


def expected(exchange: Exchange) -> Outcome:
    chunks = _events(exchange) if exchange.stream else [json.loads(exchange.body)]
    for chunk in chunks:
        if chunk.get("type") == "error":
            return Outcome(error=_error(exchange, chunk["error"]))
    message = _put_together(chunks) if exchange.stream else chunks[0]
    choice = Choice(finish=message["stop_reason"])
    for block in message["content"]:
        choice.text += block.get("text") or ""
        choice.reasoning += block.get("thinking") or ""
        if block["type"] == "tool_use":
            choice.calls.append([block["id"], block["name"], _arguments(block["input"])])
    return Outcome(choices=[choice], usage=_usage(exchange), model=message["model"])


def _events(exchange: Exchange) -> list[dict[str, Any]]:
    return [json.loads(line[5:]) for line in exchange.body.decode().splitlines() if line.startswith("data:")]


def _put_together(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a stream amounts to."""
    message: dict[str, Any] = {}
    for event in events:
        match event:
            case {"type": "message_start"}:
                message = event["message"]
            case {"type": "content_block_start"}:
                message["content"].append({**event["content_block"], "json": ""})
            case {"type": "content_block_delta"}:
                _continue(message["content"][event["index"]], event["delta"])
            case {"type": "content_block_stop"}:
                block = message["content"][event["index"]]
                block["input"] = block["json"] or block.get("input")
            case {"type": "message_delta"}:
                message["stop_reason"] = event["delta"]["stop_reason"]
    return message


def _continue(block: dict[str, Any], delta: dict[str, Any]) -> None:
    names = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "json"}
    if name := names.get(delta["type"]):
        block[name] = block.get(name, "") + delta[name if name != "json" else "partial_json"]


def _arguments(given: Any) -> str:
    return given if isinstance(given, str) else json.dumps(given, separators=(",", ":"), ensure_ascii=False)


def _usage(exchange: Exchange) -> dict[str, float]:
    """The recorder knows nothing of thinking tokens yet."""
    usage = recorded_usage(exchange)
    for found in exchange.line["usage_raw"] or []:
        thought = (found["value"].get("output_tokens_details") or {}).get("thinking_tokens")
        usage |= {} if thought is None else {"reasoning": thought}
    return usage


def _error(exchange: Exchange, error: dict[str, Any]) -> tuple[int, str, str]:
    kinds = {400: "BadRequest", 401: "KeyRejected", 404: "ModelNotFound", 429: "RateLimited"}
    return exchange.status, kinds.get(exchange.status, "ServerError"), error["message"]


# --- what we sent ---------------------------------------------------------------


def sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    before, ours = _comparable({**(exchange.sent or {}), "stream": exchange.stream}), _comparable(sent)
    differing = [name for name in sorted(before.keys() | ours.keys()) if before.get(name) != ours.get(name)]
    return ([] if path == PATH else [f"path: recorded {PATH}, ours {path}"]) + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {ours.get(name)!r:.300}" for name in differing
    ]


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What means the same written the same: text and a list of one text, absent and empty."""
    body = {name: value for name, value in body.items() if value not in EMPTY}
    if "system" in body:
        body["system"] = _blocks(body["system"])
    if "tools" in body:
        body["tools"] = [{name: value for name, value in tool.items() if value not in EMPTY} for tool in body["tools"]]
    body["messages"] = [{**each, "content": _blocks(each["content"])} for each in body.get("messages", [])]
    return body


def _blocks(content: Any) -> list[dict[str, Any]]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [{name: _within(name, value) for name, value in block.items() if value not in EMPTY} for block in blocks]


def _within(name: str, value: Any) -> Any:
    """Of a tool's result; what server tools bring may be anything."""
    return _blocks(value) if name == "content" and isinstance(value, str | list) else value


FAMILY = Family(
    name="anthropic",
    mine=_mine,
    wire=lambda _: "anthropic",
    operation=lambda _: Operation.CHAT,
    account_type=lambda _: "anthropic",
    base_path=lambda _: "",
    model=lambda exchange: (exchange.sent or {}).get("model") or "unknown",
    translate=translate,
    expected=expected,
    sent_misses=sent_misses,
)
