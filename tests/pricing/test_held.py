"""Prices that the control plane holds: read as a file's, and before them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.call import Usage
from sidecar.core.catalog import Account
from sidecar.core.control import PriceOverride
from sidecar.pricing import Pricing
from sidecar.pricing.held import compiled, mistakes

param = pytest.param
DOLLAR = 10**12
DAY_NS = 86_400 * 10**9
YEAR_2026_NS = 20_454 * DAY_NS
"""2026-01-01"""
OPENAI = Account("openai", "openai", "openai", "https://api.openai.com/v1", price_provider="openai")
MILLION = Usage(input=1_000_000)
PRICE = PriceOverride("prc_1", "openai", "gpt-4o-mini", (("input", "0.5", 0),), created_ns=YEAR_2026_NS)


def book(*prices: PriceOverride, file: str = "", folder: Path | None = None) -> Pricing:
    path = folder / "prices.toml" if folder else None
    if path:
        path.write_text(file)
    made = Pricing(path)
    made.use_held(compiled(prices)[0])
    return made


def amount(
    pricing: Pricing, model: str = "gpt-4o-mini", usage: Usage = MILLION, at_ns: int = YEAR_2026_NS
) -> int | None:
    return pricing.cost(OPENAI, model, "", usage, at_ns).amount_picodollars


def test_it_goes_before_the_published_price_and_names_itself() -> None:
    found = book(PRICE).cost(OPENAI, "gpt-4o-mini", "gpt-4o-mini-2024-07-18", MILLION, YEAR_2026_NS)
    assert (found.amount_picodollars, found.price_source, found.price_version) == (DOLLAR // 2, "override", "prc_1")


def test_a_dated_one_names_its_day_and_holds_from_then_on() -> None:
    pricing = book(replace(PRICE, effective="2026-02-01"))
    assert amount(pricing) == DOLLAR * 15 // 100, "the published one until then"
    found = pricing.cost(OPENAI, "gpt-4o-mini", "", MILLION, YEAR_2026_NS + 31 * DAY_NS)
    assert (found.amount_picodollars, found.price_version) == (DOLLAR // 2, "prc_1@2026-02-01")


@pytest.mark.parametrize(
    ("held", "model", "usd"),
    [
        param("gpt-x", "gpt-x", 1, id="the-same"),
        param("gpt-*", "gpt-x", 1, id="a-pattern-before-the-files-name"),
        param("gpt-y", "gpt-x", 3, id="another-model"),
    ],
)
def test_it_goes_before_the_file(tmp_path: Path, held: str, model: str, usd: int) -> None:
    file = '[[price]]\nprovider = "openai"\nmodel = "gpt-x"\ninput = 3\n'
    pricing = book(replace(PRICE, model=held, rates=(("input", "1", 0),)), file=file, folder=tmp_path)
    assert amount(pricing, model) == usd * DOLLAR


def test_until_its_day_the_files_holds(tmp_path: Path) -> None:
    file = '[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini"\ninput = 3\n'
    assert amount(book(replace(PRICE, effective="2026-02-01"), file=file, folder=tmp_path)) == 3 * DOLLAR


def test_neither_loses_the_other_when_it_is_read_again(tmp_path: Path) -> None:
    file = '[[price]]\nprovider = "openai"\nmodel = "gpt-x"\ninput = 3\n'
    pricing = book(PRICE, file=file, folder=tmp_path)
    pricing.use(Pricing.read(tmp_path / "prices.toml"))
    assert (amount(pricing), amount(pricing, "gpt-x")) == (DOLLAR // 2, 3 * DOLLAR)
    pricing.use_held(compiled([])[0])
    assert (amount(pricing), amount(pricing, "gpt-x")) == (DOLLAR * 15 // 100, 3 * DOLLAR)


def test_budgets_hold_by_it_at_once() -> None:
    pricing = book()
    before = pricing.ceiling(OPENAI, "gpt-4o-mini")
    pricing.use_held(compiled([PRICE])[0])
    after = pricing.ceiling(OPENAI, "gpt-4o-mini")
    assert before is not None
    assert after is not None
    assert (before.at(1)[0], after.at(1)[0]) == (DOLLAR * 15 // 100, DOLLAR // 2)


def test_tiers_are_those_of_a_file() -> None:
    tiered = replace(PRICE, model="t", rates=(("input", "1", 0), ("input", "2", 200_000), ("output", "3", 0)))
    assert amount(book(tiered), "t", Usage(input=200_000)) == DOLLAR // 5
    assert amount(book(tiered), "t", Usage(input=300_000)) == DOLLAR * 6 // 10


def test_the_day_it_was_set_dates_one_that_always_holds() -> None:
    card = book(PRICE).rates(OPENAI, "gpt-4o-mini", YEAR_2026_NS)
    assert card is not None
    assert card.dated == "2026-01-01"


def test_of_two_for_one_day_the_one_set_later_holds() -> None:
    later = replace(PRICE, price_id="prc_0", rates=(("input", "9", 0),), created_ns=YEAR_2026_NS + 1)
    assert amount(book(later, PRICE)) == 9 * DOLLAR


def test_a_row_that_cannot_be_read_prices_nothing_and_is_named() -> None:
    spoilt = replace(PRICE, price_id="prc_2", rates=(("input", "cheap", 0),))
    prices, unreadable = compiled([PRICE, spoilt])
    assert (len(prices.schedules), unreadable) == (1, ("prc_2",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        param({"provider": ""}, "`provider` must be a text", id="no-provider"),
        param({"model": ""}, "`model` must be a text", id="no-model"),
        param({"rates": ()}, "no rate; give at least one of", id="no-rate"),
        param({"rates": (("tokens", "1", 0),)}, "unknown key 'tokens'", id="no-such-meter"),
        param({"rates": (("input", "1", 0), ("model", "x", 0))}, "unknown key 'model'", id="a-word-of-the-file"),
        param({"rates": (("input", "-1", 0),)}, "`input` must be an amount", id="less-than-nothing"),
        param({"rates": (("input", "NaN", 0),)}, "`input` must be an amount", id="no-number"),
        param({"rates": (("input", "1", 0), ("input", "2", 0))}, "`input` is given twice", id="twice"),
        param(
            {"rates": (("input", "1", 0), ("output", "2", 9))}, "`output` has no rate below the tier", id="only-a-tier"
        ),
        param({"rates": (("input", "1", 0), ("input", "2", -5))}, "less than nothing", id="negative-tier"),
        param({"effective": "2026-13-01"}, "must be a date", id="no-day"),
        param({"effective": "20260101"}, "must be a date", id="another-format"),
    ],
)
def test_what_is_wrong_is_told_as_of_a_file(change: dict[str, Any], said: str) -> None:
    found = mistakes(replace(PRICE, **change))
    assert found
    assert said in "; ".join(found)
