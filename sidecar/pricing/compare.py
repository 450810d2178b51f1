"""Two price tables side by side. Pure: what differs is returned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from sidecar.pricing.card import INPUT_METERS, INPUT_PARTS, OUTPUT_METERS, OUTPUT_PARTS, RateCard
from sidecar.pricing.overrides import Overrides

Published = Callable[[str, str], RateCard | None]
"""(provider of the price table, model) -> the card that holds now."""
Known = Mapping[str, Collection[str]]
"""Ids of the published models, by provider."""
_Said = tuple[set[str], tuple[str, ...]]
"""Of one provider: models by name, and what others begin with."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one meter of one model. Prices are picodollars per million units; None: this source has no such rate."""

    provider: str
    model: str
    meter: str
    """ "input", "output above 200000" ..."""
    ours: int | None
    theirs: int | None
    our_source: str
    percent: float
    """Of ours; 100 or -100 where one of them is nothing."""


@dataclass(frozen=True, slots=True)
class Comparison:
    differences: tuple[Difference, ...]
    compared: int
    """Models that both have."""
    missing: int
    """Models in only one of the two, of the providers that the table has."""


def compare(
    published: Published,
    known: Known,
    table: Overrides,
    at_ns: int,
    *,
    tolerance_percent: float = 0.0,
    providers: Mapping[str, str] | None = None,
) -> Comparison:
    """`providers`: what the table calls them -> what `known` does.

    A pattern of the table stands for every published model that it fits.
    """
    names = providers or {}
    found: list[Difference] = []
    compared = missing = 0
    said = _by_provider(table)
    for provider, model in _named(said, known, names):
        theirs = _now(table, provider, model, at_ns)
        ours = published(names.get(provider, provider), model) if theirs else None
        if theirs is None or ours is None:
            missing += theirs is not None
            continue
        compared += 1
        found += _differences(provider, model, ours, theirs, tolerance_percent)
    missing += sum(_uncovered(owner, said, known, names) for owner in {names.get(each, each) for each in said})
    return Comparison(tuple(found), compared, missing)


def _by_provider(table: Overrides) -> dict[str, _Said]:
    """Provider -> models by name, and what others begin with."""
    found: dict[str, _Said] = {}
    for provider, pattern in table.schedules:
        exact, prefixes = found.setdefault(provider, (set(), ()))
        if pattern.endswith("*"):
            found[provider] = exact, (*prefixes, pattern[:-1])
        else:
            exact.add(pattern)
    return found


def _named(said: Mapping[str, _Said], known: Known, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """(provider, model) of the table, patterns spelled out; each once."""
    for provider, (exact, prefixes) in said.items():
        ids = {each.lower() for each in known.get(names.get(provider, provider), ())}
        yield from ((provider, each) for each in sorted(exact | {each for each in ids if each.startswith(prefixes)}))


def _uncovered(owner: str, said: Mapping[str, _Said], known: Known, names: Mapping[str, str]) -> int:
    """Published models of which the table says nothing under any name of their provider."""
    each_said = [each for provider, each in said.items() if names.get(provider, provider) == owner]
    ids = {each.lower() for each in known.get(owner, ())}
    return sum(not any(each in exact or each.startswith(prefixes) for exact, prefixes in each_said) for each in ids)


def _now(table: Overrides, provider: str, model: str, at_ns: int) -> RateCard | None:
    schedule = table.find((provider,), model)
    return schedule.at(at_ns) if schedule else None


def _differences(
    provider: str, model: str, ours: RateCard, theirs: RateCard, tolerance_percent: float
) -> Iterator[Difference]:
    starts = {0, *(above for card in (ours, theirs) for rate in card.rates.values() for above, _ in rate.tiers)}
    for meter in sorted(ours.rates.keys() | theirs.rates.keys()):
        for start in sorted(starts if meter in (*INPUT_METERS, *OUTPUT_METERS) else {0}):
            mine, other = _effective(ours, meter, start), _effective(theirs, meter, start)
            percent = _percent(mine, other)
            if mine == other or abs(percent) <= tolerance_percent or _told_below(ours, theirs, meter, start):
                continue
            label = f"{meter} above {start}" if start else meter
            yield Difference(
                provider, model, label, _own(ours, meter, start), _own(theirs, meter, start), ours.source, percent
            )


def _told_below(ours: RateCard, theirs: RateCard, meter: str, start: int) -> bool:
    """Neither changes here, so the same was said of fewer tokens."""
    return start > 0 and all(
        _effective(card, meter, start) == _effective(card, meter, start - 1) for card in (ours, theirs)
    )


def _effective(card: RateCard, meter: str, start: int) -> int | None:
    """What a unit costs: a part without a price of its own costs what its whole does."""
    own = _own(card, meter, start)
    if own is not None or meter not in (*INPUT_PARTS, *OUTPUT_PARTS):
        return own
    if meter == "cache_write_1h" and "cache_write" in card.rates:
        return _own(card, "cache_write", start)
    return _own(card, "input" if meter in INPUT_PARTS else "output", start)


def _own(card: RateCard, meter: str, start: int) -> int | None:
    """For a call with just more than `start` tokens in."""
    rate = card.rates.get(meter)
    return None if rate is None else rate.at(start + 1)


def _percent(ours: int | None, theirs: int | None) -> float:
    if theirs is None:
        return -100.0
    return round((theirs - ours) * 100 / ours, 2) if ours else 100.0
