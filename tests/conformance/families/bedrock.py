"""AWS Bedrock's Converse and ConverseStream. Invocations in each maker's own format are no part of the wire."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from sidecar.core.call import Operation
from tests.conformance.families.bedrock_requests import comparable, model_of, translate
from tests.conformance.family import Family
from tests.conformance.outcome import Choice, Outcome
from tests.support.providers_replay import Exchange

_CONVERSE = re.compile(r"/model/[^/]+/converse(-stream)?")
_EVENT_TYPE = re.compile(rb":event-type\x07..(\w+)", re.DOTALL)
_PRELUDE_BYTES, _CHECKSUM_BYTES = 12, 4


def _mine(exchange: Exchange) -> bool:
    return exchange.provider == "bedrock" and bool(_CONVERSE.fullmatch(exchange.path))


def _events(body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    """(type, payload) of each message: docs.aws.amazon.com/transcribe/latest/dg/event-stream.html."""
    while body:
        size, headers_size = struct.unpack("!II", body[:8])
        headers = body[_PRELUDE_BYTES : _PRELUDE_BYTES + headers_size]
        payload = body[_PRELUDE_BYTES + headers_size : size - _CHECKSUM_BYTES]
        kind = _EVENT_TYPE.search(headers)
        yield kind[1].decode() if kind else "", json.loads(payload)
        body = body[size:]


def _expected(exchange: Exchange) -> Outcome:
    if exchange.status >= 400:
        return Outcome(error=_error(exchange))
    return _streamed(exchange) if exchange.stream else _whole(json.loads(exchange.body))


def _error(exchange: Exchange) -> tuple[int, str, str]:
    message = json.loads(exchange.body)["message"]
    words = {"model identifier is invalid": "ModelNotFound", "exceeds maximum length": "ContextTooLong"}
    kinds = {400: "BadRequest", 403: "KeyRejected", 404: "ModelNotFound", 429: "RateLimited"}
    kind = next((kind for word, kind in words.items() if word in message), kinds.get(exchange.status, "ServerError"))
    return exchange.status, kind, message


def _whole(body: dict[str, Any]) -> Outcome:
    choice = Choice(finish=body["stopReason"])
    for block in body["output"]["message"]["content"]:
        choice.text += block.get("text", "")
        choice.reasoning += block.get("reasoningContent", {}).get("reasoningText", {}).get("text", "")
        if use := block.get("toolUse"):
            choice.calls.append([use["toolUseId"], use["name"], _compact(use["input"])])
    return Outcome([choice], _usage(body["usage"]))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _streamed(exchange: Exchange) -> Outcome:
    choice, outcome = Choice(), Outcome()
    blocks: dict[int, int] = {}
    for kind, said in _events(exchange.body):
        delta = said.get("delta", {})
        match kind:
            case "contentBlockStart" if use := said["start"].get("toolUse"):
                blocks[said["contentBlockIndex"]] = len(choice.calls)
                choice.calls.append([use["toolUseId"], use["name"], ""])
            case "contentBlockDelta":
                choice.text += delta.get("text", "")
                choice.reasoning += delta.get("reasoningContent", {}).get("text", "")
                if "toolUse" in delta:
                    choice.calls[blocks[said["contentBlockIndex"]]][2] += delta["toolUse"]["input"]
            case "messageStop":
                choice.finish = said["stopReason"]
            case "metadata":
                outcome.usage = _usage(said["usage"])
    choice.calls = [[id_, name, arguments or "{}"] for id_, name, arguments in choice.calls]
    outcome.choices = [choice]
    return outcome


def _usage(reported: dict[str, Any]) -> dict[str, float]:
    """Input with what was read from the cache and written to it."""
    names = {"cached": "cacheReadInputTokens", "cache_write": "cacheWriteInputTokens", "output": "outputTokens"}
    usage: dict[str, float] = {ours: reported[theirs] for ours, theirs in names.items() if theirs in reported}
    cached = usage.get("cached", 0) + usage.get("cache_write", 0)
    return {"input": reported["inputTokens"] + cached, **usage}


def _sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    wrong = [] if unquote(path) == unquote(exchange.path) else [f"path: recorded {exchange.path}, ours {path}"]
    before, ours = comparable(exchange.sent or {}), comparable(sent)
    differing = [name for name in sorted(before.keys() | ours.keys()) if before.get(name) != ours.get(name)]
    return wrong + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {ours.get(name)!r:.300}" for name in differing
    ]


FAMILY = Family(
    name="bedrock",
    mine=_mine,
    wire=lambda _: "bedrock",
    operation=lambda _: Operation.CHAT,
    account_type=lambda _: "bedrock",
    base_path=lambda _: "",
    model=model_of,
    translate=translate,
    expected=_expected,
    sent_misses=_sent_misses,
)
