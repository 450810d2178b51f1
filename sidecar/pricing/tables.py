"""Price tables of others: TOML as our own file has it, or the JSON that LiteLLM keeps.

LiteLLM's (`model_prices_and_context_window.json`, github.com/BerriAI/litellm): one object by model name, each with
`litellm_provider` and rates in US dollars per token; `..._above_200k_tokens` is the price of a call with more input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sidecar.core.money import MILLION, from_usd
from sidecar.pricing.card import ALWAYS, Rate, RateCard, Schedule
from sidecar.pricing.overrides import Overrides, PriceFileError, parse

SOURCE = "table"
_METERS = {
    "input_cost_per_token": "input",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_token": "output",
    "output_cost_per_reasoning_token": "reasoning",
    "output_cost_per_audio_token": "audio_output",
}
"""Rates that are a matter of tokens. What is billed by images, queries or seconds is compared by nobody's meters."""
_TIER = re.compile(r"(.+)_above_(\d{1,6})k_tokens")
_PROVIDERS = {
    "gemini": "google", "bedrock": "aws", "bedrock_converse": "aws", "cohere_chat": "cohere", "together_ai": "together",
    "fireworks_ai": "fireworks", "xai": "x-ai", "moonshot": "moonshotai", "voyage": "voyageai",
}  # fmt: skip
"""LiteLLM's names -> genai-prices'; most are the same."""
_MOST_USD = Decimal(1000)
"""A token: more is a mistake."""


def read_table(content: bytes, name: str) -> Overrides:
    """Raises PriceFileError with everything that is wrong."""
    return litellm(content, name) if is_litellm(content) else parse(content, name)


def is_litellm(content: bytes) -> bool:
    """Then its providers are named as genai-prices names them; in TOML, as accounts and types are."""
    return content.lstrip()[:1] == b"{"


def litellm(content: bytes, name: str) -> Overrides:
    """Rows without a provider or a rate of ours are left out. Raises PriceFileError for what is no such table."""
    try:
        document = json.loads(content, parse_float=Decimal, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise PriceFileError([f"{name}: {error}"]) from None
    found: dict[tuple[str, str], Schedule] = {}
    for model, row in document.items():
        theirs = str(row.get("litellm_provider") or "") if isinstance(row, dict) else ""
        rates = _rates(row) if theirs and model != "sample_spec" else {}
        if rates:
            plain = model.removeprefix(f"{theirs}/").lower()
            card = RateCard(SOURCE, name, rates)
            found[_PROVIDERS.get(theirs, theirs), plain] = Schedule(((ALWAYS, card),))
    if not found:
        raise PriceFileError([f"{name}: holds no prices as LiteLLM's table has them, nor is it TOML"])
    return Overrides(found)


def _rates(row: Mapping[str, Any]) -> dict[str, Rate]:
    base: dict[str, int] = {}
    tiers: dict[str, list[tuple[int, int]]] = {}
    for key, value in row.items():
        price = _price(value)
        if price is None:
            continue
        if key in _METERS:
            base[_METERS[key]] = price
        elif (tier := _TIER.fullmatch(key)) and tier[1] in _METERS:
            tiers.setdefault(_METERS[tier[1]], []).append((int(tier[2]) * 1000, price))
    return {meter: Rate(price, tuple(sorted(tiers.get(meter, ())))) for meter, price in base.items()}


def _price(value: object) -> int | None:
    """Picodollars for a million, of an amount for one."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    amount = Decimal(value)
    return from_usd(amount * MILLION) if amount.is_finite() and 0 <= amount <= _MOST_USD else None
