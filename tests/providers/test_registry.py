"""Wires by name, and the rows that name them."""

import subprocess
import sys
from typing import Any

import pytest

from sidecar.core.call import Capability, Operation
from sidecar.core.catalog import Account
from sidecar.providers import registry
from sidecar.providers.openai_dialect import Dialect, dialect_of
from sidecar.providers.registry import built, wire
from tests.support.providers import rows

SLOTS = {"smart", "fast", "embedding", "moderation", "completion", "image"}
MISSION = """
openai anthropic gemini vertexai mistral groq zhipu openrouter replicate azure bedrock together ollama deepseek xai
perplexity huggingface cerebras moonshot fireworks alibaba cohere openai-compatible vllm llamacpp lmstudio local
"""


def test_the_openai_wire_has_its_four_operations() -> None:
    assert set(wire("openai")) == {Operation.CHAT, Operation.COMPLETION, Operation.EMBEDDING, Operation.MODERATION}


def test_a_wire_is_built_once() -> None:
    assert wire("openai") is wire("openai")


def test_an_unknown_wire_says_so() -> None:
    with pytest.raises(LookupError, match="the morse wire is not available"):
        wire("morse")


def test_a_wire_is_not_there_without_the_package_that_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "find_spec", lambda _: None)
    registry._ours.cache_clear()
    try:
        assert "bedrock" not in built()
        with pytest.raises(LookupError, match="the bedrock wire is not available"):
            wire.__wrapped__("bedrock")
    finally:
        registry._ours.cache_clear()


def test_no_wire_is_imported_before_it_is_asked_for() -> None:
    seen = "[m for m in sys.modules if 'openai' in m or 'botocore' in m]"
    code = f"import sys, sidecar.providers.registry as r; r.built(); print({seen})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_every_provider_of_the_mission_has_a_row() -> None:
    assert list(rows()) == MISSION.split()


@pytest.mark.parametrize("name", list(rows()))
def test_a_row_is_well_formed(name: str) -> None:
    row: dict[str, Any] = rows()[name]
    assert set(row["operations"]) <= set(Operation)
    assert set(row["capabilities"]) <= set(Capability)
    assert set(row.get("models", {})) <= SLOTS
    assert not row["base_url"].endswith("/")
    assert row["base_url"].startswith("https://") or row["self_hosted"] or not row["base_url"]
    assert row["needs_key"] <= bool(row["key_env"])


@pytest.mark.parametrize("name", [name for name, row in rows().items() if row["wire"] in built()])
def test_a_row_on_a_built_wire_offers_only_what_the_wire_can(name: str) -> None:
    assert {Operation(each) for each in rows()[name]["operations"]} <= set(wire(rows()[name]["wire"]))


@pytest.mark.parametrize("name", [name for name, row in rows().items() if row["wire"] == "openai"])
def test_the_options_of_a_row_are_all_known_to_the_dialect(name: str) -> None:
    options = rows()[name].get("options", {})
    found = dialect_of(Account(name, name, "openai", "", options={**options, "auth": "bearer"}))
    assert {field: getattr(found, field) for field in options} == options


def test_an_account_without_options_speaks_the_default_dialect() -> None:
    assert dialect_of(Account("x", "x", "openai", "")) == Dialect()
