"""`ai_providers`: a copy of the configuration's providers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.plane.listing import ProviderList
from tests.support.shop import CATALOG, OPENAI, Shop, open_shop

param = pytest.param


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as made:
        yield made


async def test_the_control_store_has_a_copy_of_the_providers(shop: Shop) -> None:
    seen = [CATALOG]
    listed = ProviderList(shop.plane, lambda: seen[0], Clock())
    await listed.write()

    def told() -> list[tuple[Any, ...]]:
        return _rows(shop.folder, "SELECT name, type, usable FROM ai_providers")

    assert sorted(told()) == [("openai", "openai", 1), ("our-gateway", "openai", 1)]
    before = _rows(shop.folder, "SELECT updated_ns FROM ai_providers")
    await listed.write()
    assert _rows(shop.folder, "SELECT updated_ns FROM ai_providers") == before, "written when it is another"
    seen[0] = Catalog({"openai": OPENAI}, {})
    listed.changed()
    task = asyncio.create_task(listed.keep_written())
    async with asyncio.timeout(20):
        while len(told()) != 1:
            await asyncio.sleep(0.01)
    task.cancel()


def _rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    import sqlite3

    with closing(sqlite3.connect(folder / "control.db")) as store:
        return store.execute(sql).fetchall()
