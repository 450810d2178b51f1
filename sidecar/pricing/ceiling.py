"""The most that a model can charge on one day: what budgets hold before a call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, islice

from sidecar.pricing.card import DAY_S, INPUT_METERS, OUTPUT_METERS, SECOND_NS, RateCard, Schedule


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Picodollars. `steps`: (input tokens above which it holds, dearest price of a million in, of a million out), the
    prices never falling; the first holds from 0 on."""

    request: int
    """Of one request, whatever its size."""
    steps: tuple[tuple[int, int, int], ...]

    def at(self, input_tokens: int) -> tuple[int, int]:
        """Dearest prices of a million tokens in and out, for a call of up to so many tokens in."""
        _, price_in, price_out = self.steps[0]
        for above, dearer_in, dearer_out in self.steps[1:]:
            if input_tokens <= above:
                break
            price_in, price_out = dearer_in, dearer_out
        return price_in, price_out


def ceiling(cards: Iterable[RateCard]) -> Ceiling:
    """Of all `cards`: those that hold at some time of the day."""
    cards = tuple(cards)
    starts = sorted({0, *(above for card in cards for rate in card.rates.values() for above, _ in rate.tiers)})
    prices_in, prices_out = (_rising(cards, meters, starts) for meters in (INPUT_METERS, OUTPUT_METERS))
    return Ceiling(
        request=max((_price(card, ("requests",), 0) for card in cards), default=0) // 1_000_000,
        steps=tuple(zip(starts, prices_in, prices_out, strict=True)),
    )


def _rising(cards: Iterable[RateCard], meters: tuple[str, ...], starts: Iterable[int]) -> Iterable[int]:
    """The dearest price behind each start, or before it: a tier may be cheaper, even one from the first token on."""
    prices = (_dearest(cards, meters, start + 1) for start in starts)
    return islice(accumulate(prices, max, initial=_dearest(cards, meters, 0)), 1, None)


def _dearest(cards: Iterable[RateCard], meters: tuple[str, ...], input_tokens: int) -> int:
    return max((_price(card, meters, input_tokens) for card in cards), default=0)


def _price(card: RateCard, meters: tuple[str, ...], input_tokens: int) -> int:
    return max((card.rates[meter].at(input_tokens) for meter in meters if meter in card.rates), default=0)


def instants(schedules: Iterable[Schedule], at_ns: int) -> list[int]:
    """`at_ns`, and every moment of its UTC day at which a price may change."""
    day_ns = at_ns // (DAY_S * SECOND_NS) * DAY_S * SECOND_NS
    turns = {second for each in schedules for period, _ in each.entries for second in period.daily or ()}
    return [at_ns, *(day_ns + second * SECOND_NS for second in turns)]
