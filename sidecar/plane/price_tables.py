"""genai-prices beside the operator's own prices, and beside a table of others: on request, and once a day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.money import usd_text
from sidecar.pricing import PriceFileError, Pricing, snapshot
from sidecar.pricing.card import RateCard
from sidecar.pricing.compare import Comparison, Difference, compare
from sidecar.pricing.overrides import Overrides
from sidecar.pricing.tables import is_litellm, read_table

FIRST_S, EVERY_S = 60.0, 86_400.0
TOLD = 20
"""Differences that the log names; the others are counted."""
TOLERANCE_PERCENT = 1.0


class PriceTables:
    def __init__(self, pricing: Pricing, catalog: Callable[[], Catalog], clock: Clock) -> None:
        self._pricing = pricing
        self._catalog = catalog
        self._clock = clock

    def compared(self, table: bytes = b"", name: str = "table", tolerance_percent: float = 0.0) -> Comparison:
        """With `table`, else with the operator's own prices. Takes a second: not on the loop. Raises PriceFileError."""
        at_ns = self._clock.wall_ns()
        prices = read_table(table, name) if table else self._pricing.own
        providers = {} if table and is_litellm(table) else _price_providers(self._catalog())
        return compare(
            lambda provider, model: _published(provider, model, at_ns),
            _known(prices, providers),
            prices,
            at_ns,
            tolerance_percent=tolerance_percent,
            providers=providers,
        )


def _published(provider: str, model: str, at_ns: int) -> RateCard | None:
    found = snapshot.schedule(provider, model)
    card = found.at(at_ns) if found else None
    return card if card is not None and card.rates else None


def _known(prices: Overrides, providers: dict[str, str]) -> dict[str, list[str]]:
    """Models that genai-prices has a price for, of the providers that `prices` names."""
    wanted = {providers.get(provider, provider) for provider, _ in prices.schedules}
    return {
        each.id: [model.id for model in each.models if snapshot.schedule(each.id, model.id)]
        for each in snapshot.load().providers
        if each.id in wanted
    }


def _price_providers(catalog: Catalog) -> dict[str, str]:
    """Account name or provider type -> its provider in genai-prices; a name goes before a type."""
    accounts = catalog.accounts.values()
    types = {account.type: account.price_provider or account.type for account in accounts}
    return types | {account.name: account.price_provider or account.type for account in accounts}


class DailyComparison:
    """Tells the log, once a day, where prices differ."""

    def __init__(
        self, tables: PriceTables, own: Callable[[], Overrides], file: Callable[[], Path | None], log: Any
    ) -> None:
        """`file`: a table of others, if there is one now."""
        self._tables = tables
        self._own = own
        self._file = file
        self._log = log

    async def keep_comparing(self, first_s: float = FIRST_S, every_s: float = EVERY_S) -> None:
        """Until cancelled."""
        await asyncio.sleep(first_s)
        while True:
            await self.compare()
            await asyncio.sleep(every_s)

    async def compare(self) -> None:
        """Once. What cannot be read is told, and tried again tomorrow."""
        if self._own().schedules:
            self._tell(
                "own prices", await asyncio.to_thread(self._tables.compared, tolerance_percent=TOLERANCE_PERCENT)
            )
        file = self._file()
        if file is None:
            return
        try:
            self._tell(str(file), await asyncio.to_thread(self._read, file))
        except PriceFileError as wrong:
            self._log.warning("price_table_unreadable", file=str(file), errors=list(wrong.errors[:TOLD]))

    def _read(self, file: Path) -> Comparison:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise PriceFileError([f"{file}: {error.strerror}"]) from None
        return self._tables.compared(content or b"# nothing", file.name, TOLERANCE_PERCENT)

    def _tell(self, table: str, found: Comparison) -> None:
        for each in found.differences[:TOLD]:
            self._log.warning("prices_differ", table=table, **_words(each))
        self._log.info(
            "prices_compared",
            table=table,
            models=found.compared,
            differences=len(found.differences),
            models_in_only_one=found.missing,
        )


def _words(each: Difference) -> dict[str, object]:
    """Prices in US dollars for a million."""
    return {
        "model": f"{each.provider}/{each.model}",
        "meter": each.meter,
        "ours": "none" if each.ours is None else usd_text(each.ours),
        "theirs": "none" if each.theirs is None else usd_text(each.theirs),
        "percent": each.percent,
    }
