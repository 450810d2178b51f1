"""Base URLs as people write them -> the wire and the URL that it is spoken at."""

from __future__ import annotations

from urllib.parse import urlsplit

from sidecar.settings.rows import Row


def endpoint(row: Row, url: str) -> tuple[str, str, str]:
    """(wire, url, warning) for a configured base URL without a final slash.

    A path ending in /openai is a provider's OpenAI-compatible door, whatever its own wire is; Gemini's is under
    /v1beta (ai.google.dev/gemini-api/docs/openai). Ollama's own API is under /api, beside the /v1 of its compatible
    one (docs.ollama.com/api, docs.ollama.com/api/openai-compatibility): whichever was given, the root is meant.
    A path ending in /anthropic is a vendor's door for Anthropic's wire (api-docs.deepseek.com/guides/anthropic_api).
    """
    path = urlsplit(url).path
    if path.endswith(("/anthropic", "/anthropic/v1")):
        return "anthropic", url, ""
    if path.endswith("/openai"):
        if row.type == "gemini" and path == "/openai":
            fixed = f"{url.removesuffix('/openai')}/v1beta/openai"
            return "openai", fixed, f"Gemini's OpenAI-compatible API is under /v1beta: using {fixed}"
        return "openai", url, ""
    if row.wire == "ollama":
        return row.wire, url.removesuffix("/v1").removesuffix("/api"), ""
    if row.base_path and not path.endswith(row.base_path):
        return row.wire, f"{url}{row.base_path}", ""
    return row.wire, url, ""
