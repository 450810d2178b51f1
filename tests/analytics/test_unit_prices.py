"""Unit prices, as the ledger's rows were charged: which one is taken, and what follows from it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from analytics.caching import worth
from analytics.unit_prices import Charged, Prices

OLD, NEW = ("openai", "big"), ("groq", "small")
Line = tuple[int, str, int, str]
"""Day of the month, meter, quantity, USD a million."""


def answer(lines: list[Line]) -> pl.DataFrame:
    """As the ledger answers the question for one model's prices by the day."""
    rows = [
        (*OLD, date(2026, 11, day), meter, quantity, 1, quantity * Decimal(price))
        for day, meter, quantity, price in lines
    ]
    columns = ["provider", "model", "day", "meter", "quantity", "attempts", "listed"]
    return pl.DataFrame(rows, {**dict.fromkeys(columns), "listed": pl.Decimal(38, 12)}, orient="row")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param([(2, "input", 10**6, "2"), (2, "cache_read", 10**6, "0.5"), (3, "input", 1, "9")], ("1.5", "0"),
                     id="the-days-own-price"),
        pytest.param([(2, "input", 1, "2"), (5, "input", 1, "4"), (4, "cache_read", 10**6, "1")], ("3", "0"),
                     id="else-the-nearest-days"),
        pytest.param([(2, "input", 1, "2"), (6, "input", 1, "4"), (4, "cache_read", 10**6, "1")], ("1", "0"),
                     id="of-two-as-near-the-earlier"),
        pytest.param([(2, "input", 30, "2"), (2, "input_tier", 1, "9"), (2, "cache_read", 10**6, "2")], ("0", "0"),
                     id="other-meters-say-nothing"),
        pytest.param([(2, "input", 1, "2"), (2, "cache_write", 10**6, "2.5"), (2, "cache_write_1h", 10**6, "4")],
                     ("0", "2.5"), id="writes-of-both-kinds-cost-more"),
        pytest.param([(2, "input", 1, "2"), (2, "cache_write", 10**6, "1")], ("0", "-1"), id="writes-can-be-cheaper"),
        pytest.param([(2, "input", 3, "1"), (2, "cache_read", 1, "0")], ("0.000001", "0"), id="to-the-picodollar"),
        pytest.param([(2, "cache_read", 10**6, "0.5")], None, id="no-price-of-input-at-all"),
    ],
)  # fmt: skip
def test_worth_of_the_cache(lines: list[Line], expected: tuple[str, str] | None) -> None:
    rows = worth(answer(lines)).select("saved_usd", "paid_more_usd").rows()
    assert rows == ([] if expected is None else [tuple(map(Decimal, expected))])


def charged(lines: dict[str, tuple[int, str]], attempts: int = 1) -> dict[str, Charged]:
    return {meter: Charged(quantity, attempts, quantity * Decimal(price)) for meter, (quantity, price) in lines.items()}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param({"input": (9, "2"), "output": (9, "8")}, {"input": (10**6, "3"), "output": (10**6, "9")}, "1",
                     id="the-same-tokens-at-both-prices-for-half-the-attempts"),
        pytest.param({"input": (9, "2")}, {"cache_read": (10**6, "1")}, "-0.5", id="a-part-is-charged-as-its-whole"),
        pytest.param({"input": (9, "2")}, {"input": (9, "3"), "output": (9, "3")}, None, id="one-price-is-not-known"),
        pytest.param({}, {"input": (9, "3")}, None, id="never-charged-there"),
        pytest.param({"input": (9, "2")}, {}, None, id="never-charged-here"),
        pytest.param({"input": (9, "0")}, {"input": (10**6, "3")}, "1.5", id="free-is-a-price"),
    ],
)  # fmt: skip
def test_what_another_target_costs_more(
    old: dict[str, tuple[int, str]], new: dict[str, tuple[int, str]], expected: str | None
) -> None:
    """One of the two attempts that were made there."""
    prices = Prices({OLD: charged(old), NEW: charged(new, attempts=2)})
    assert prices.dearer(OLD, NEW, 1) == (None if expected is None else Decimal(expected))
