"""A question to a provider that costs nothing: its list of models, or whose key this is. Pure.

Where a row says nothing else (`probe`), it is asked beside the address that the wire's own codec gives a call:

    openai, openai-responses   /models              developers.openai.com/api/reference/resources/models
    perplexity-responses       /models              docs.perplexity.ai/docs/agent-api/models; it asks for no key
    anthropic                  /v1/models           platform.claude.com/docs/en/api/models-list
    gemini                     /v1beta/models       ai.google.dev/api/rest/v1beta/models/list
    cohere                     /v1/models           docs.cohere.com/v1/reference/list-models
    ollama                     /api/tags            docs.ollama.com/api/tags
    replicate                  /account             replicate.com/docs/reference/http#account.get
    azure                      /openai/models       learn.microsoft.com/rest/api/azureopenai/models/list; v1: as openai
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin

import orjson

from sidecar.core.call import Operation
from sidecar.core.catalog import Account
from sidecar.core.faults import Fault, ServerError
from sidecar.providers.wire import Codec, HttpRequest, HttpResponse, Wire
from taximeter.v1 import payload_pb2 as pb

MAX_MODELS = 1000
_NAME_CHARACTERS = 200
_PAYLOADS: Mapping[Operation, Callable[[], Any]] = {
    Operation.CHAT: lambda: pb.ChatRequest(prompt="."),
    Operation.COMPLETION: lambda: pb.CompletionRequest(prompt="."),
    Operation.EMBEDDING: lambda: pb.EmbeddingRequest(inputs=["."]),
    Operation.MODERATION: lambda: pb.ModerationRequest(inputs=["."]),
}
"""The least that can be asked; only its address and headers are used."""
_BESIDE: Mapping[str, tuple[str, str]] = {
    "openai": (r"/chat/completions$", "/models"),
    "openai-responses": (r"/responses$", "/models"),
    "perplexity-responses": (r"/responses$", "/models"),
    "anthropic": (r"/messages$", "/models"),
    "gemini": (r"/(v1\w*)/models/[^/]+:\w+(\?.*)?$", r"/\1/models"),
    "cohere": (r"/v2/chat$", "/v1/models"),
    "ollama": (r"/api/chat$", "/api/tags"),
    "replicate": (r"/(predictions|models/.+)$", "/account"),
    "azure": (r"/openai/(v1(?=/)|deployments/[^/]+)/chat/completions", r"/openai/\1/models"),
    "azure-responses": (r"/openai/v1/responses", "/openai/v1/models"),
}
"""Wire -> (what the address of a call ends in, what stands there instead)."""
_DEPLOYMENT = re.compile(r"/openai/deployments/[^/]+/models")
_UNKNOWN_THERE = (404, 405, 501)
_TIMEOUT = 408
_OF_CALLS = ("content-type", "accept", "prefer", "cancel-after")
"""Headers that belong to a call."""


def request(account: Account, wire: Wire, secret: str) -> HttpRequest | None:
    """The question with the account's credentials; None if none is known that costs nothing."""
    call = _call(account, wire, secret)
    if call is None:
        return None
    url = _url(account, call.url)
    if not url:
        return None
    headers = {name: value for name, value in call.headers.items() if name not in _OF_CALLS}
    return HttpRequest("GET", url, {**headers, "accept": "application/json"})


def codec_of(wire: Wire) -> tuple[Operation, Codec] | None:
    """The one that addresses the question, and says what a refusal of it means."""
    return next(((operation, wire[operation]) for operation in _PAYLOADS if operation in wire), None)


def _call(account: Account, wire: Wire, secret: str) -> HttpRequest | None:
    found = codec_of(wire)
    if found is None:
        return None
    operation, codec = found
    try:
        return codec.encode(_PAYLOADS[operation](), "model", False, account, secret)
    except Fault:
        return None


def _url(account: Account, of_call: str) -> str:
    """ "" if there is no such question. A row's own `probe` is taken from the base URL, as a link would be."""
    own = account.options.get("probe")
    if own is not None:
        return urljoin(account.base_url.rstrip("/") + "/", str(own)) if own else ""
    pattern, instead = _BESIDE.get(account.wire, ("", ""))
    if not pattern or not re.search(pattern, of_call):
        return ""
    return _DEPLOYMENT.sub("/openai/models", re.sub(pattern, instead, of_call))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer says."""

    alive: bool
    """Somebody is there who understands requests; whether completions work is another matter."""
    accepted: bool
    """The key was taken."""
    error_type: str = ""
    message: str = ""
    models: tuple[str, ...] = ()


def judged(response: HttpResponse, wire: Wire) -> Verdict:
    """A server that knows no such question is there all the same: many gateways have no list."""
    if 200 <= response.status < 300:
        return Verdict(alive=True, accepted=True, models=models_in(response))
    if response.status in _UNKNOWN_THERE:
        return Verdict(alive=True, accepted=False, message="it is there; it lists no models")
    found = codec_of(wire)
    fault = found[1].fault(response) if found is not None else ServerError(http_status=response.status)
    alive = response.status < 500 and response.status != _TIMEOUT
    return Verdict(alive, accepted=False, error_type=fault.error_type, message=fault.message)


def models_in(response: HttpResponse) -> tuple[str, ...]:
    """Names that an answer lists, in any of the shapes that providers use; none if it lists none."""
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return ()
    entries = body if isinstance(body, list) else _entries(body)
    return tuple(name for entry in entries if (name := _name(entry)))[:MAX_MODELS]


def _entries(body: Any) -> Iterable[Any]:
    for key in ("data", "models"):
        entries = body.get(key) if isinstance(body, dict) else None
        if isinstance(entries, list):
            return entries
    return ()


def _name(entry: Any) -> str:
    """Gemini writes "models/gemini-...": calls name what follows."""
    if not isinstance(entry, dict):
        return ""
    name = entry.get("id") or entry.get("name") or entry.get("model")
    return name.removeprefix("models/")[:_NAME_CHARACTERS] if isinstance(name, str) else ""
