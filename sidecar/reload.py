"""What a reload reads beside the settings, and who follows it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from sidecar.edge.gate import Gate
from sidecar.health import Health
from sidecar.limits import Limits
from sidecar.pricing import Overrides, PriceFileError, Pricing
from sidecar.settings import Check, Configuration, Loaded, Prepared, Problems, Settings

Reread = Callable[[Check], Loaded]
"""Reads every source of the configuration anew. Raises ConfigErrors."""


def preparing(reread: Reread, pricing: Pricing) -> Callable[[], Prepared]:
    """Settings and prices together, so that the errors of both are told together."""

    def prepare() -> Prepared:
        found: list[Overrides] = []

        def check(settings: Settings, problems: Problems) -> None:
            found.append(_prices(settings.prices_file, problems))

        loaded = reread(check)
        (prices,) = found
        if prices == pricing.overrides:
            return Prepared(loaded)
        line = f"prices: TAXIMETER_PRICES_FILE, {len(prices.schedules)} entries"
        return Prepared(loaded, (line,), lambda: pricing.use(prices))

    return prepare


def _prices(file: Path | None, problems: Problems) -> Overrides:
    try:
        return Pricing.read(file)
    except PriceFileError as wrong:
        for error in wrong.errors:
            where, _, what = error.partition(": ")
            problems.error(where, what)
        return Pricing.read(None)


def followed(configuration: Configuration, health: Health, limits: Limits, gate: Gate) -> None:
    """Tells everybody who holds more of the configuration than its catalogue."""

    def follow(old: Loaded, new: Loaded) -> None:
        health.follow(old.catalog, new.catalog)
        limits.follow(old.catalog, new.catalog)
        gate.max_calls = new.settings.max_calls
        logging.getLogger().setLevel(new.settings.log_level.upper())

    configuration.follow(follow)
