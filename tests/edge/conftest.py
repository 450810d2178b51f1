"""The real edge before hostile providers, on the loop that production runs on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
import uvloop

from tests.support.hostile import Act, Hostile, hostile
from tests.support.rig import catalog_of
from tests.support.served import Served, served

Scene = tuple[Served, list[Hostile]]
MakeScene = Callable[..., Awaitable[Scene]]


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def scene() -> AsyncIterator[MakeScene]:
    """`await scene(script of a, script of b, ..., alias=, edge=, **catalog)` -> what serves, and its providers."""
    async with AsyncExitStack() as stack:

        async def make(*scripts: Sequence[Act], edge: dict[str, Any] | None = None, **values: Any) -> Scene:
            providers = [await stack.enter_async_context(hostile(*script)) for script in scripts or ((),)]
            catalog = catalog_of([provider.base_url for provider in providers], **values)
            return await stack.enter_async_context(served(catalog, **(edge or {}))), providers

        yield make
