"""A configuration from texts, over a small table of providers of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from sidecar import settings
from sidecar.settings.rows import Rows, parse_rows

_TEXT = '["text_generation", "chat", "code_generation", "translation", "summarization"]'
_OPERATIONS = '["chat", "completion", "embedding", "moderation", "image.generate"]'
ROWS: Rows = parse_rows(f"""
[openai]
display = "OpenAI"
wire = "openai"
base_url = "https://api.openai.com/v1"
key_env = ["OPENAI_API_KEY"]
operations = {_OPERATIONS}
capabilities = ["chat", "text_generation", "embedding", "moderation", "image_generation"]
[openai.models]
smart = "o-smart"
fast = "o-fast"
embedding = "o-embed"
image = "o-image"

[anthropic]
display = "Anthropic"
wire = "anthropic"
base_url = "https://api.anthropic.com"
key_env = ["ANTHROPIC_API_KEY"]
operations = ["chat"]
capabilities = {_TEXT}
models = {{ smart = "c-smart", fast = "c-fast" }}

[gemini]
display = "Google Gemini"
wire = "gemini"
base_url = "https://generativelanguage.googleapis.com"
key_env = ["GEMINI_API_KEY", "GOOGLE_AI_API_KEY"]
operations = {_OPERATIONS}
capabilities = ["chat", "image_generation"]
models = {{ smart = "g-smart", fast = "g-fast", image = "g-image" }}

[groq]
display = "Groq"
wire = "openai"
base_url = "https://api.groq.com/openai/v1"
key_env = ["GROQ_API_KEY"]
operations = ["chat"]
capabilities = {_TEXT}
models = {{ smart = "q-smart", fast = "q-fast" }}

[zhipu]
display = "Zhipu"
wire = "openai"
base_url = "https://api.z.ai/api/paas/v4"
key_env = ["ZHIPU_API_KEY"]
operations = ["chat"]
capabilities = {_TEXT}
models = {{ smart = "z-smart", fast = "z-fast" }}

[ai21]
display = "AI21"
wire = "openai"
base_url = "https://api.ai21.com/v1"
operations = ["chat"]
capabilities = {_TEXT}
models = {{ smart = "j-smart", fast = "j-fast" }}

[openrouter]
display = "OpenRouter"
wire = "openai"
base_url = "https://openrouter.ai/api/v1"
key_env = ["OPENROUTER_API_KEY"]
aggregator = true
operations = ["chat"]
capabilities = {_TEXT}
models = {{ smart = "r-smart", fast = "r-fast" }}

[together]
display = "Together AI"
wire = "openai"
base_url = "https://api.together.xyz/v1"
key_env = ["TOGETHER_API_KEY"]
operations = ["chat"]
capabilities = {_TEXT}
models = {{ smart = "t-smart", fast = "t-fast" }}

[azure]
display = "Azure OpenAI"
wire = "azure"
key_env = ["AZURE_OPENAI_API_KEY"]
operations = ["chat"]
capabilities = {_TEXT}

[ollama]
display = "Ollama"
wire = "ollama"
base_url = "http://localhost:11434"
self_hosted = true
needs_key = false
operations = ["chat", "completion", "embedding"]
capabilities = {_TEXT}
models = {{ smart = "l-smart", fast = "l-fast" }}

[openai-compatible]
display = "OpenAI-compatible server"
wire = "openai"
key_env = ["OPENAI_COMPATIBLE_API_KEY"]
needs_key = false
operations = ["chat", "completion", "embedding", "moderation"]
capabilities = {_TEXT}
""")
KEY = "sk-0123456789abcdef"
WIRES = frozenset({"openai", "anthropic", "gemini", "azure", "ollama"})


def variables(environ: str | Mapping[str, str]) -> Mapping[str, str]:
    """ "A=1 B=KEY" -> {"A": "1", "B": the key}."""
    if not isinstance(environ, str):
        return environ
    pairs = (pair.partition("=") for pair in environ.split())
    return {name: KEY if value == "KEY" else value for name, _, value in pairs}


def load(
    folder: Path,
    environ: str | Mapping[str, str] = "",
    *,
    dotenv: str = "",
    toml: str = "",
    document: object = None,
    wires: frozenset[str] = WIRES,
    rows: Rows | None = ROWS,
) -> settings.Loaded:
    """Loads what the texts say. `environ` is "NAME=value NAME=value", KEY standing for a key.

    `document` is providers.json; `rows` None means the real table.
    """
    if dotenv:
        (folder / ".env").write_text(dotenv)
    if toml:
        (folder / "taximeter.toml").write_text(toml)
    if document is not None:
        (folder / "providers.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return settings.load(variables(environ), folder, wires, rows)


def errors(folder: Path, environ: str | Mapping[str, str] = "", **files: object) -> tuple[str, ...]:
    """What is wrong with it; nothing if it loads."""
    try:
        load(folder, environ, **files)  # type: ignore[arg-type] # the same keywords
    except settings.ConfigErrors as failed:
        return failed.errors
    return ()


def chain(loaded: settings.Loaded, alias: str) -> list[str]:
    """The alias's places as "provider/model"."""
    return [f"{route.target.provider}/{route.target.model}" for route in loaded.catalog.aliases[alias].routes]
