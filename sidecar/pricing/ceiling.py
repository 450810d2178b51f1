"""The most that a model can charge on one day: what budgets hold before a call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sidecar.pricing.card import DAY_S, INPUT_METERS, OUTPUT_METERS, SECOND_NS, RateCard, Schedule


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Picodollars. `steps`: (input tokens above which it holds, dearest price of a million in, of a million out)."""

    request: int
    """Of one request, whatever its size."""
    steps: tuple[tuple[int, int, int], ...]

    def at(self, input_tokens: int) -> tuple[int, int]:
        """Dearest prices of a million tokens in and out, for a call of up to so many tokens in."""
        steps = self.steps
        if len(steps) == 1:
            return steps[0][1], steps[0][2]
        reached = [step for step in steps if input_tokens > step[0]] or steps[:1]
        return max(step[1] for step in reached), max(step[2] for step in reached)


def ceiling(cards: Iterable[RateCard]) -> Ceiling:
    """Of all `cards`: those that hold at some time of the day."""
    cards = tuple(cards)
    starts = {0, *(above for card in cards for rate in card.rates.values() for above, _ in rate.tiers)}
    return Ceiling(
        request=max((_price(card, ("requests",), 0) for card in cards), default=0) // 1_000_000,
        steps=tuple(
            (start, _dearest(cards, INPUT_METERS, start + 1), _dearest(cards, OUTPUT_METERS, start + 1))
            for start in sorted(starts)
        ),
    )


def _dearest(cards: Iterable[RateCard], meters: tuple[str, ...], input_tokens: int) -> int:
    return max((_price(card, meters, input_tokens) for card in cards), default=0)


def _price(card: RateCard, meters: tuple[str, ...], input_tokens: int) -> int:
    return max((card.rates[meter].at(input_tokens) for meter in meters if meter in card.rates), default=0)


def instants(schedules: Iterable[Schedule], at_ns: int) -> list[int]:
    """`at_ns`, and every moment of its UTC day at which a price may change."""
    day_ns = at_ns // (DAY_S * SECOND_NS) * DAY_S * SECOND_NS
    turns = {second for each in schedules for period, _ in each.entries for second in period.daily or ()}
    return [at_ns, *(day_ns + second * SECOND_NS for second in turns)]
