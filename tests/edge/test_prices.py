"""PriceService: prices set, listed and taken away; compared with others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.plane.plane import ControlPlane
from sidecar.plane.prices import HeldPrices
from sidecar.pricing import Pricing
from taximeter.v1 import prices_pb2 as pb
from tests.support.control import sqlite_url
from tests.support.ledger import T0_NS
from tests.support.ledger_journal import Log
from tests.support.shop import DOLLAR, MILLION, OPENAI, Shop, open_shop

param = pytest.param


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as made:
        yield made


async def test_a_price_is_in_force_when_the_answer_comes(shop: Shop) -> None:
    assert shop.cost() is None
    made = await shop.set(" GPT-X ", input="0.5")
    assert shop.cost() == DOLLAR // 2
    assert (made.provider, made.model, made.source, made.created_by) == ("openai", "gpt-x", "a page", "local")
    assert made.price_id.startswith("prc_")
    assert await shop.listed() == [made]


async def test_the_same_model_and_day_replace_a_price_under_another_id(shop: Shop) -> None:
    first, other_day = await shop.set(input="1"), await shop.set(input="9", effective="2099-01-01")
    second = await shop.set(input="2")
    assert second.price_id != first.price_id, "calls that have the old one as their version keep it"
    assert [each.price_id for each in await shop.listed()] == [second.price_id, other_day.price_id]
    assert shop.cost() == 2 * DOLLAR
    assert await shop.actions() == ["price.set", "price.set", "price.remove", "price.set"]


async def test_one_that_is_taken_away_holds_no_more(shop: Shop) -> None:
    made = await shop.set()
    await shop.stub.RemovePrice(pb.RemovePriceRequest(price_id=made.price_id))
    assert (shop.cost(), await shop.listed()) == (None, [])
    gone = await shop.refused("RemovePrice", pb.RemovePriceRequest(price_id=made.price_id))
    assert (gone.code, gone.reason) == ("NOT_FOUND", "UNKNOWN_PRICE")


async def test_prices_of_another_sidecar_come_into_force_with_the_rest(shop: Shop) -> None:
    log, clock = Log(), Clock()
    other = ControlPlane(lambda: ControlStore(sqlite_url(shop.folder), clock), clock, log)
    theirs = Pricing(None, clock)
    HeldPrices(other, theirs, log)
    await other.open()
    await shop.set()
    await other.refresh()
    assert theirs.cost(OPENAI, "gpt-x", "", MILLION, T0_NS).amount_picodollars == DOLLAR
    await other.close()


async def test_other_changes_leave_what_was_worked_out(shop: Shop) -> None:
    await shop.set()
    before = shop.pricing.held
    await shop.plane.refresh()
    assert shop.pricing.held is before


@pytest.mark.parametrize(
    ("price", "fields"),
    [
        param({}, {"price"}, id="nothing"),
        param({"price_id": "prc_mine"}, {"price.price_id", "price"}, id="an-id"),
        param({"provider": "p" * 300}, {"price.provider", "price"}, id="a-long-name"),
        param({"provider": "p", "model": "m", "rates": [{"meter": "input", "usd": "-1"}]}, {"price"}, id="an-amount"),
        param(
            {"provider": "p", "model": "m", "rates": [{"meter": "input", "usd": "1"}], "source": "a\x00b"},
            {"price.source"},
            id="no-text",
        ),
    ],
)
async def test_all_that_is_wrong_is_told_at_once(shop: Shop, price: Any, fields: set[str]) -> None:
    wrong = await shop.refused("SetPrice", pb.SetPriceRequest(price=pb.PriceOverride(**price)))
    assert (wrong.code, wrong.reason) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert {field for field, _ in wrong.violations} == fields
    assert await shop.listed() == []


async def test_own_prices_are_compared_with_the_published(shop: Shop) -> None:
    await shop.set("gpt-4o-mini", provider="our-gateway", input="0.15", output="0.9")
    found = await shop.stub.ComparePrices(pb.ComparePricesRequest(tolerance_percent=1))
    told = {each.meter: (each.ours, each.theirs, each.percent) for each in found.differences}
    assert told["output"] == (DOLLAR * 6 // 10, DOLLAR * 9 // 10, 50.0)
    assert "input" not in told
    assert found.models_compared == 1


async def test_a_table_of_others_is_compared(shop: Shop) -> None:
    table = {"gpt-4o-mini": {"litellm_provider": "openai", "input_cost_per_token": 3e-7, "output_cost_per_token": 6e-7}}
    found = await shop.stub.ComparePrices(pb.ComparePricesRequest(table=json.dumps(table).encode()))
    assert {each.meter: each.percent for each in found.differences} == {"input": 100.0, "cache_read": 300.0}
    assert found.models_missing > 10, "all others of the provider"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        param({"table": b"no table"}, "table", id="table"),
        param({"tolerance_percent": -1.0}, "tolerance_percent", id="tolerance"),
        param({"tolerance_percent": float("nan")}, "tolerance_percent", id="no-number"),
    ],
)
async def test_what_cannot_be_compared(shop: Shop, asked: dict[str, Any], field: str) -> None:
    wrong = await shop.refused("ComparePrices", pb.ComparePricesRequest(**asked))
    assert [field for field, _ in wrong.violations] == [field]
