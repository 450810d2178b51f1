"""The providers that are known before anything is configured: one row each, from `sidecar/data/providers.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from sidecar.core.call import Capability, Operation

DATA = Path(__file__).resolve().parent.parent / "data"
GENERIC = "openai-compatible"
"""The type of a provider that no row knows."""

SPELLINGS = {"google": "gemini", "vertex": "vertexai", "vertex-ai": "vertexai"}
"""Other names of a row."""
URL_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "openai": ("OPENAI_BASE_URL",),
    "gemini": ("GEMINI_BASE_URL",),
    "together": ("TOGETHER_BASE_URL",),
    "ollama": ("OLLAMA_BASE_URL", "OLLAMA_URL"),
    "azure": ("AZURE_OPENAI_ENDPOINT", "AZURE_API_BASE"),
    "bedrock": ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME",),
    "vertexai": ("GOOGLE_VERTEX_BASE_URL",),
    GENERIC: ("OPENAI_COMPATIBLE_BASE_URL",),
}
"""Vendors' own variables for a base URL; the first that is set counts."""
KEY_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "gemini": ("GEMINI_API_KEY", "GOOGLE_AI_API_KEY"),
    GENERIC: ("OPENAI_COMPATIBLE_API_KEY",),
}
"""Vendors' own variables for a key where the row's `key_env` does not say it all."""
VERSION_VARIABLES: Mapping[str, tuple[str, ...]] = {
    "azure": ("OPENAI_API_VERSION", "AZURE_OPENAI_API_VERSION", "AZURE_API_VERSION"),
}
"""Variables for the version of a vendor's API, as its own client and others read them."""
MODEL_VARIABLES: Mapping[str, Mapping[str, str]] = {"openai": {"smart": "SMART_LLM", "fast": "FAST_LLM"}}

RESPONSES_WIRES = {"openai": "openai-responses", "azure": "azure-responses"}
"""A wire -> the same with chat by the Responses API; a row can name its own (`responses_wire`)."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is true of a provider whoever uses it."""

    type: str
    wire: str
    base_url: str
    display: str
    key_env: tuple[str, ...] = ()
    otel_name: str = ""
    price_provider: str = ""
    base_path: str = ""
    """What a base URL of this provider ends in ("/v1"); added where it is missing."""
    aggregator: bool = False
    self_hosted: bool = False
    needs_key: bool = True
    operations: frozenset[Operation] = frozenset()
    capabilities: frozenset[Capability] = frozenset()
    models: Mapping[str, str] = field(default_factory=dict)
    """Slot -> default model; a slot that the provider has no model for is absent."""
    options: Mapping[str, object] = field(default_factory=dict)
    """Handed to the wire as they stand, `auth` among them."""
    responses_wire: str = ""
    """Which wire an account speaks with api = "responses"; empty = its provider has no Responses API."""
    api: str = "chat"
    """Which API its accounts speak that do not say: "chat" or "responses"."""
    responses_models: tuple[str, ...] = ()
    """Patterns of the models that are spoken to by nothing else."""
    deployments: bool = False
    """See Account."""
    region_url: str = ""
    """base_url of an account that names a `{region}` only."""
    extra: str = ""
    """Which extra of this package brings what its wire needs."""


Rows = Mapping[str, Row]


@cache
def known_rows() -> Rows:
    """In the order of the file, which is the order of providers where nothing else orders them."""
    return parse_rows((DATA / "providers.toml").read_text(encoding="utf-8"))


def parse_rows(text: str) -> Rows:
    return {name: parse_row(name, table) for name, table in tomllib.loads(text).items()}


def parse_row(name: str, table: Mapping[str, Any]) -> Row:
    return Row(
        type=name,
        wire=table["wire"],
        base_url=table.get("base_url", ""),
        display=table.get("display", name),
        key_env=tuple(dict.fromkeys((*KEY_VARIABLES.get(name, ()), *table.get("key_env", ())))),
        otel_name=table.get("otel_name", ""),
        price_provider=table.get("price_provider", ""),
        base_path=table.get("base_path", ""),
        region_url=table.get("region_url", ""),
        extra=table.get("extra", ""),
        aggregator=table.get("aggregator", False),
        self_hosted=table.get("self_hosted", False),
        needs_key=table.get("needs_key", True),
        operations=frozenset(map(Operation, table.get("operations", ()))),
        capabilities=frozenset(map(Capability, table.get("capabilities", ()))),
        models={slot: model for slot, model in table.get("models", {}).items() if model},
        options={
            "auth": table.get("auth", "bearer"),
            **({"probe": table["probe"]} if "probe" in table else {}),
            **table.get("options", {}),
        },
        responses_wire=table.get("responses_wire") or RESPONSES_WIRES.get(table["wire"], ""),
        api=table.get("api", "chat"),
        responses_models=tuple(table.get("responses_models", ())),
        deployments=table.get("deployments", False),
    )


def account_type(name: str, rows: Rows) -> str:
    """The row an account's name stands for: its own, or that of its stem before a number; "" if there is none."""
    spelled = SPELLINGS.get(name, name)
    if spelled in rows:
        return spelled
    stem = name.rstrip("0123456789").rstrip("-")
    stem = SPELLINGS.get(stem, stem)
    return stem if stem != name and stem in rows else ""
