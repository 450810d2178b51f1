"""Prices that the control plane holds: an operator's own, set while it runs. Read as a file's entries are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sidecar.core.control import PriceOverride
from sidecar.pricing.card import SECOND_NS, RateCard
from sidecar.pricing.overrides import UNITS, Overrides, card_of, read_entry, schedule_of
from sidecar.pricing.snapshot import EPOCH_ORDINAL

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_Key = tuple[str, str]


def mistakes(price: PriceOverride) -> list[str]:
    """Everything that is wrong with it, in the words of a price file."""
    twice = {meter for meter, _, above in price.rates if _count(price, meter, above) > 1}
    wrong = [f"`{meter}` is given twice" for meter in sorted(twice)]
    wrong += [f"unknown key {meter!r}" for meter, _, _ in price.rates if meter not in UNITS]
    wrong += [f"`{meter}`: above_input_tokens is less than nothing" for meter, _, above in price.rates if above < 0]
    return wrong or read_entry(_entry(price))[0]


def compiled(prices: Iterable[PriceOverride]) -> tuple[Overrides, tuple[str, ...]]:
    """The prices that can be read, and the ids of those that cannot. Of two for one day the one set later holds."""
    found: dict[_Key, dict[int | None, RateCard]] = {}
    unreadable = []
    for price in sorted(prices, key=lambda each: (each.created_ns, each.price_id)):
        if mistakes(price):
            unreadable.append(price.price_id)
            continue
        _, effective, rates = read_entry(_entry(price))
        day = effective.toordinal() - EPOCH_ORDINAL if effective else None
        made = card_of(price.price_id, price.effective, rates)
        dated = made if effective else replace(made, dated=_day_of(price.created_ns))
        found.setdefault((price.provider.lower(), price.model.lower()), {})[day] = dated
    return Overrides({key: schedule_of(dated) for key, dated in found.items()}), tuple(unreadable)


def _entry(price: PriceOverride) -> dict[str, Any]:
    """As TOML would give it."""
    tiers: dict[int, dict[str, Any]] = {}
    for meter, usd, above in price.rates:
        tiers.setdefault(above, {})[meter] = usd
    entry: dict[str, Any] = {"provider": price.provider, "model": price.model, **tiers.pop(0, {})}
    if price.effective:
        entry["effective"] = _date(price.effective)
    if tiers:
        entry["tier"] = [{"above_input_tokens": above, **rates} for above, rates in tiers.items()]
    return entry


def _date(text: str) -> date | str:
    """The text itself if it is no day: that is then told."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else text
    except ValueError:
        return text


def _day_of(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // SECOND_NS, UTC).date().isoformat()


def _count(price: PriceOverride, meter: str, above: int) -> int:
    return sum((each[0], each[2]) == (meter, above) for each in price.rates)
