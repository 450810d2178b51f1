"""Replicate's predictions: each recorded creation and poll, asked again as the creation of a chat.

A prediction that was under way when it was recorded is answered at the next poll as done, with the output it had
(tests.support.providers_replay): what its end was is not in the recordings.
"""

from __future__ import annotations

import json
from typing import Any

from google.protobuf import json_format

from sidecar.core.call import Operation
from taximeter.v1 import payload_pb2 as pb
from tests.conformance.family import Explained, Family
from tests.conformance.outcome import Choice, Outcome
from tests.support.providers_replay import Exchange

_SAME = {"prompt", "temperature", "top_p", "top_k", "seed", "max_tokens", "presence_penalty", "frequency_penalty"}
_FAILED = {"failed": "ServerError", "canceled": "ResponseTimeout", "aborted": "ServerError"}
_REFUSED = {401: "KeyRejected", 402: "RateLimited", 404: "ModelNotFound", 422: "BadRequest", 429: "RateLimited"}


def _mine(exchange: Exchange) -> bool:
    asked = exchange.line["request"] or {}
    is_job = exchange.operation == "predictions" and not exchange.path.endswith("/cancel")
    return exchange.provider == "replicate" and is_job and asked.get("method") in ("POST", "GET")


def _model(exchange: Exchange) -> str:
    if version := (exchange.sent or {}).get("version"):
        return str(version)
    place = exchange.path.split("/models/")[-1].removesuffix("/predictions")
    return place if "/models/" in exchange.path else "polled/only"


def _translate(exchange: Exchange) -> tuple[Any, list[str]]:
    recorded = (exchange.sent or {}).get("input", {"prompt": "what was recorded elsewhere"})
    fields = {name: value for name, value in recorded.items() if name in _SAME}
    if system := recorded.get("system_prompt"):
        turns = [("ROLE_SYSTEM", system), ("ROLE_USER", fields.pop("prompt", ""))]
        fields["messages"] = [{"role": role, "text": text} for role, text in turns]
    rest = {name: value for name, value in recorded.items() if name not in _SAME | {"system_prompt"}}
    if rest:
        fields["provider_options"] = {"replicate": rest}
    return json_format.ParseDict(fields, pb.ChatRequest()), sorted(rest)


def _expected(exchange: Exchange) -> Outcome:
    said = json.loads(exchange.body)
    if exchange.status >= 400:
        return Outcome(error=(exchange.status, _REFUSED.get(exchange.status, "ServerError"), said["detail"]))
    if kind := _FAILED.get(said["status"]):
        return Outcome(error=(0, kind, said["error"]))
    output = said.get("output")
    text = "".join(output) if isinstance(output, list) else output or ""
    metrics = said.get("metrics") or {}
    names = {"input": "input_token_count", "output": "output_token_count", "seconds": "predict_time"}
    usage = {ours: metrics[theirs] for ours, theirs in names.items() if theirs in metrics}
    return Outcome([Choice(text=text, finish="succeeded")], usage, model=said["model"])


def _sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    before = exchange.sent or {}
    wrong = [] if path == exchange.path else [f"path: recorded {exchange.path}, ours {path}"]
    differing = [name for name in sorted(before.keys() | sent.keys()) if before.get(name) != sent.get(name)]
    return wrong + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {sent.get(name)!r:.300}" for name in differing
    ]


FAMILY = Family(
    name="replicate",
    mine=_mine,
    wire=lambda _: "replicate",
    operation=lambda _: Operation.CHAT,
    account_type=lambda _: "replicate",
    base_path=lambda _: "/v1",
    model=_model,
    translate=_translate,
    expected=_expected,
    sent_misses=_sent_misses,
    explained=(
        Explained(
            "sent stream: recorded True, ours None",
            "Of a stream only the creation was recorded, as no stream: it is asked again as none.",
        ),
    ),
)
