"""The Gemini wire: generateContent, batchEmbedContents and predict, at the Gemini API and at Vertex AI."""

from __future__ import annotations

import base64
import json
import re
from array import array
from typing import Any
from urllib.parse import unquote

from sidecar.core.call import Operation
from tests.conformance.families.gemini_requests import camel, json_schema, translate
from tests.conformance.family import Family
from tests.conformance.outcome import Choice, Outcome, recorded_usage
from tests.support.providers_replay import Exchange

METHODS = ("generateContent", "streamGenerateContent", "batchEmbedContents", "predict")
PLACE = re.compile(r"(?P<base>.*?)(/publishers/google)?/models/(?P<model>[^/:]+):(?P<method>\w+)")
UNANSWERED = ("UNEXPECTED_TOOL_CALL", "MALFORMED_FUNCTION_CALL")
EMPTY: tuple[Any, ...] = (None, "", [], {}, False)


def _mine(exchange: Exchange) -> bool:
    """By its path, whoever stands in between; where only an answer was recorded, by who gave it."""
    if not exchange.path:
        return exchange.provider in ("gemini", "vertexai") and exchange.operation == "chat"
    place = PLACE.fullmatch(exchange.path)
    return place is not None and place["method"] in METHODS


def _place(exchange: Exchange) -> tuple[str, str]:
    """(base path, model)."""
    place = PLACE.fullmatch(exchange.path)
    return (place["base"], place["model"]) if place else ("", "gemini-2.5-flash")


def _account_type(exchange: Exchange) -> str:
    vertex = "/publishers/" in exchange.path or exchange.provider == "vertexai"
    return "vertexai" if vertex else "gemini"


# --- as recorded: read without any help from the codec --------------------------


def expected(exchange: Exchange) -> Outcome:
    chunks = _chunks(exchange)
    if "error" in chunks[0]:
        error = chunks[0]["error"]
        kinds = {400: "BadRequest", 404: "ModelNotFound", 429: "RateLimited"}
        return Outcome(error=(exchange.status, kinds[exchange.status], error["message"]))
    if exchange.operation == "embeddings":
        vectors = chunks[0].get("embeddings") or [each["embeddings"] for each in chunks[0]["predictions"]]
        return Outcome(vectors=[list(array("f", each["values"])) for each in vectors], usage=_usage(exchange, chunks))
    said = [candidate for chunk in chunks for candidate in chunk.get("candidates") or []]
    finish = next((reason for each in reversed(said) if (reason := each.get("finishReason"))), "")
    if finish in UNANSWERED and not any(_parts(each) for each in said):
        return Outcome(error=(exchange.status, "Garbled", said[-1]["finishMessage"]))
    choice = Choice(finish=str(finish))  # one recording is a client's own writing, with numbers for words
    for part in (part for each in said for part in _parts(each)):
        if part.get("thought"):
            choice.reasoning += part.get("text") or ""
        else:
            choice.text += part.get("text") or ""
        if "functionCall" in part:
            _call(choice, part["functionCall"], chunks[-1].get("responseId"))
    for call in choice.calls:
        call[2] = json.dumps(call[2], separators=(",", ":"), ensure_ascii=False)
    return Outcome(choices=[choice], usage=_usage(exchange, chunks), model=chunks[-1].get("modelVersion") or "")


def _chunks(exchange: Exchange) -> list[dict[str, Any]]:
    if exchange.stream:
        return [json.loads(line[5:]) for line in exchange.body.decode().splitlines() if line.startswith("data:")]
    whole = json.loads(exchange.body)
    return whole if isinstance(whole, list) else [whole]


def _parts(candidate: dict[str, Any]) -> list[dict[str, Any]]:
    return (candidate.get("content") or {}).get("parts") or []


def _call(choice: Choice, said: dict[str, Any], response_id: str | None) -> None:
    """Calls without an id get one of ours. The recorded pieces of arguments are texts, one deep."""
    calls: list[Any] = choice.calls
    if "name" in said:
        calls.append([said.get("id") or f"call_{response_id}_{len(calls)}", said["name"], dict(said.get("args") or {})])
    for piece in said.get("partialArgs") or []:
        name = piece["jsonPath"].removeprefix("$.")
        calls[-1][2][name] = calls[-1][2].get(name, "") + piece["stringValue"]


def _usage(exchange: Exchange, chunks: list[dict[str, Any]]) -> dict[str, float]:
    """The recorder knows nothing of what is told by modality, nor of what `predict` tells."""
    usage = recorded_usage(exchange)
    told = chunks[-1].get("usageMetadata") or {}
    for name, details in {"audio_in": "promptTokensDetails", "audio_out": "candidatesTokensDetails"}.items():
        for each in told.get(details) or []:
            usage |= {name: each["tokenCount"]} if each["modality"] == "AUDIO" else {}
    for each in chunks[0].get("predictions") or []:
        usage = {"input": usage.get("input", 0) + each["embeddings"]["statistics"]["token_count"], "output": 0}
    return usage


# --- what we sent ---------------------------------------------------------------


def sent_misses(exchange: Exchange, path: str, sent: dict[str, Any]) -> list[str]:
    before, ours = _comparable(exchange.sent or {}), _comparable(sent)
    differing = [name for name in sorted(before.keys() | ours.keys()) if before.get(name) != ours.get(name)]
    # Two recorded clients asked for a stream as one JSON array, which is a whole answer to us.
    wanted = exchange.path if exchange.stream else exchange.path.replace("streamGenerateContent", "generateContent")
    wanted += "?alt=sse" if exchange.stream else ""
    return ([] if unquote(path) == wanted else [f"path: recorded {wanted}, ours {path}"]) + [
        f"sent {name}: recorded {before.get(name)!r:.300}, ours {ours.get(name)!r:.300}" for name in differing
    ]


def _comparable(body: dict[str, Any]) -> dict[str, Any]:
    """What means the same written the same: either spelling of a field, either way to write a schema, a role that goes
    without saying, a text without words, ids that our API needs and older models do not give."""
    body = {name: value for name, value in camel(body).items() if value not in EMPTY}
    if "contents" in body:
        body["contents"] = [_content(each) for each in body["contents"]]
    if "systemInstruction" in body:
        body["systemInstruction"] = body["systemInstruction"]["parts"]
    declared = [each for tool in body.get("tools", []) for each in tool.get("functionDeclarations", [])]
    if declared:
        others = [tool for tool in body["tools"] if "functionDeclarations" not in tool]
        body["tools"] = [*(_declaration(each) for each in declared), *others]
    if "requests" in body:
        body["requests"] = [{**each, "content": {"parts": each["content"]["parts"]}} for each in body["requests"]]
    return body


def _content(content: dict[str, Any]) -> dict[str, Any]:
    return {"role": content["role"], "parts": [_part(part) for part in content["parts"] if part != {"text": ""}]}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    kind = next((name for name in ("functionCall", "functionResponse") if name in part), "")
    if kind:
        said = {name: value for name, value in part[kind].items() if name != "id"}
        media = [_part(each) for each in said.pop("parts", [])]
        return {**part, kind: {"args": {}, **said, "parts": media}}
    if "inlineData" in part:
        data = base64.urlsafe_b64decode(part["inlineData"]["data"].replace("+", "-").replace("/", "_"))
        return {**part, "inlineData": {**part["inlineData"], "data": data}}
    return part


def _declaration(declared: dict[str, Any]) -> dict[str, Any]:
    schema = declared.get("parametersJsonSchema") or json_schema(declared.get("parameters"))
    return {"name": declared["name"], "description": declared.get("description") or "", "schema": schema}


FAMILY = Family(
    name="gemini",
    mine=_mine,
    wire=lambda _: "gemini",
    operation=lambda exchange: Operation.CHAT if exchange.operation == "chat" else Operation.EMBEDDING,
    account_type=_account_type,
    base_path=lambda exchange: _place(exchange)[0],
    model=lambda exchange: _place(exchange)[1],
    translate=translate,
    expected=expected,
    sent_misses=sent_misses,
)
