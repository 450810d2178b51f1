"""The price book: which card holds for an account's model, and what that makes of a usage."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from sidecar.core.call import Cost, Usage
from sidecar.core.catalog import Account, ModelFacts
from sidecar.core.clock import Clock
from sidecar.core.money import cost_picodollars
from sidecar.pricing import card, facts, overrides, snapshot
from sidecar.pricing.card import DAY_S, SECOND_NS, RateCard, Schedule
from sidecar.pricing.ceiling import Ceiling, ceiling, instants
from sidecar.pricing.overrides import Overrides

DATA = Path(__file__).parent.parent / "data"


class Pricing:
    """Prices by precedence: declared, the provider's own bill, those of the control plane, the override file,
    genai-prices, our supplement."""

    def __init__(self, overrides_file: Path | None = None, clock: Clock | None = None) -> None:
        """Raises PriceFileError. Cheap: genai-prices is imported at first need, or by `preload`."""
        self._overrides = self.read(overrides_file)
        self._held = overrides.NONE
        self._supplement = overrides.read(DATA / "prices.toml")
        self._facts = facts.read(DATA / "models.toml")
        self._clock = clock or Clock()
        self._schedules = lru_cache(snapshot.MODELS_KEPT)(self._find_schedules)
        self._ceilings: dict[tuple[str, str, str], tuple[Account, int, Ceiling | None]] = {}

    @staticmethod
    def read(overrides_file: Path | None) -> Overrides:
        """An operator's own prices, none without a file. Raises PriceFileError."""
        return overrides.read(overrides_file) if overrides_file else overrides.NONE

    @property
    def overrides(self) -> Overrides:
        """Those of the file, in force."""
        return self._overrides

    @property
    def held(self) -> Overrides:
        """Those of the control plane, in force."""
        return self._held

    @property
    def own(self) -> Overrides:
        """Both, the control plane's before the file's."""
        return Overrides({**self._overrides.schedules, **self._held.schedules})

    def use(self, prices: Overrides) -> None:
        """Calls that end from now on are priced by these, where the control plane has none."""
        self._overrides = prices
        self._forget()

    def use_held(self, prices: Overrides) -> None:
        """The control plane's: they go before the file's."""
        self._held = prices
        self._forget()

    def _forget(self) -> None:
        self._schedules.cache_clear()
        self._ceilings.clear()

    @staticmethod
    def preload() -> None:
        """Imports the price data (0.2 s). Call it off the event loop, before the first call comes."""
        snapshot.load()

    def cost(
        self,
        account: Account,
        model: str,
        reported: str,
        usage: Usage,
        at_ns: int,
        *,
        provider_cost_picodollars: int | None = None,
    ) -> Cost:
        """What `usage` of `account` came to at `at_ns` (UTC). By the reported model, else the one asked for.

        An operator's override under either name goes before a published price under the other. What a deployment is
        called tells its price only as long as the model behind it is not reported.
        """
        if account.declared_price_zero:
            found = card.meters(usage, card.FREE.rates) or {}
            lines = tuple(card.line(meter, quantity, 0) for meter, quantity in found.items() if quantity)
            return Cost(True, 0, card.FREE.source, card.FREE.version, lines)
        if provider_cost_picodollars is not None:
            return card.billed(provider_cost_picodollars, account.type)
        return card.cost(self._rates(account, (reported, model), at_ns), usage)

    def rates(self, account: Account, model: str, at_ns: int | None = None) -> RateCard | None:
        """The card that holds at `at_ns`, or now; None: no price is known."""
        return self._rates(account, (model,), self._clock.wall_ns() if at_ns is None else at_ns)

    def bound(self, account: Account, model: str, input_bytes: int, max_tokens: int | None) -> int | None:
        """Picodollars a call cannot exceed: no token is shorter than a byte, and the dearest rates apply.

        None: no price is known. Output is bounded by the call's `max_tokens`, else by the catalogue.
        """
        most = self.ceiling(account, model)
        if most is None:
            return None
        known = self.facts(account, model)
        tokens_in = min(input_bytes, known.context_tokens) if known.context_tokens else input_bytes
        tokens_out = known.most_output_tokens if max_tokens is None else max_tokens
        price_in, price_out = most.at(tokens_in)
        return cost_picodollars(tokens_in, price_in) + cost_picodollars(tokens_out, price_out) + most.request

    def ceiling(self, account: Account, model: str) -> Ceiling | None:
        """The most that a call today can be charged by; None: no price is known. Worked out once a day."""
        at_ns = self._clock.wall_ns()
        day, key = at_ns // (DAY_S * SECOND_NS), (account.name, account.owner, model)
        kept = self._ceilings.get(key)
        if kept is not None and kept[0] is account and kept[1] == day:
            return kept[2]
        if len(self._ceilings) >= snapshot.MODELS_KEPT:
            self._ceilings.clear()
        found = self._find_ceiling(account, model, at_ns)
        self._ceilings[key] = account, day, found
        return found

    def _find_ceiling(self, account: Account, model: str, at_ns: int) -> Ceiling | None:
        schedules = self._schedules((account.name, account.type, _price_provider(account)), (model,), (model,))
        cards = [self._rates(account, (model,), instant) for instant in instants(schedules, at_ns)]
        return ceiling(card for card in cards if card is not None) if cards[0] is not None else None

    def comparable(self, account: Account, model: str, input_tokens: int, output_tokens: int) -> int | None:
        """Picodollars for a call of this size, to order targets by; None: no price is known."""
        usage = Usage(input=input_tokens, output=output_tokens, requests=1)
        return self.cost(account, model, "", usage, self._clock.wall_ns()).amount_picodollars

    def facts(self, account: Account, model: str) -> ModelFacts:
        """Context window (genai-prices), reasoning and output limit (data/models.toml)."""
        info = snapshot.find(_price_provider(account), model) if model and not account.declared_price_zero else None
        return self._facts.of(model, (info.context_window or 0) if info else 0)

    def _rates(self, account: Account, models: tuple[str, ...], at_ns: int) -> RateCard | None:
        if account.declared_price_zero:
            return card.FREE
        names = (account.name, account.type, _price_provider(account))
        published = models[:1] if account.deployments and models[0] else models
        found = (schedule.at(at_ns) for schedule in self._schedules(names, models, published))
        return next((rates for rates in found if rates is not None and rates.rates), None)

    def _find_schedules(
        self, names: tuple[str, str, str], models: tuple[str, ...], published: tuple[str, ...]
    ) -> tuple[Schedule, ...]:
        """Every schedule that could price one of `models`, the first to be asked first; in public tables only some of
        them are looked for."""
        sources: tuple[tuple[Callable[[str], Schedule | None], tuple[str, ...]], ...] = (
            (lambda model: self._held.find(names, model), models),
            (lambda model: self._overrides.find(names, model), models),
            (lambda model: snapshot.schedule(names[2], model), published),
            (lambda model: self._supplement.find(names, model), published),
        )
        found = (source(model) for source, asked in sources for model in asked if model)
        return tuple(schedule for schedule in found if schedule is not None)


def _price_provider(account: Account) -> str:
    return account.price_provider or account.type
