"""Prices from a file: an operator's own (TAXIMETER_PRICES_FILE), and ours for what genai-prices lacks.

A file is TOML, validated whole; docs/pricing.md shows one. Rates are US dollars: per million
tokens or characters, or per request, image or second.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sidecar.core.money import MILLION, from_usd
from sidecar.pricing.card import ALWAYS, Period, Rate, RateCard, Schedule
from sidecar.pricing.snapshot import EPOCH_ORDINAL

SOURCE = "override"
UNITS = {
    **dict.fromkeys(("input", "cache_read", "cache_write", "cache_write_1h", "audio_input"), 1),
    **dict.fromkeys(("output", "reasoning", "audio_output", "characters"), 1),
    "requests": MILLION,
    "images": MILLION,
    "seconds": 1000,
}
"""Rate -> factor from the file's unit to dollars per million of the meter's (seconds are metered in ms)."""
METER_OF = {"seconds": "milliseconds"}
PLAIN = frozenset({"provider", "model", "effective", "source", "tier"})


class PriceFileError(ValueError):
    """Everything that is wrong with a file, one line each."""

    def __init__(self, errors: Iterable[str]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(self.errors))


@dataclass(frozen=True, slots=True)
class Overrides:
    """(provider, model pattern) -> schedule. A pattern ending in `*` is a prefix; the longest match wins."""

    schedules: Mapping[tuple[str, str], Schedule]

    def find(self, providers: Iterable[str], model: str) -> Schedule | None:
        """By the first of `providers` (account name, type, price provider) that has the model."""
        model = model.lower()
        for provider in providers:
            if exact := self.schedules.get((provider, model)):
                return exact
            prefixes = [
                pattern
                for owner, pattern in self.schedules
                if owner == provider and pattern.endswith("*") and model.startswith(pattern[:-1])
            ]
            if prefixes:
                return self.schedules[provider, max(prefixes, key=len)]
        return None


NONE = Overrides({})


def read(path: Path) -> Overrides:
    """Raises PriceFileError with everything that is wrong."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PriceFileError([f"{path}: {error.strerror}"]) from None
    return parse(content, str(path))


def parse(content: bytes, name: str) -> Overrides:
    try:
        document = tomllib.loads(content.decode(), parse_float=Decimal)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PriceFileError([f"{name}: {error}"]) from None
    stamp = hashlib.sha256(content).hexdigest()[:12]
    errors = [f"{name}: unknown key {key!r}" for key in document if key != "price"]
    found: dict[tuple[str, str], dict[int | None, RateCard]] = {}
    entries = document.get("price", [])
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
        problems, effective, rates = read_entry(entry)
        errors += [f"{name}: price {number}{_named(entry)}: {problem}" for problem in problems]
        if problems:
            continue
        dated = found.setdefault((entry["provider"].lower(), entry["model"].lower()), {})
        day = effective.toordinal() - EPOCH_ORDINAL if effective else None
        if day in dated:
            errors.append(f"{name}: price {number}{_named(entry)}: given twice for the same day")
        dated[day] = card_of(stamp, effective.isoformat() if effective else "", rates)
    if errors:
        raise PriceFileError(errors)
    return Overrides({key: schedule_of(dated) for key, dated in found.items()})


def card_of(stamp: str, day: str, rates: Mapping[str, Rate]) -> RateCard:
    """`day`: from which it holds, ISO; empty: always."""
    return RateCard(SOURCE, f"{stamp}@{day}" if day else stamp, rates, day)


def schedule_of(dated: Mapping[int | None, RateCard]) -> Schedule:
    """Of one model; by the day since 1970 from which a card holds, None: always."""
    days = sorted(dated, key=lambda day: -1 if day is None else day)
    return Schedule(tuple((ALWAYS if day is None else Period(from_day=day), dated[day]) for day in days))


def _named(entry: object) -> str:
    return f" ({entry.get('provider', '?')} {entry.get('model', '?')})" if isinstance(entry, dict) else ""


def read_entry(entry: object) -> tuple[list[str], date | None, dict[str, Rate]]:
    """(what is wrong, effective day, rates)"""
    if not isinstance(entry, dict):
        return ["not a table; write [[price]]"], None, {}
    errors = [
        f"`{key}` must be a text"
        for key in ("provider", "model")
        if not isinstance(entry.get(key), str) or not entry[key]
    ]
    errors += [f"unknown key {key!r}" for key in entry if key not in PLAIN and key not in UNITS]
    effective = entry.get("effective")
    if effective is not None and (isinstance(effective, datetime) or not isinstance(effective, date)):
        errors.append("`effective` must be a date like 2026-01-31 (from 00:00 UTC)")
        effective = None
    base = _amounts(entry, errors, "")
    tiers = _tiers(entry.get("tier", []), base, errors)
    if not base and not errors:
        errors.append(f"no rate; give at least one of {', '.join(UNITS)}")
    rates = {
        METER_OF.get(key, key): Rate(price, tuple((above, amounts[key]) for above, amounts in tiers if key in amounts))
        for key, price in base.items()
    }
    return errors, effective, rates


def _tiers(tiers: object, base: Mapping[str, int], errors: list[str]) -> list[tuple[int, dict[str, int]]]:
    """[(input tokens above which it holds, rates)], ascending."""
    found: list[tuple[int, dict[str, int]]] = []
    for number, tier in enumerate(tiers if isinstance(tiers, list) else [tiers], 1):
        where = f"tier {number}: "
        if not isinstance(tier, dict):
            errors.append(f"{where}not a table; write [[price.tier]]")
            continue
        above = tier.get("above_input_tokens")
        if not isinstance(above, int) or isinstance(above, bool) or above < 0:
            errors.append(f"{where}`above_input_tokens` must be a whole number")
            above = 0
        errors += [f"{where}unknown key {key!r}" for key in tier if key != "above_input_tokens" and key not in UNITS]
        amounts = _amounts(tier, errors, where)
        errors += [f"{where}`{key}` has no rate below the tier" for key in amounts if key not in base]
        found.append((above, amounts))
    return sorted(found, key=lambda pair: pair[0])


def _amounts(table: Mapping[str, Any], errors: list[str], where: str) -> dict[str, int]:
    """Rate -> picodollars per million of its meter."""
    found = {}
    for key in sorted(table.keys() & UNITS.keys()):
        amount = _decimal(table[key])
        if amount is None:
            errors.append(f"{where}`{key}` must be an amount in US dollars, 0 or more, with at most 12 decimals")
        elif amount * UNITS[key] >= MILLION:  # for which the ledger has no digits
            most = MILLION // UNITS[key]
            errors.append(f"{where}`{key}` must be less than {most} US dollar{'s' if most > 1 else ''}")
        else:
            found[key] = from_usd(amount * UNITS[key])
    return found


def _decimal(value: object) -> Decimal | None:
    """Exact: a number or a text. None for anything that is not an amount."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    try:
        amount = Decimal(value)
    except InvalidOperation:
        return None
    if not amount.is_finite() or amount < 0 or amount > MILLION or amount != round(amount, 12):
        return None
    return amount
