"""What a million units of a meter cost: the prices that the ledger's own rows were charged at. Exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext

import polars as pl

from analytics import facts
from analytics.period import Period
from analytics.question import Filters, Question

Model = tuple[str, str]
"""Provider and model."""

MILLION = 10**6
_PICODOLLAR = Decimal("1e-12")
_WHOLE = {
    **dict.fromkeys(("cache_read", "cache_write", "cache_write_1h", "audio_input"), "input"),
    **dict.fromkeys(("reasoning", "audio_output"), "output"),
}
"""Part -> what it is charged as where it has no price of its own."""


def prices_question(span: Period, filters: Filters | None = None, *, daily: bool = False) -> Question:
    """Columns: provider, model, (if `daily`) day, meter, quantity (BIGINT), attempts, listed: the sum of quantity *
    USD per million, so a millionth of it is the cost before rounding.

    Without what providers state as billed, which has no unit price. Raises BadQuestion."""
    costs = facts.costs(span.start, span.end, filters)
    day = "day, " if daily else ""
    sql = f"""SELECT provider, model, {day}meter, CAST(sum(quantity) AS BIGINT) AS quantity,
  CAST(sum(attempts) AS BIGINT) AS attempts, CAST(sum(quantity * price_per_million_usd) AS DECIMAL(38, 12)) AS listed
FROM {costs.sql} WHERE meter <> 'provider_cost' GROUP BY ALL ORDER BY ALL"""  # noqa: S608 - pieces of this package
    return Question(sql, costs.params)


@dataclass(frozen=True, slots=True)
class Charged:
    """What was charged by one meter. `listed`: USD times a million."""

    quantity: int
    attempts: int
    listed: Decimal

    @property
    def price(self) -> Decimal:
        """Mean USD per million units; exact where there was one price."""
        with localcontext(prec=60):
            return self.listed / self.quantity


@dataclass(frozen=True, slots=True)
class Prices:
    """By model and meter, what was charged."""

    charged: Mapping[Model, Mapping[str, Charged]]

    def price(self, model: Model, meter: str) -> Decimal | None:
        """Mean USD per million; a part without a price of its own has that of its whole; None: not known."""
        own = self.charged.get(model, {})
        found = own.get(meter) or own.get(_WHOLE.get(meter, ""))
        return found.price if found else None

    def dearer(self, old: Model, new: Model, times: int) -> Decimal | None:
        """USD that `times` mean attempts at `new` cost more than the same units would have at `old`.

        A mean attempt's units: those charged at `new`, over the attempts that its commonest meter was charged for.
        None where either has no price for one of them."""
        own = self.charged.get(new)
        if not own:
            return None
        prices = {meter: self.price(old, meter) for meter in own}
        with localcontext(prec=60):
            more = Decimal(0)
            for meter, each in own.items():
                price = prices[meter]
                if price is None:
                    return None
                more += each.listed - each.quantity * price
            return usd(more * times / max(each.attempts for each in own.values()))


def mean_prices(answer: pl.DataFrame) -> Prices:
    """From the answer to `prices_question`, not daily."""
    charged: dict[Model, dict[str, Charged]] = defaultdict(dict)
    for provider, model, meter, quantity, attempts, listed in answer.iter_rows():
        if quantity:
            charged[provider, model][meter] = Charged(quantity, attempts, listed)
    return Prices(charged)


def daily_prices(answer: pl.DataFrame, meter: str) -> dict[Model, dict[date, Decimal]]:
    """From the answer to `prices_question`, daily: a meter's mean USD per million on each day that had some."""
    prices: dict[Model, dict[date, Decimal]] = defaultdict(dict)
    for row in answer.filter((pl.col("meter") == meter) & (pl.col("quantity") > 0)).iter_rows(named=True):
        prices[row["provider"], row["model"]][row["day"]] = Charged(
            row["quantity"], row["attempts"], row["listed"]
        ).price
    return prices


def nearest(prices: Mapping[date, Decimal], day: date) -> Decimal | None:
    """The price of that day, else of the nearest day that has one, of two the earlier; None if there is none."""
    found = min(prices, key=lambda known: (abs(known - day), known), default=None)
    return None if found is None else prices[found]


def usd(listed: Decimal) -> Decimal:
    """USD times a million as USD, to the picodollar."""
    with localcontext(prec=60):
        return (listed / MILLION).quantize(_PICODOLLAR)
