"""Where Azure OpenAI is spoken to: base URLs as people paste them -> the address of each request. Pure.

Three ways (learn.microsoft.com/azure/foundry/openai/api-version-lifecycle, .../foundry-models/concepts/endpoints):

    v1           {root}/openai/v1/chat/completions                            no api-version
    deployments  {root}/openai/deployments/{name}/chat/completions?api-version=2024-10-21
    models       {root}/models/chat/completions?api-version=2024-05-01-preview

A bare resource is spoken to by v1, since 2025-08 Microsoft's own choice, which every model knows; a dated api-version
asks for deployments. The Responses API is always under v1, where all of it is (.../foundry/openai/how-to/responses).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, quote, urlsplit

GA_VERSION = "2024-10-21"
"""The last dated version that is no preview: learn.microsoft.com/azure/ai-services/openai/reference (2026-11-21)."""
MODELS_VERSION = "2024-05-01-preview"
"""learn.microsoft.com/azure/foundry/foundry-models/concepts/endpoints, read 2026-11-21."""

_STREAM_OPTIONS_FROM = "2024-09-01"
"""learn.microsoft.com/azure/ai-services/openai/api-version-deprecation: with it came max_completion_tokens, which the
version of 2024-10-21 left out again (azure-rest-api-specs, inference/stable/2024-10-21)."""

_OPENAI = re.compile(r"(?P<root>.*?)/+openai(?:/(?P<v1>v1)(?:/.*)?|/deployments/(?P<name>[^/]+)(?:/.*)?|/responses)?")
_MODELS = re.compile(r"(?P<root>.*?)/+models(?:/.*)?")
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}.*")
_IN_V1 = ("preview", "latest")
"""What v1 itself takes as api-version: opt-ins to what is not general yet."""


@dataclass(frozen=True, slots=True)
class Address:
    root: str
    """What stands before /openai or /models."""
    way: str
    """ "v1" | "deployments" | "models" """
    version: str
    """api-version; empty where none is sent."""
    deployment: str = ""
    """The one that the base URL names; empty = the model of each call."""

    def model(self, named: str) -> str:
        """Which the body names: under v1 that is the deployment."""
        return (self.deployment or named) if self.way == "v1" else named

    def url(self, path: str, model: str) -> str:
        query = f"?api-version={quote(self.version, safe='')}" if self.version else ""
        match self.way:
            case "v1":
                return f"{self.root}/openai/v1{path}{query}"
            case "models":
                return f"{self.root}/models{path}{query}"
            case _:
                name = quote(self.deployment or model, safe="")
                return f"{self.root}/openai/deployments/{name}{path}{query}"

    @property
    def responses_url(self) -> str:
        query = f"?api-version={self.version}" if self.version in _IN_V1 else ""
        return f"{self.root}/openai/v1/responses{query}"

    @property
    def max_tokens(self) -> str:
        """The field that limits an answer here."""
        preview = self.version.endswith("-preview") and self.version >= _STREAM_OPTIONS_FROM
        return "max_completion_tokens" if self.way == "v1" or (self.way == "deployments" and preview) else "max_tokens"

    @property
    def stream_options(self) -> bool:
        """Whether a stream can be asked for its usage."""
        return self.way != "deployments" or self.version >= _STREAM_OPTIONS_FROM


@lru_cache(1024)
def address_of(base_url: str, version: str) -> Address:
    """`version`: the account's own; else the one in the URL's query, else the default of the way."""
    parts = urlsplit(base_url)
    version = version or (parse_qs(parts.query).get("api-version") or [""])[0]
    host, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    dated = bool(_DATED.fullmatch(version))
    if found := _OPENAI.fullmatch(path):
        if found["v1"]:
            return Address(host + found["root"], "v1", version if version in _IN_V1 else "")
        if dated or not version:
            return Address(host + found["root"], "deployments", version or GA_VERSION, found["name"] or "")
        return Address(host + found["root"], "v1", version if version in _IN_V1 else "", found["name"] or "")
    if found := _MODELS.fullmatch(path):
        return Address(host + found["root"], "models", version or MODELS_VERSION)
    if dated:
        return Address(host + path, "deployments", version)
    return Address(host + path, "v1", version if version in _IN_V1 else "")
