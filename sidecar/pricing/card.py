"""A rate card: what one model charges by meter, from some day on; and what a usage costs by it. Pure."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from sidecar.core.call import UNPRICED, Cost, CostLine, Usage
from sidecar.core.money import cost_picodollars

SECOND_NS = 1_000_000_000
DAY_S = 86_400

INPUT_PARTS = ("cache_read", "cache_write_1h", "cache_write", "audio_input")
"""Parts of `Usage.input` that may have their own price; cached tokens first, so that cached audio counts as cached."""
OUTPUT_PARTS = ("reasoning", "audio_output")
INPUT_METERS = ("input", *INPUT_PARTS)
OUTPUT_METERS = ("output", *OUTPUT_PARTS)
OTHER_METERS = ("requests", "images", "characters", "milliseconds")


@dataclass(frozen=True, slots=True)
class Rate:
    """Picodollars per million units. A tier holds for the *whole* call once its input exceeds the tier's start."""

    base: int
    tiers: tuple[tuple[int, int], ...] = ()
    """(input tokens above which it holds, price), ascending."""

    def at(self, input_tokens: int) -> int:
        for above, price in reversed(self.tiers):
            if input_tokens > above:
                return price
        return self.base


@dataclass(frozen=True, slots=True)
class RateCard:
    """Rates by meter (INPUT_METERS, OUTPUT_METERS, OTHER_METERS), and where they come from."""

    source: str
    """genai-prices | override | declared."""
    version: str
    rates: Mapping[str, Rate]
    dated: str = ""
    """The day from which it holds, or on which it was set: "2026-11-01"; empty: not known."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One model's cards over time: of those that hold at an instant, the last one wins."""

    entries: tuple[tuple[Period, RateCard], ...]

    def at(self, at_ns: int) -> RateCard | None:
        """The card at a UTC instant; before the first dated one begins, none."""
        if len(self.entries) == 1 and self.entries[0][0] == ALWAYS:
            return self.entries[0][1]
        day, second = divmod(at_ns // SECOND_NS, DAY_S)
        return next((card for period, card in reversed(self.entries) if period.holds(day, second)), None)


@dataclass(frozen=True, slots=True)
class Period:
    """When a card holds: from a UTC day on, or daily between two seconds of the UTC day (may pass midnight)."""

    from_day: int | None = None
    """Days since 1970-01-01."""
    daily: tuple[int, int] | None = None
    """[start, end) in seconds of the day."""

    def holds(self, day: int, second: int) -> bool:
        if self.from_day is not None and day < self.from_day:
            return False
        if self.daily is None:
            return True
        start, end = self.daily
        return start <= second < end if start <= end else second >= start or second < end


ALWAYS = Period()
NOTHING_KNOWN = Usage()
FREE = RateCard(
    "declared", "self-hosted", {meter: Rate(0) for meter in (*INPUT_METERS, *OUTPUT_METERS, *OTHER_METERS[1:])}
)
"""Self-hosted: 0 by declaration, on every meter of use."""


def cost(card: RateCard | None, usage: Usage) -> Cost:
    """What `usage` costs by `card`. A quantity without a price leaves the whole unpriced: never a silent 0."""
    if card is None:
        return UNPRICED
    quantities = meters(usage, card.rates)
    if quantities is None or any(quantity and meter not in card.rates for meter, quantity in quantities.items()):
        return UNPRICED
    tier = input_tokens(usage) or 0
    lines = tuple(
        line(meter, quantity, card.rates[meter].at(tier)) for meter, quantity in quantities.items() if quantity
    )
    return Cost(True, sum(each.cost_picodollars for each in lines), card.source, card.version, lines)


def line(meter: str, quantity: int, price: int) -> CostLine:
    return CostLine(meter, quantity, price, cost_picodollars(quantity, price))


def billed(amount_picodollars: int, provider_type: str) -> Cost:
    """What the provider itself says it billed: one meter, whose unit is the picodollar, price 1."""
    lines = (line("provider_cost", amount_picodollars, 1_000_000),) if amount_picodollars else ()
    return Cost(True, amount_picodollars, "provider", provider_type, lines)


def meters(usage: Usage, priced: Container[str]) -> dict[str, int] | None:
    """Disjoint quantities by meter. A part is split from its whole only if it has a price of its own.

    None if nothing is known that could be priced. Parts that exceed their whole are cut to it.
    """
    found: dict[str, int] = {}
    parts_in = {"cache_read": usage.cache_read, **_writes(usage, priced), "audio_input": usage.audio_in}
    parts_out = {"reasoning": usage.reasoning, "audio_output": usage.audio_out}
    found |= _split("input", input_tokens(usage), parts_in, INPUT_PARTS, priced)
    found |= _split("output", output_tokens(usage), parts_out, OUTPUT_PARTS, priced)
    milliseconds = None if usage.seconds is None else round(usage.seconds * 1000)
    others = {"images": usage.images, "characters": usage.characters, "milliseconds": milliseconds}
    found |= {meter: quantity for meter, quantity in others.items() if quantity is not None and meter in priced}
    if "requests" in priced and (found or usage != NOTHING_KNOWN):
        found["requests"] = 1 if usage.requests is None else usage.requests
    return found or None


def _writes(usage: Usage, priced: Container[str]) -> dict[str, int | None]:
    """Cache writes; those for an hour apart only if they have a price of their own."""
    written, for_an_hour = usage.cache_write, usage.cache_write_1h
    if not written or not for_an_hour or "cache_write_1h" not in priced:
        return {"cache_write_1h": 0, "cache_write": written}
    for_an_hour = min(for_an_hour, written)
    return {"cache_write_1h": for_an_hour, "cache_write": written - for_an_hour}


def input_tokens(usage: Usage) -> int | None:
    """All input, cached included; the sum of the known parts where the whole is not told."""
    return _whole(usage.input, (usage.cache_read, usage.cache_write, usage.audio_in))


def output_tokens(usage: Usage) -> int | None:
    return _whole(usage.output, (usage.reasoning, usage.audio_out))


def _whole(whole: int | None, parts: Sequence[int | None]) -> int | None:
    if whole is not None:
        return whole
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _split(
    name: str, whole: int | None, parts: Mapping[str, int | None], order: Sequence[str], priced: Container[str]
) -> dict[str, int]:
    """`whole` shared out: each priced part takes what is left of it, the rest is `name`'s."""
    if whole is None:
        return {}
    found, left = {}, whole
    for part in order:
        if part in priced:
            found[part] = min(parts[part] or 0, left)
            left -= found[part]
    return {name: left, **found}
