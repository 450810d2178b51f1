"""Our cards against genai-prices' own `calc_price`, over every model it knows."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices.types import ModelInfo, Provider
from genai_prices.types import Usage as OracleUsage
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.catalog import Account
from sidecar.core.money import PICODOLLARS_PER_USD
from sidecar.pricing import Pricing, snapshot

MODELS = [(provider, model) for provider in snapshot.load().providers for model in provider.models]
PRICING = Pricing()

USAGES = {
    "plain": Usage(input=1_234, output=567),
    "cached": Usage(input=10_000, cache_read=7_001, cache_write=1_999, output=11),
    "written for an hour": Usage(input=10_000, cache_read=1, cache_write=5_000, cache_write_1h=3_001, output=7),
    "reasoning": Usage(input=999, output=5_003, reasoning=4_001),
    "audio": Usage(input=700, audio_in=600, output=300, audio_out=200),
    "over every tier": Usage(input=900_001, cache_read=1, output=3),
    "at a tier's start": Usage(input=200_000, output=1),
    "just over it": Usage(input=200_001, output=1),
    "embedding": Usage(input=8_191),
}
INSTANTS = {
    "before most changes": datetime(2024, 1, 1, tzinfo=UTC),
    "first moment of a new price": datetime(2025, 6, 10, tzinfo=UTC),
    "last moment of the old": datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC),
    "off-peak": datetime(2026, 9, 10, 0, 30, tzinfo=UTC),
    "peak": datetime(2026, 9, 10, 7, 0, tzinfo=UTC),
    "end of 2026": datetime(2026, 12, 31, 23, 0, tzinfo=UTC),
}


def oracle_picodollars(provider: Provider, model: ModelInfo, usage: Usage, at: datetime) -> Decimal:
    values = {
        "input_tokens": usage.input or 0,
        "output_tokens": usage.output or 0,
        "cache_read_tokens": usage.cache_read or 0,
        "cache_write_tokens": usage.cache_write or 0,
        "cache_write_1h_tokens": usage.cache_write_1h or 0,
        "input_audio_tokens": usage.audio_in or 0,
        "output_audio_tokens": usage.audio_out or 0,
        "output_reasoning_tokens": usage.reasoning or 0,
        "cache_audio_read_tokens": 0,
    }
    priced = model.calc_price(OracleUsage(**values), provider, genai_request_timestamp=at)
    return priced.total_price * PICODOLLARS_PER_USD


def disagreement(provider: Provider, model: ModelInfo, usage: Usage, at: datetime) -> str:
    """Empty if both say the same, to the picodollar that each meter is rounded to."""
    account = Account(name="x", type=provider.id, wire="openai", base_url="")
    cost = PRICING.cost(account, model.id, "", usage, int(at.timestamp()) * 1_000_000_000)
    found = snapshot.find(provider.id, model.id)  # not always `model`: an earlier one may match its name
    if found is None or cost.amount_picodollars is None or cost.price_source != "genai-prices":
        return ""
    expected = oracle_picodollars(provider, found, usage, at)
    # Half a picodollar a meter, and as much a million tokens where a price is no whole number of picodollars.
    tolerance = Decimal(len(cost.lines)) * (1 + Decimal((usage.input or 0) + (usage.output or 0)) / 1_000_000) / 2
    if abs(cost.amount_picodollars - expected) <= tolerance:
        return ""
    return f"{provider.id} {model.id} at {at}: {cost.amount_picodollars} instead of {expected}"


@pytest.mark.parametrize("at", INSTANTS.values(), ids=INSTANTS.keys())
@pytest.mark.parametrize("usage", USAGES.values(), ids=USAGES.keys())
def test_every_model_costs_what_the_library_says(usage: Usage, at: datetime) -> None:
    wrong = [text for provider, model in MODELS if (text := disagreement(provider, model, usage, at))]
    assert wrong == []


def test_most_models_are_compared() -> None:
    """So that the tests above do not agree over nothing."""
    accounts = [(Account(name="x", type=provider.id, wire="", base_url=""), model.id) for provider, model in MODELS]
    sources = [PRICING.cost(account, model, "", USAGES["plain"], 0).price_source for account, model in accounts]
    compared = sources.count("genai-prices")
    print(f"{compared} of {len(MODELS)} models")
    assert compared > 0.85 * len(MODELS)


counts = st.integers(0, 2_000_000)


@st.composite
def consistent_usages(draw: st.DrawFn) -> Usage:
    whole_in, whole_out = draw(counts), draw(counts)
    cache_read = draw(st.integers(0, whole_in))
    cache_write = draw(st.integers(0, whole_in - cache_read))
    reasoning, for_an_hour = draw(st.integers(0, whole_out)), draw(st.integers(0, cache_write))
    return Usage(whole_in, cache_read, cache_write, whole_out, reasoning, cache_write_1h=for_an_hour)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MODELS), consistent_usages(), st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1)))  # noqa: DTZ001 - made aware below
def test_any_model_usage_and_moment_agree_with_the_library(
    entry: tuple[Provider, ModelInfo], usage: Usage, at: datetime
) -> None:
    assert disagreement(*entry, usage, at.replace(microsecond=0, tzinfo=UTC)) == ""


def test_what_has_token_prices_is_priced() -> None:
    """Only models without a price for text tokens are left unpriced: speech, pages, and empty entries."""
    now_ns = time.time_ns()
    unpriced = set()
    for provider, model in MODELS:
        account = Account(name="x", type=provider.id, wire="openai", base_url="")
        found = snapshot.find(provider.id, model.id)
        if found and not PRICING.cost(account, model.id, "", Usage(input=10, output=0), now_ns).priced:
            unpriced.add("input_mtok" in vars(found.get_prices(datetime.now(UTC))))
    assert unpriced == {False}
