"""Exact money."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.money import cost_picodollars, divide_half_even, from_usd, to_usd, usd_text


@given(st.integers(0, 10**12), st.integers(0, 10**15))
def test_a_meter_is_rounded_once_and_half_even(quantity: int, price: int) -> None:
    exact = (Decimal(quantity) * Decimal(price)) / Decimal(10**6)
    assert cost_picodollars(quantity, price) == int(exact.to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [
        pytest.param(5, 2, 2, id="half-goes-to-even-below"),
        pytest.param(7, 2, 4, id="half-goes-to-even-above"),
        pytest.param(8, 3, 3, id="more-than-half-goes-up"),
        pytest.param(7, 3, 2, id="less-than-half-goes-down"),
        pytest.param(-5, 2, -2, id="negative-half-goes-to-even"),
    ],
)
def test_rounding(numerator: int, denominator: int, rounded: int) -> None:
    assert divide_half_even(numerator, denominator) == rounded


@pytest.mark.parametrize(
    ("picodollars", "text"),
    [
        pytest.param(0, "0", id="zero"),
        pytest.param(1, "0.000000000001", id="one-picodollar-without-exponent"),
        pytest.param(1_500_000_000, "0.0015", id="no-needless-zeros"),
        pytest.param(120 * 10**12, "120", id="whole-dollars-keep-their-zeros"),
        pytest.param(-2 * 10**11, "-0.2", id="a-correction"),
    ],
)
def test_dollars_as_text(picodollars: int, text: str) -> None:
    assert usd_text(picodollars) == text


@given(st.integers(-(10**17), 10**17))
def test_dollars_and_picodollars_are_the_same_amount(picodollars: int) -> None:
    assert from_usd(to_usd(picodollars)) == picodollars
    assert from_usd(Decimal(usd_text(picodollars))) == picodollars
