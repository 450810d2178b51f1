"""`ai_providers`: what the configuration offers, kept in the control store for people who look there with SQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.faults import Refusal
from sidecar.plane.plane import ControlPlane

RETRY_S = 15.0
"""Where the store could not be reached."""
Rows = list[dict[str, Any]]


class ProviderList:
    def __init__(self, plane: ControlPlane, catalog: Callable[[], Catalog], clock: Clock) -> None:
        self._plane = plane
        self._catalog = catalog
        self._clock = clock
        self._changed = asyncio.Event()
        self._changed.set()
        self._written: Rows | None = None

    def changed(self) -> None:
        """The configuration may say something else."""
        self._changed.set()

    async def keep_written(self) -> None:
        """Until cancelled: at the start, and after each change."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.write()
            except Refusal:
                self._changed.set()
                await asyncio.sleep(RETRY_S)

    async def write(self) -> None:
        """If there is anything new. Raises Refusal (CONTROL_UNAVAILABLE)."""
        rows = provider_rows(self._catalog())
        if rows == self._written:
            return
        dated = [{**row, "updated_ns": self._clock.wall_ns()} for row in rows]
        await self._plane.ask(lambda store: store.replace_providers(dated))
        self._written = rows


def provider_rows(catalog: Catalog) -> Rows:
    """One an account, but for the time."""
    return [
        {
            "name": account.name,
            "type": account.type,
            "base_url": account.base_url,
            "usable": account.usable,
            "capabilities": json.dumps(sorted(capability.value for capability in account.capabilities)),
        }
        for account in catalog.accounts.values()
    ]
