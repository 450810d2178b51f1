"""Every way of configuring that the customer's documents show, against the real table of providers.

Two readings of each: with every wire built (the chain must be the one that the document promises), and with the
wires of this version (it must start; what cannot work yet is listed).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.core.call import Operation, Strategy
from sidecar.providers import registry
from sidecar.settings.rows import known_rows
from tests.support.config import chain, load

ALL_WIRES = frozenset(row.wire for row in known_rows().values())
OPENROUTER = """
AI_OPENROUTER_URL="https://openrouter.ai/api/v1"
AI_OPENROUTER_KEY="sk-or-v1-xxx"
AI_OPENROUTER_SMART="anthropic/claude-3.5-sonnet"
AI_OPENROUTER_FAST="anthropic/claude-3-haiku"
AI_OPENROUTER_ENABLED="true"
"""
OPENAI = """
AI_OPENAI_URL=""                # the usual one
AI_OPENAI_KEY="sk-proj-xxx"
AI_OPENAI_SMART="gpt-4.1"
AI_OPENAI_FAST="gpt-4o-mini"
AI_OPENAI_ENABLED="true"
"""
GROQ = """
AI_GROQ_URL="https://api.groq.com/openai/v1"
AI_GROQ_KEY="gsk-xxx"
AI_GROQ_SMART="mixtral-8x7b-32768"
AI_GROQ_FAST="llama3-8b-8192"
"""
AZURE = 'AI_AZURE_URL="https://mycompany.openai.azure.com"\nAI_AZURE_KEY="azure-key-xxx"\nAI_AZURE_SMART="gpt-4"\n'
TOGETHER = """
AI_TOGETHER_URL="https://api.together.xyz/v1"
AI_TOGETHER_KEY="xxx"
AI_TOGETHER_SMART="mistralai/Mixtral-8x22B-Instruct-v0.1"
"""
CUSTOM = """
AI_CUSTOM_URL="https://my-llm-server.com/v1"
AI_CUSTOM_KEY="custom-key"
AI_CUSTOM_SMART="my-large-model"
AI_CUSTOM_FAST="my-small-model"
"""
TWO_ACCOUNTS = "".join(
    f"AI_OPENROUTER{n}_KEY=sk-or-v1-account{n}\nAI_OPENROUTER{n}_SMART=anthropic/claude-3.5-sonnet\n" for n in (1, 2)
)
HIGH_AVAILABILITY = """
AI_OPENAI_KEY="sk-proj-primary"
AI_OPENAI_WEIGHT="3"
AI_OPENROUTER_KEY="sk-or-v1-backup"
AI_OPENROUTER_WEIGHT="1"
AI_ROTATION="failover"
AI_RETRY_FAILED="true"
AI_MAX_RETRIES="3"
"""
EXPERIMENT = """
AI_OPENAI_KEY="sk-proj-production"
AI_OPENAI_SMART=gpt-4.1
AI_EXPERIMENTAL_URL="https://new-provider.com/v1"
AI_EXPERIMENTAL_KEY="test-key"
AI_EXPERIMENTAL_SMART="new-model-large"
AI_EXPERIMENTAL_ENABLED="false"  # not yet
"""
LEGACY = 'OPENAI_API_KEY="sk-proj-xxx"\nOPENAI_BASE_URL="https://api.openai.com/v1"\nSMART_LLM=gpt-4.1\nFAST_LLM=gpt-4o-mini\n'
VENDOR_KEYS = (
    "AI_ENCRYPTION_KEY=three-blind-mice\nOPENAI_API_KEY=sk-1\nANTHROPIC_API_KEY=sk-ant-1\nGOOGLE_AI_API_KEY=AIza1\n"
)
ALL_OPENAI = """
OPENAI_API_KEY=sk-proj-1
AI_IMAGE_PROVIDER=openai
AI_IMAGE_MODEL=dall-e-3
AI_TEXT_PROVIDER=openai
AI_TEXT_MODEL=gpt-4.1
AI_AGENT_PROVIDER=openai
AI_AGENT_MODEL=gpt-4.1
"""
CLAUDE_TEXT = """
OPENAI_API_KEY=sk-proj-1
ANTHROPIC_API_KEY=sk-ant-1
AI_IMAGE_PROVIDER=openai
AI_IMAGE_MODEL=dall-e-3
AI_TEXT_PROVIDER=anthropic
AI_TEXT_MODEL=claude-3-5-sonnet-20241022
AI_TEXT_FALLBACK_PROVIDER=openai
AI_TEXT_FALLBACK_MODEL=gpt-4o-mini
"""
MIXED = """
AI_IMAGE_PROVIDER=gemini
AI_IMAGE_MODEL=gemini-2.0-flash
AI_TEXT_PROVIDER=anthropic
AI_TEXT_MODEL=claude-3-opus-20250219
AI_AGENT_PROVIDER=openai
AI_AGENT_MODEL=gpt-4.1
AI_AGENT_FALLBACK_PROVIDER=anthropic
AI_AGENT_FALLBACK_MODEL=claude-3-opus-20250219
GEMINI_API_KEY=g-1
ANTHROPIC_API_KEY=sk-ant-1
OPENAI_API_KEY=sk-1
"""
GEMINI = """
AI_TEXT_PROVIDER=gemini
AI_TEXT_MODEL=gemini-2.0-flash
GEMINI_API_KEY=g-1
GEMINI_BASE_URL=https://generativelanguage.googleapis.com/openai/
"""
OLLAMA = """
AI_IMAGE_PROVIDER=ollama
AI_IMAGE_MODEL=mistral
AI_TEXT_PROVIDER=ollama
AI_TEXT_MODEL=mistral
AI_AGENT_PROVIDER=ollama
AI_AGENT_MODEL=mistral
OLLAMA_BASE_URL=http://localhost:11434/v1
"""
COMPATIBLE = """
AI_TEXT_PROVIDER=openai-compatible
AI_TEXT_MODEL=your-model-name
OPENAI_COMPATIBLE_API_KEY=your-key
OPENAI_COMPATIBLE_BASE_URL=https://your-api.com/v1
"""
TWO_IMAGE_MODELS = """
OPENAI_API_KEY=sk-1
AI_IMAGE_PROVIDER=openai
AI_IMAGE_MODEL=dall-e-3
AI_IMAGE_FALLBACK_PROVIDER=openai
AI_IMAGE_FALLBACK_MODEL=dall-e-2
"""
VIDEO = """
GEMINI_API_KEY=g-1
OPENAI_API_KEY=sk-1
AI_VIDEO_SLIDES_PROVIDER=gemini
AI_VIDEO_SLIDES_MODEL=gemini-2.0-flash
AI_VIDEO_SLIDES_FALLBACK_PROVIDER=openai
AI_VIDEO_SLIDES_FALLBACK_MODEL=gpt-4.1
"""
HYBRID = """
OPENAI_API_KEY=sk-1
ANTHROPIC_API_KEY=sk-ant-1
AI_IMAGE_PROVIDER=openai
AI_IMAGE_MODEL=dall-e-3
AI_TEXT_PROVIDER=anthropic
AI_TEXT_MODEL=claude-3-opus-20250219
AI_IMAGE_FALLBACK_PROVIDER=ollama
AI_TEXT_FALLBACK_PROVIDER=ollama
OLLAMA_BASE_URL=http://localhost:11434/v1
"""
LAST_OF_SEVERAL = "OPENAI_API_KEY=sk-1\nAI_TEXT_PROVIDER=openai\nAI_TEXT_MODEL=gpt-4.1\nAI_TEXT_MODEL=gpt-4o # newer\n"
ROUTER_AND_OPENAI = "OPENROUTER_API_KEY=or-1\nOPENAI_API_KEY=sk-1\nOLLAMA_URL=http://localhost:11434\n"

CASES = [
    pytest.param(OPENAI, {"smart": ["openai/gpt-4.1"], "fast": ["openai/gpt-4o-mini"]}, id="openai"),
    pytest.param(OPENROUTER, {"smart": ["openrouter/anthropic/claude-3.5-sonnet"]}, id="openrouter"),
    pytest.param(AZURE, {"smart": ["azure/gpt-4"]}, id="azure"),
    pytest.param(GROQ, {"fast": ["groq/llama3-8b-8192"]}, id="groq"),
    pytest.param(TOGETHER, {"smart": ["together/mistralai/Mixtral-8x22B-Instruct-v0.1"]}, id="together"),
    pytest.param(CUSTOM, {"smart": ["custom/my-large-model"], "fast": ["custom/my-small-model"]}, id="custom"),
    pytest.param(
        OPENROUTER + OPENAI + GROQ,
        {
            "smart": ["openrouter/anthropic/claude-3.5-sonnet", "openai/gpt-4.1", "groq/mixtral-8x7b-32768"],
            "content-analysis": ["openrouter/anthropic/claude-3.5-sonnet", "openai/gpt-4.1", "groq/mixtral-8x7b-32768"],
            "simple-text-processing": [
                "openrouter/anthropic/claude-3-haiku",
                "openai/gpt-4o-mini",
                "groq/llama3-8b-8192",
            ],
        },
        id="cost-optimized, in the order of the file",
    ),
    pytest.param(
        TWO_ACCOUNTS,
        {"smart": [f"openrouter{n}/anthropic/claude-3.5-sonnet" for n in (1, 2)]},
        id="two accounts at one provider",
    ),
    pytest.param(EXPERIMENT, {"smart": ["openai/gpt-4.1", "experimental/new-model-large"]}, id="experiment"),
    pytest.param(LEGACY, {"smart": ["openai/gpt-4.1"], "fast": ["openai/gpt-4o-mini"]}, id="one provider, legacy"),
    pytest.param(
        ALL_OPENAI,
        {"image": ["openai/dall-e-3"], "text": ["openai/gpt-4.1"], "agent": ["openai/gpt-4.1"]},
        id="all tasks at openai",
    ),
    pytest.param(
        CLAUDE_TEXT,
        {"text": ["anthropic/claude-3-5-sonnet-20241022", "openai/gpt-4o-mini"], "image": ["openai/dall-e-3"]},
        id="images here, text there",
    ),
    pytest.param(
        MIXED,
        {
            "image": ["gemini/gemini-2.0-flash"],
            "text": ["anthropic/claude-3-opus-20250219"],
            "agent": ["openai/gpt-4.1", "anthropic/claude-3-opus-20250219"],
        },
        id="everything mixed",
    ),
    pytest.param(GEMINI, {"text": ["gemini/gemini-2.0-flash"]}, id="gemini by its openai door"),
    pytest.param(OLLAMA, {"text": ["ollama/mistral"], "agent": ["ollama/mistral"]}, id="all at home"),
    pytest.param(COMPATIBLE, {"text": ["openai-compatible/your-model-name"]}, id="openai-compatible"),
    pytest.param(TWO_IMAGE_MODELS, {"image": ["openai/dall-e-3", "openai/dall-e-2"]}, id="two image models"),
    pytest.param(
        VIDEO, {"video-slides": ["gemini/gemini-2.0-flash", "openai/gpt-4.1"]}, id="video slides with a fallback"
    ),
    pytest.param(LAST_OF_SEVERAL, {"text": ["openai/gpt-4o"]}, id="the last of several models"),
]


@pytest.mark.parametrize(("dotenv", "expected"), CASES)
def test_a_snippet_gives_its_chains(tmp_path: Path, dotenv: str, expected: dict[str, list[str]]) -> None:
    loaded = load(tmp_path, dotenv=dotenv, wires=ALL_WIRES, rows=None)
    assert {alias: chain(loaded, alias) for alias in expected} == expected
    named = {route.target.provider for alias in expected for route in loaded.catalog.aliases[alias].routes}
    assert {name for name in named if loaded.catalog.accounts[name].unusable} == set()


@pytest.mark.parametrize("dotenv", [pytest.param(case.values[0], id=case.id) for case in CASES])
def test_a_snippet_starts_with_the_wires_of_this_version(tmp_path: Path, dotenv: str) -> None:
    load(tmp_path, dotenv=dotenv, wires=frozenset(registry.built()), rows=None)


def test_high_availability_takes_default_models_and_weights(tmp_path: Path) -> None:
    catalog = load(tmp_path, dotenv=HIGH_AVAILABILITY, rows=None).catalog
    smart = catalog.aliases["smart"]
    assert smart.strategy is Strategy.FAILOVER
    assert [(route.target.provider, route.weight) for route in smart.routes] == [("openai", 3), ("openrouter", 1)]
    assert all(route.target.model for route in smart.routes)
    assert (catalog.retry.retry_failed, catalog.retry.max_retries) == (True, 3)


def test_vendor_keys_alone_are_enough(tmp_path: Path) -> None:
    loaded = load(tmp_path, dotenv=VENDOR_KEYS, wires=ALL_WIRES, rows=None)
    assert [name.split("/")[0] for name in chain(loaded, "smart")] == ["openai", "anthropic", "gemini"]
    assert loaded.warnings == ()


def test_a_local_fallback_needs_no_model(tmp_path: Path) -> None:
    loaded = load(tmp_path, dotenv=HYBRID, wires=ALL_WIRES, rows=None)
    ollama = loaded.catalog.accounts["ollama"]
    assert chain(loaded, "text")[1] == f"ollama/{ollama.default_models['smart']}"
    assert Operation.IMAGE_GENERATE not in ollama.operations
    assert [warning for warning in loaded.warnings if "Ollama does not offer image generation" in warning]


def test_the_sample_providers_json(tmp_path: Path) -> None:
    text = ["text_generation", "chat", "code_generation"]
    more = [*text, "translation", "summarization"]
    document = {
        "providers": [
            {
                "name": "openrouter",
                "type": "openrouter",
                "api_key_env": "OPENROUTER_API_KEY",
                "default_model": "cognitivecomputations/dolphin3.0-r1-mistral-24b:free",
                "capabilities": more,
            },
            {
                "name": "openai",
                "type": "openai",
                "api_key_env": "OPENAI_API_KEY",
                "default_model": "gpt-3.5-turbo",
                "capabilities": [*more, "embedding", "moderation"],
            },
            {
                "name": "ollama",
                "type": "ollama",
                "base_url": "http://localhost:11434",
                "default_model": "llama2",
                "capabilities": text,
            },
        ],
        "manager": {"fallback_enabled": True, "load_balancing": False},
    }
    loaded = load(tmp_path, dotenv=ROUTER_AND_OPENAI, document=document, rows=None, wires=frozenset(registry.built()))
    assert chain(loaded, "text") == [
        "openrouter/cognitivecomputations/dolphin3.0-r1-mistral-24b:free",
        "openai/gpt-3.5-turbo",
        "ollama/llama2",
    ]
    assert all(loaded.catalog.accounts[name].usable for name in ("openrouter", "openai", "ollama"))
    assert loaded.catalog.accounts["openai"].default_models["embedding"].startswith("text-embedding")
    assert loaded.warnings == ()
