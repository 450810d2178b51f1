"""Rigs before hostile providers, taken down after each test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.hostile import Act, Hostile, dead_url, hostile
from tests.support.rig import Rig, catalog_of

Scene = tuple[Rig, list[Hostile]]
MakeScene = Callable[..., Awaitable[Scene]]
DEAD: Sequence[Act] = ()
"""The script of a provider that is not there."""


@pytest.fixture
async def scene() -> AsyncGenerator[MakeScene, None]:
    """`await scene(script of a, script of b, ..., alias=, **catalog)` -> the rig and its providers."""
    async with AsyncExitStack() as stack:

        async def make(*scripts: Sequence[Act], alias: dict[str, Any] | None = None, **values: Any) -> Scene:
            providers = []
            for script in scripts:
                provider = await stack.enter_async_context(hostile(*script))
                provider.base_url = provider.base_url if script else dead_url()
                providers.append(provider)
            rig = Rig(catalog_of([provider.base_url for provider in providers], alias=alias, **values))
            stack.push_async_callback(rig.transport.close)
            return rig, providers

        yield make
