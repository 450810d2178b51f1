"""The comparison of every day."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.core.clock import Clock
from sidecar.plane.price_tables import DailyComparison, PriceTables
from tests.support.shop import CATALOG, Shop, open_shop

param = pytest.param


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as made:
        yield made


async def test_the_log_tells_once_a_day_where_prices_differ(shop: Shop, tmp_path: Path) -> None:
    await shop.set("gpt-*", input="7777", output="7777")
    tables = PriceTables(shop.pricing, lambda: CATALOG, Clock())
    file, named = tmp_path / "table.toml", list[Path]()
    daily = DailyComparison(tables, lambda: shop.pricing.own, lambda: named[0] if named else None, shop.log)
    await daily.compare()
    assert shop.log.events == ["prices_differ"] * 20 + ["prices_compared"]
    assert shop.log.said[0][1]["theirs"] == "7777"
    assert shop.log.said[-1][1]["differences"] > 20
    shop.log.said.clear()
    named.append(file)
    await daily.compare()
    assert shop.log.events[-1] == "price_table_unreadable"
    file.write_text('[[price]]\nprovider = "openai"\nmodel = "gpt-4o-mini"\ninput = 0.15\noutput = 0.6\n')
    shop.log.said.clear()
    await daily.compare()
    assert [details["table"] for event, details in shop.log.said if event == "prices_compared"] == [
        "own prices", str(file),
    ]  # fmt: skip


async def test_the_first_comparison_waits_and_the_next_ones_follow(shop: Shop) -> None:
    await shop.set("gpt-4o-mini", input="0.15", cache_read="0.075", output="0.6")
    daily = DailyComparison(
        PriceTables(shop.pricing, lambda: CATALOG, Clock()), lambda: shop.pricing.own, lambda: None, shop.log
    )
    task = asyncio.create_task(daily.keep_comparing(first_s=0.01, every_s=0.01))
    async with asyncio.timeout(20):
        while shop.log.events.count("prices_compared") < 2:
            await asyncio.sleep(0.01)
    task.cancel()
