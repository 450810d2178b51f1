"""No call costs more than the ceiling of its day says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.money import cost_picodollars
from sidecar.pricing.card import ALWAYS, Period, Rate, RateCard, Schedule, cost
from sidecar.pricing.ceiling import Ceiling, ceiling, instants

DAY_NS = 86_400 * 10**9


def card(base: int, *tiers: tuple[int, int], output: int = 10**9, request: int = 0) -> RateCard:
    rates = {"input": Rate(base, tiers), "output": Rate(output), "cache_read": Rate(base // 10)}
    return RateCard("test", "1", rates | ({"requests": Rate(request)} if request else {}))


@pytest.mark.parametrize(
    ("made", "input_tokens", "prices"),
    [
        pytest.param(card(5), 10**6, (5, 10**9), id="flat"),
        pytest.param(card(5, (200, 9)), 200, (5, 10**9), id="up-to-a-tier"),
        pytest.param(card(5, (200, 9)), 201, (9, 10**9), id="above-it"),
        pytest.param(card(5, (200, 3)), 201, (5, 10**9), id="a-cheaper-tier-bounds-nothing"),
        pytest.param(card(5, (0, 3)), 0, (5, 10**9), id="nor-one-from-the-first-token-on"),
        pytest.param(card(5, (200, 9), (400, 20)), 500, (20, 10**9), id="the-highest-reached"),
    ],
)
def test_the_dearest_price_that_a_size_can_meet(made: RateCard, input_tokens: int, prices: tuple[int, int]) -> None:
    assert ceiling([made]).at(input_tokens) == prices


def test_the_dearest_time_of_the_day_counts() -> None:
    night, day = card(5), card(8)
    schedule = Schedule(((ALWAYS, day), (Period(daily=(3600, 7200)), night)))
    at = [schedule.at(instant) for instant in instants([schedule], 4000 * 10**9)]
    assert ceiling(each for each in at if each).at(1) == (8, 10**9)


def test_a_request_has_its_price() -> None:
    assert ceiling([card(0, request=7 * 10**6)]) == Ceiling(7, ((0, 0, 10**9),))


PRICES = st.integers(0, 10**14)
TIERS = st.lists(st.tuples(st.integers(0, 10**6), PRICES), max_size=3).map(lambda found: tuple(sorted(found)))


@given(
    st.lists(st.builds(Rate, PRICES, TIERS), min_size=1, max_size=3), st.integers(0, 2 * 10**6), st.integers(0, 10**6)
)
def test_no_usage_costs_more(rates: list[Rate], tokens_in: int, tokens_out: int) -> None:
    cards = [RateCard("test", "1", {"input": rate, "output": rate}) for rate in rates]
    price_in, price_out = ceiling(cards).at(tokens_in)
    most = cost_picodollars(tokens_in, price_in) + cost_picodollars(tokens_out, price_out)
    for each in cards:
        amount = cost(each, Usage(input=tokens_in, output=tokens_out)).amount_picodollars
        assert amount is not None
        assert amount <= most + 2
