"""What a model's name says of it."""

from __future__ import annotations

import re

_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?")
_LATEST = (3,)
"""Names without a number ("gemini-flash-latest") mean the newest: ai.google.dev/gemini-api/docs/models."""


def generation(model: str) -> tuple[int, ...] | None:
    """ "gemini-2.5-pro" -> (2, 5), "gemini-3-pro-preview" -> (3, 0); None for what is no Gemini by its name."""
    if (found := _GENERATION.search(model)) is not None:
        return int(found[1]), int(found[2] or 0)
    return _LATEST if "gemini-" in model and "embedding" not in model else None
