"""genai-prices as data: its models compiled into schedules of rate cards. The only importer; never on the network.

The package is imported on first use (about 0.2 s with pydantic, most of it the package's own
schemas); `load()` takes that off the first call. Semantics, held to its `calc_price` by tests:
a tier's price applies to the whole call once all input tokens exceed its start; of several
dated prices the last that holds wins, the first if none does; a part of the usage without a
price of its own is priced as its whole.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from sidecar.core.money import from_usd
from sidecar.pricing.card import ALWAYS, DAY_S, Period, Rate, RateCard, Schedule

if TYPE_CHECKING:
    from datetime import time

    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, TieredPrices

SOURCE = "genai-prices"
EPOCH_ORDINAL = 719_163
"""`date(1970, 1, 1).toordinal()`"""
MODELS_KEPT = 4096
"""Compiled schedules kept: callers can name any model, so the cache needs a bound."""

METER_OF = {
    "input_mtok": ("input", 1),
    "cache_read_mtok": ("cache_read", 1),
    "cache_write_mtok": ("cache_write", 1),
    "cache_write_1h_mtok": ("cache_write_1h", 1),
    "input_audio_mtok": ("audio_input", 1),
    "output_mtok": ("output", 1),
    "output_reasoning_mtok": ("reasoning", 1),
    "output_audio_mtok": ("audio_output", 1),
    "requests_kcount": ("requests", 1000),
    "input_mchars": ("characters", 1),
}
"""Price key -> (our meter, factor to a price per million). Keys not here price what we do not measure."""


@cache
def load() -> DataSnapshot:
    """The snapshot inside the package."""
    from genai_prices.data import providers
    from genai_prices.data_snapshot import DataSnapshot

    return DataSnapshot(providers=providers, from_auto_update=False)


@cache
def version() -> str:
    from importlib.metadata import version as package_version

    return package_version("genai-prices")


@lru_cache(MODELS_KEPT)
def schedule(provider: str, model: str) -> Schedule | None:
    """The model's cards, None if the package does not know the model or knows no price for it."""
    info = find(provider, model)
    if info is None:
        return None
    entries = tuple((_period(price), _card(price, info)) for price in _prices(info))
    return Schedule(entries) if any(card.rates for _, card in entries) else None


@lru_cache(MODELS_KEPT)
def find(provider: str, model: str) -> ModelInfo | None:
    try:
        return load().find_provider_model(model, None, provider, None)[1]
    except LookupError:
        return None


def _prices(info: ModelInfo) -> list[ConditionalPrice]:
    """First to last; the first holds when no other does, whatever its own condition."""
    from genai_prices.types import ConditionalPrice, ModelPrice

    if isinstance(info.prices, ModelPrice):
        return [ConditionalPrice(prices=info.prices)]
    first, *later = info.prices or [ConditionalPrice(prices=ModelPrice())]
    return [ConditionalPrice(prices=first.prices), *([first, *later] if first.constraint else later)]


def _period(price: ConditionalPrice) -> Period:
    from genai_prices.types import StartDateConstraint, TimeOfDateConstraint

    match price.constraint:
        case None:
            return ALWAYS
        case StartDateConstraint(start_date=start):
            return Period(from_day=start.toordinal() - EPOCH_ORDINAL)
        case TimeOfDateConstraint(start_time=start_time, end_time=end_time):
            return Period(daily=(_second_of_day(start_time), _second_of_day(end_time)))


def _second_of_day(value: time) -> int:
    """In UTC; a naive time is UTC."""
    offset = value.utcoffset()
    seconds = value.hour * 3600 + value.minute * 60 + value.second
    return (seconds - int(offset.total_seconds() if offset else 0)) % DAY_S


def _card(price: ConditionalPrice, info: ModelInfo) -> RateCard:
    from genai_prices.types import StartDateConstraint

    dated = price.constraint if isinstance(price.constraint, StartDateConstraint) else None
    day = dated.start_date.isoformat() if dated else ""
    return RateCard(SOURCE, f"{version()}@{day}" if day else version(), _rates(price.prices, info.id), day)


def _rates(prices: ModelPrice, model_id: str) -> dict[str, Rate]:
    """An empty price is *no* price, except for the `:free` variants of aggregators, which say so in their name."""
    stored = {key: value for key, value in vars(prices).items() if value is not None}
    if not stored and model_id.endswith(":free"):
        return {meter: Rate(0) for meter in ("input", "output")}
    return {meter: _rate(stored[key], factor) for key, (meter, factor) in METER_OF.items() if key in stored}


def _rate(price: Decimal | TieredPrices, factor: int) -> Rate:
    if isinstance(price, Decimal):
        return Rate(from_usd(price * factor))
    return Rate(
        from_usd(price.base * factor), tuple((tier.start, from_usd(tier.price * factor)) for tier in price.tiers)
    )
