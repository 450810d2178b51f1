"""Base URLs as people write them -> the wire and the URL that it is spoken at."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from sidecar.settings import units
from sidecar.settings.rows import Row


def azure_url(raw: object) -> str:
    """A base URL that may end in ?api-version=..., as Azure's portal shows its addresses."""
    address, _, query = units.string(raw).partition("?")
    version = parse_qs(query).get("api-version")
    return f"{units.url(address)}?api-version={version[0]}" if version else units.url(raw)


def endpoint(row: Row, url: str) -> tuple[str, str, str]:
    """(wire, url, warning) for a configured base URL without a final slash.

    A path ending in /openai is a provider's OpenAI-compatible door, whatever its own wire is; Gemini's is under
    /v1beta (ai.google.dev/gemini-api/docs/openai). Ollama's own API is under /api, beside the /v1 of its compatible
    one (docs.ollama.com/api, docs.ollama.com/api/openai-compatibility): whichever was given, the root is meant.
    Azure's own wire reads whatever people paste (sidecar/providers/azure_address.py).
    A path ending in /anthropic is a vendor's door for Anthropic's wire (api-docs.deepseek.com/guides/anthropic_api).
    """
    path = urlsplit(url).path
    if path.endswith(("/anthropic", "/anthropic/v1")):
        return "anthropic", url, ""
    if path.endswith("/openai") and row.wire != "azure":
        if row.type == "gemini" and path == "/openai":
            fixed = f"{url.removesuffix('/openai')}/v1beta/openai"
            return "openai", fixed, f"Gemini's OpenAI-compatible API is under /v1beta: using {fixed}"
        return "openai", url, ""
    if row.wire == "ollama":
        return row.wire, url.removesuffix("/v1").removesuffix("/api"), ""
    if row.base_path and not path.endswith(row.base_path):
        return row.wire, f"{url}{row.base_path}", ""
    return row.wire, url, ""
