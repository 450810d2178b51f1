"""What a usage costs: meters are disjoint, an unknown price is never a zero."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import UNPRICED, Usage
from sidecar.core.catalog import Account
from sidecar.core.money import cost_picodollars
from sidecar.pricing import Pricing
from sidecar.pricing.card import INPUT_METERS, OUTPUT_METERS, Rate, RateCard, cost, meters

DOLLAR = 10**12
CARD = RateCard(
    "genai-prices",
    "1",
    {
        "input": Rate(1 * DOLLAR, ((200_000, 2 * DOLLAR),)),
        "cache_read": Rate(DOLLAR // 10),
        "cache_write": Rate(5 * DOLLAR // 4),
        "output": Rate(4 * DOLLAR, ((200_000, 6 * DOLLAR),)),
    },
)
NOW_NS = 1_795_000_000_000_000_000
PRICING = Pricing()


def account(name: str = "openai", **more: object) -> Account:
    return Account(name=name, type=name, wire="openai", base_url="", **more)  # type: ignore[arg-type]  # test shorthand


@pytest.mark.parametrize(
    ("usage", "quantities", "micro_dollars"),
    [
        pytest.param(Usage(input=1000, output=100), {"input": 1000, "output": 100}, 1400, id="plain"),
        pytest.param(
            Usage(input=1000, cache_read=900, output=0),
            {"input": 100, "cache_read": 900},
            190,
            id="cache is not charged twice",
        ),
        pytest.param(
            Usage(input=1000, cache_read=500, cache_write=400),
            {"input": 100, "cache_read": 500, "cache_write": 400},
            650,
            id="read, written and neither",
        ),
        pytest.param(
            Usage(input=100, output=50, reasoning=40), {"input": 100, "output": 50}, 300, id="reasoning is output"
        ),
        pytest.param(Usage(input=100, audio_in=60), {"input": 100}, 100, id="audio without a price is input"),
        pytest.param(
            Usage(input=200_000, output=1), {"input": 200_000, "output": 1}, 200_004, id="a tier begins above its start"
        ),
        pytest.param(
            Usage(input=200_001, output=1),
            {"input": 200_001, "output": 1},
            400_008,
            id="a tier holds for the whole call",
        ),
        pytest.param(Usage(input=0, output=0), {}, 0, id="an explicit zero costs zero"),
        pytest.param(Usage(input=50, cache_read=80), {"cache_read": 50}, 5, id="a part is never more than its whole"),
        pytest.param(Usage(cache_read=80), {"cache_read": 80}, 8, id="a part without its whole"),
        pytest.param(Usage(output=7), {"output": 7}, 28, id="output alone"),
    ],
)
def test_quantities_and_cost(usage: Usage, quantities: dict[str, int], micro_dollars: int) -> None:
    found = cost(CARD, usage)
    assert {line.meter: line.quantity for line in found.lines} == quantities
    assert found.amount_picodollars == micro_dollars * 10**6


@pytest.mark.parametrize(
    ("card", "usage"),
    [
        pytest.param(None, Usage(input=1), id="no card"),
        pytest.param(CARD, Usage(), id="nothing known of the usage"),
        pytest.param(RateCard("x", "", {"input": Rate(1)}), Usage(input=1, output=1), id="output without a price"),
        pytest.param(
            RateCard("x", "", {"characters": Rate(1)}), Usage(input=1), id="tokens where characters are priced"
        ),
        pytest.param(CARD, Usage(seconds=2.5), id="seconds where tokens are priced"),
        pytest.param(CARD, Usage(images=1), id="images where tokens are priced"),
    ],
)
def test_an_unknown_price_is_not_zero(card: RateCard | None, usage: Usage) -> None:
    assert cost(card, usage) == UNPRICED


def test_a_request_fee_is_charged_once_a_request() -> None:
    card = RateCard("x", "", {**CARD.rates, "requests": Rate(5000 * DOLLAR)})
    assert [line.quantity for line in cost(card, Usage(input=1, output=1)).lines if line.meter == "requests"] == [1]
    assert cost(card, Usage(input=0, output=0)).amount_picodollars == DOLLAR // 200


def test_audio_and_reasoning_have_meters_where_they_have_prices() -> None:
    card = RateCard("x", "", {**CARD.rates, "audio_input": Rate(1), "audio_output": Rate(1), "reasoning": Rate(1)})
    usage = Usage(input=100, cache_read=50, audio_in=30, output=90, reasoning=20, audio_out=60)
    found = {line.meter: line.quantity for line in cost(card, usage).lines}
    assert found == {
        "input": 20,
        "cache_read": 50,
        "audio_input": 30,
        "output": 10,
        "reasoning": 20,
        "audio_output": 60,
    }


some = st.none() | st.integers(0, 10**9)
usages = st.builds(Usage, some, some, some, some, some, some, some, cache_write_1h=some)
cards = st.dictionaries(
    st.sampled_from([*INPUT_METERS, *OUTPUT_METERS]), st.builds(Rate, st.integers(0, 10**15)), min_size=1
).map(lambda rates: RateCard("x", "", {"input": Rate(1), "output": Rate(1), **rates}))


@given(cards, usages)
def test_lines_sum_to_the_amount_and_each_is_quantity_times_price(card: RateCard, usage: Usage) -> None:
    found = cost(card, usage)
    if not found.priced:
        return
    assert found.amount_picodollars == sum(line.cost_picodollars for line in found.lines)
    for line in found.lines:
        assert line.cost_picodollars == cost_picodollars(line.quantity, line.price_per_million_picodollars)


@given(cards, usages)
def test_meters_are_disjoint_and_sum_to_the_totals(card: RateCard, usage: Usage) -> None:
    found = meters(usage, card.rates) or {}
    for total, names in ((usage.input, INPUT_METERS), (usage.output, OUTPUT_METERS)):
        if total is not None:
            assert sum(found.get(name, 0) for name in names) == total
    assert all(quantity >= 0 for quantity in found.values())


@given(cards, st.lists(st.integers(0, 10**9), min_size=2, max_size=6), st.integers(0, 10**9))
def test_more_usage_never_costs_less(card: RateCard, sizes: list[int], other: int) -> None:
    amounts = [cost(card, Usage(input=size, output=other)).amount_picodollars or 0 for size in sorted(sizes)]
    assert all(small <= large for small, large in pairwise(amounts))


def test_the_reported_model_is_priced_not_the_deployment() -> None:
    azure = account("azure")
    found = PRICING.cost(azure, "our-deployment", "gpt-4o-mini-2024-07-18", Usage(input=1_000_000, output=0), NOW_NS)
    assert found.amount_picodollars == 15 * DOLLAR // 100


def test_a_deployment_named_as_another_model_lends_it_no_price() -> None:
    azure = account("azure", deployments=True)
    assert PRICING.cost(azure, "gpt-4o-mini", "something-else", Usage(input=1, output=1), NOW_NS) == UNPRICED


def test_a_deployments_name_is_all_there_is_before_the_model_is_reported() -> None:
    azure = account("azure", deployments=True)
    assert PRICING.cost(azure, "gpt-4o-mini", "", Usage(input=1_000_000, output=0), NOW_NS).priced


def test_the_requested_model_is_priced_where_the_reported_is_unknown() -> None:
    found = PRICING.cost(account(), "gpt-4o-mini", "something-else", Usage(input=1_000_000, output=0), NOW_NS)
    assert found.amount_picodollars == 15 * DOLLAR // 100


def test_a_stranger_serving_a_known_model_is_unpriced() -> None:
    """Its price is its own affair: OpenAI's is not guessed from the model's name."""
    assert (
        PRICING.cost(account("our-gateway"), "gpt-4o-mini", "gpt-4o-mini", Usage(input=1, output=1), NOW_NS) == UNPRICED
    )


def test_an_empty_price_entry_is_unpriced() -> None:
    assert PRICING.cost(account("google"), "gemma-3", "", Usage(input=1, output=1), NOW_NS) == UNPRICED


def test_a_free_variant_says_so_in_its_name() -> None:
    found = PRICING.cost(account("openrouter"), "deepcoder-14b-preview:free", "", Usage(input=1, output=1), NOW_NS)
    assert (found.priced, found.amount_picodollars) == (True, 0)


def test_moderation_is_free_by_our_supplement() -> None:
    found = PRICING.cost(account(), "omni-moderation-latest", "", Usage(input=9), NOW_NS)
    assert (found.priced, found.amount_picodollars, found.price_source) == (True, 0, "override")


def test_self_hosted_is_zero_by_declaration_with_its_meters() -> None:
    local = account("local", declared_price_zero=True)
    found = PRICING.cost(local, "smollm2", "smollm2", Usage(input=10, cache_read=4, output=3), NOW_NS)
    assert (found.priced, found.amount_picodollars, found.price_source) == (True, 0, "declared")
    assert {(line.meter, line.quantity) for line in found.lines} == {("input", 6), ("cache_read", 4), ("output", 3)}


def test_self_hosted_is_zero_even_where_no_usage_is_known() -> None:
    assert PRICING.cost(account("local", declared_price_zero=True), "m", "", Usage(), NOW_NS).amount_picodollars == 0


def test_a_providers_own_bill_stands() -> None:
    found = PRICING.cost(
        account("openrouter"),
        "openai/gpt-4o",
        "",
        Usage(input=10, output=3),
        NOW_NS,
        provider_cost_picodollars=1_234_567,
    )
    assert (found.amount_picodollars, found.price_source) == (1_234_567, "provider")
    assert [(line.meter, line.quantity, line.cost_picodollars) for line in found.lines] == [
        ("provider_cost", 1_234_567, 1_234_567)
    ]


def test_a_version_names_the_package_and_the_prices_own_day() -> None:
    found = PRICING.cost(account(), "o3", "", Usage(input=1, output=1), NOW_NS)
    package, _, day = found.price_version.partition("@")
    assert package.count(".") == 2
    assert day == "2025-06-10"


def test_the_past_keeps_its_price() -> None:
    usage = Usage(input=1_000_000, output=0)
    before, after = 1_749_513_599_999_999_999, 1_749_513_600_000_000_000  # 2025-06-10T00:00Z
    amounts = [PRICING.cost(account(), "o3", "", usage, at).amount_picodollars for at in (before, after)]
    assert amounts == [10 * DOLLAR, 2 * DOLLAR]


@pytest.mark.parametrize(
    ("model", "size", "max_tokens"),
    [
        pytest.param("gpt-4o-mini", 400, 100, id="small"),
        pytest.param("gpt-4o-mini", 400, None, id="no limit on output"),
        pytest.param("gpt-4o-audio-preview", 4_000, 50, id="audio is dearer than text"),
    ],
)
def test_a_bound_is_never_passed(model: str, size: int, max_tokens: int | None) -> None:
    bound = PRICING.bound(account(), model, size, max_tokens)
    used = Usage(input=size, audio_in=size, output=max_tokens or 16_384, audio_out=max_tokens or 16_384)
    spent = PRICING.cost(account(), model, "", used, NOW_NS).amount_picodollars
    assert bound is not None
    assert spent is not None
    assert spent <= bound


def test_a_bound_knows_no_unknown_price() -> None:
    assert PRICING.bound(account("nobody"), "m", 10, 10) is None
    assert PRICING.bound(account("local", declared_price_zero=True), "m", 10, 10) == 0


def test_comparable_orders_by_price() -> None:
    prices = [PRICING.comparable(account(), model, 1000, 1000) for model in ("gpt-4o-mini", "gpt-4o")]
    assert prices[0] is not None
    assert prices[1] is not None
    assert prices[0] < prices[1]
    assert PRICING.comparable(account("nobody"), "m", 1, 1) is None


@pytest.mark.parametrize(
    ("name", "model", "reasoning"),
    [
        pytest.param("openai", "gpt-4o-mini", False, id="gpt-4o-mini"),
        pytest.param("openai", "o3-mini", True, id="o3-mini"),
        pytest.param("openai", "gpt-5", True, id="gpt-5"),
        pytest.param("openai", "gpt-5-chat-latest", False, id="gpt-5-chat"),
        pytest.param("openrouter", "openai/o3", True, id="by its own name behind an aggregator"),
        pytest.param("x-ai", "grok-4-fast-non-reasoning", False, id="the one that does not"),
        pytest.param("deepseek", "DeepSeek-Reasoner", True, id="whatever its case"),
        pytest.param("deepseek", "deepseek-flash", True, id="unless told not to"),
        pytest.param("google", "gemini-3.5-flash", True, id="gemini-flash"),
        pytest.param("google", "gemini-3.5-flash-lite", False, id="gemini-flash-lite"),
        pytest.param("fireworks", "accounts/fireworks/models/kimi-k2p6", True, id="as its host spells it"),
    ],
)
def test_which_models_reason(name: str, model: str, reasoning: bool) -> None:
    assert PRICING.facts(account(name), model).reasoning is reasoning


@pytest.mark.parametrize(("model", "tokens"), [("gpt-5-pro", 272_000), ("gpt-5.4-pro", 128_000), ("mistral-nemo", 0)])
def test_the_first_pattern_that_fits_limits_the_answer(model: str, tokens: int) -> None:
    assert PRICING.facts(account(), model).max_output_tokens == tokens


def test_context_windows_come_from_the_price_data() -> None:
    assert PRICING.facts(account(), "gpt-4o-mini").context_tokens == 128_000
    assert PRICING.facts(account("nobody"), "m").context_tokens == 0
