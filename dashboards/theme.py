"""Colours, readable on light and on dark and told apart by the colour-blind; a provider's is the same everywhere."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

ACCENT_LIGHT = "#0072B2"
ACCENT_DARK = "#56B4E9"

PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00",
    "#8C6BB1", "#44AA99", "#A6761D", "#B04A6F", "#7F9E3A", "#5E7FB8",
)  # fmt: skip
"""Okabe and Ito's (https://jfly.uni-koeln.de/color/) but for yellow and black, which one ground swallows, and six
between them."""
NOBODY = "#8A8A8A"
"""For what no provider answered."""

OTHERS = "(others)"
"""Of many values those that are too small to be told apart."""

_KNOWN = (
    "openai", "anthropic", "gemini", "groq", "mistral", "local",
    "openrouter", "azure", "together", "ollama", "deepseek", "cohere",
)  # fmt: skip

COMMON = 6
"""The first of these keep their colours to themselves."""

STATUS = {
    "ok": "#009E73",
    "error": "#D55E00",
    "failed": "#D55E00",
    "refused": "#E69F00",
    "abandoned": "#CC79A7",
    "cancelled": "#8A8A8A",
    "open": "#56B4E9",
}
Badge = Literal["green", "red", "orange", "violet", "gray", "blue"]
BADGES: dict[str, Badge] = {
    "ok": "green", "error": "red", "failed": "red", "refused": "orange", "abandoned": "violet",
    "cancelled": "gray", "open": "blue",
}  # fmt: skip
"""A status as one of Streamlit's badge colours."""


def provider_colour(name: str) -> str:
    """Fixed for the known, by its name's hash for others: never by its rank or by who else is shown."""
    if not name:
        return NOBODY
    if name in _KNOWN:
        return PALETTE[_KNOWN.index(name)]
    rarer = PALETTE[COMMON:]
    return rarer[hashlib.sha256(name.encode()).digest()[0] % len(rarer)]


def scale(dimension: str, values: Iterable[str]) -> tuple[list[str], list[str]]:
    """A chart's domain and range: providers and statuses in their own colours, other values in the palette's order."""
    domain = sorted(set(values), key=lambda value: (value == OTHERS, not value, value))
    if dimension == "provider":
        return domain, [provider_colour(value) for value in domain]
    if dimension == "status":
        return domain, [STATUS.get(value, NOBODY) for value in domain]
    colours = iter(PALETTE * (len(domain) // len(PALETTE) + 1))
    return domain, [next(colours) if value and value != OTHERS else NOBODY for value in domain]
