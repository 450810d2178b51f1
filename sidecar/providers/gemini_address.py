"""Where Gemini is spoken to, and by which credentials. Pure.

    Gemini API   {root}/v1beta/models/{model}:{verb}                  ai.google.dev/api/generate-content
    Vertex AI    {root}/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:{verb}
                 docs.cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/projects.locations.publishers.models
    express mode {root}/v1/publishers/google/models/{model}:{verb}    .../docs/start/express-mode/overview

The version is added where the base URL names none; what a pasted address has behind it is cut off.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from sidecar.core.catalog import Account
from sidecar.core.faults import ModelNotFound
from sidecar.providers.http import headers_for

VERTEX = "vertex"
"""The option `address` of a row that is spoken to as Vertex AI is."""
KEY_HEADER = "x-goog-api-key"

_VERSION = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?(?=/|$)")
_TAIL = re.compile(r"/+(?:models|tunedModels|publishers|endpoints)(?:/.*)?$")
_OWN_PATH = {True: ("publishers/", "endpoints/"), False: ("models/", "tunedModels/")}
"""Whether Vertex -> what a model's name begins with that says by itself where it is (tuned and partners' models)."""
_API_KEYS = ("AIza", "AQ.")
_TOKENS = ("ya29.", "eyJ")
"""How Google's API keys and access tokens begin: docs.cloud.google.com/docs/authentication/{api-keys,token-types}."""


def is_vertex(account: Account) -> bool:
    return account.options.get("address") == VERTEX


def url_of(account: Account, model: str, verb: str) -> str:
    """Raises ModelNotFound for what can be no model's name: it must not lead to another place."""
    if any(piece in ("", ".", "..") for piece in model.split("/")):
        raise ModelNotFound(f"{model!r} names no model")
    vertex = is_vertex(account)
    name = resource(model, vertex=vertex)
    return f"{_base(account.base_url, vertex)}/{name}:{verb}"


def resource(model: str, *, vertex: bool = False) -> str:
    """The path that a model's name stands for."""
    if model.startswith(_OWN_PATH[vertex]):
        return quote(model, safe="/")
    return f"{'publishers/google/' if vertex else ''}models/{quote(model, safe='')}"


def headers_of(account: Account, secret: str, *, stream: bool = False) -> dict[str, str]:
    """Vertex takes OAuth access tokens; API keys too, which alone it takes in express mode."""
    headers = headers_for(account, secret, stream=stream)
    if (
        is_vertex(account)
        and headers.get("authorization") == f"Bearer {secret}"
        and _is_api_key(secret, account.base_url)
    ):
        del headers["authorization"]
        headers[KEY_HEADER] = secret
    return headers


def _is_api_key(secret: str, base_url: str) -> bool:
    return secret.startswith(_API_KEYS) or ("/projects/" not in base_url and not secret.startswith(_TOKENS))


@lru_cache(1024)
def _base(base_url: str, vertex: bool) -> str:
    base = _TAIL.sub("", base_url.rstrip("/"))
    scheme, _, rest = base.partition("://")
    if _VERSION.search(rest):
        return base
    if not vertex:
        return f"{base}/v1beta"
    host, projects, path = rest.partition("/projects/")
    return f"{scheme}://{host}/v1{projects}{path}"
