"""What a difference between ledger and bill means: a verdict, why it may be so, and how sure one can be of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

MONEY = "cost_usd"


class Verdict(StrEnum):
    AGREES = "agrees"
    WITHIN = "within tolerance"
    DIFFERS = "differs"
    NOT_HERE = "missing in ledger"
    NOT_THERE = "missing at provider"


FINE = frozenset({Verdict.AGREES, Verdict.WITHIN})


class Sure(StrEnum):
    """Of a verdict."""

    HIGH = "high"
    """Every figure of the ledger was reported and priced, and nothing is at risk."""
    MEDIUM = "medium"
    """There are doubts, of less than the tolerance."""
    LOW = "low"
    """There are more."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the ledger has of a day and a model."""

    calls: int = 0
    """Attempts that were answered."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)
    """None where nothing has a price."""
    broken: int = 0
    """Attempts that failed, were cut off or cancelled; a provider may count them."""
    cost_at_risk_usd: Decimal = Decimal(0)
    """Bound of what these may have cost beyond `cost_usd`."""
    unpriced: int = 0
    """Attempts whose usage has no known price."""
    estimated: int = 0
    """Attempts whose usage was estimated."""

    @property
    def is_billable(self) -> bool:
        return bool(self.calls or self.input_tokens or self.output_tokens or self.cost_usd)


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure on both sides. None: that side does not tell it."""

    name: str
    ledger: Decimal | int | None
    billed: Decimal | int | None
    rounding: Decimal = Decimal(0)
    """How far apart they may be for the provider's rounding alone."""

    @property
    def difference(self) -> Decimal | None:
        """The provider's less the ledger's."""
        if self.ledger is None or self.billed is None:
            return None
        return Decimal(self.billed) - Decimal(self.ledger)

    @property
    def percent(self) -> Decimal | None:
        """Of the provider's figure, two decimals."""
        if self.difference is None or not self.billed:
            return None
        return (100 * self.difference / Decimal(self.billed)).quantize(Decimal("0.01"))

    def verdict(self, tolerance_percent: Decimal) -> Verdict:
        """AGREES, WITHIN or DIFFERS. What the ledger cannot price differs from any bill."""
        if self.difference is None:
            return Verdict.DIFFERS if self.billed else Verdict.AGREES
        apart = abs(self.difference)
        if apart <= self.rounding:
            return Verdict.AGREES
        most = max(abs(Decimal(self.billed or 0)), abs(Decimal(self.ledger or 0))) * tolerance_percent / 100
        return Verdict.WITHIN if apart <= most + self.rounding else Verdict.DIFFERS


@dataclass(frozen=True, slots=True)
class Row:
    """A day and a model, compared."""

    day: date
    model: str
    """Without vendor and snapshot; "" where the file does not tell models, or for what has none."""
    measures: tuple[Measure, ...]
    """Those that the file tells."""
    verdict: Verdict
    sure: Sure
    reasons: tuple[str, ...] = field(default=())

    def measure(self, name: str) -> Measure | None:
        return next((each for each in self.measures if each.name == name), None)


def verdict(measures: tuple[Measure, ...], kept: Kept | None, billed: bool, tolerance_percent: Decimal) -> Verdict:
    """Of a row; `kept` is None and `billed` false where a side has nothing at all."""
    if not billed:
        return Verdict.NOT_THERE if kept and kept.is_billable else Verdict.AGREES
    if kept is None:
        return Verdict.NOT_HERE if any(each.billed for each in measures) else Verdict.AGREES
    verdicts = {each.verdict(tolerance_percent) for each in measures}
    return next(each for each in (Verdict.DIFFERS, Verdict.WITHIN, Verdict.AGREES) if each in verdicts)


def sure(kept: Kept | None, tolerance_percent: Decimal) -> Sure:
    """How much of the ledger's side is beyond doubt."""
    if kept is None:
        return Sure.HIGH
    doubtful = kept.estimated + kept.unpriced
    at_risk = kept.cost_at_risk_usd
    if not doubtful and not at_risk:
        return Sure.HIGH
    few = 100 * doubtful <= tolerance_percent * (kept.calls + kept.broken)
    little = 100 * at_risk <= tolerance_percent * (kept.cost_usd or Decimal(0))
    return Sure.MEDIUM if few and little else Sure.LOW


def reasons(of: Verdict, measures: tuple[Measure, ...], kept: Kept | None) -> Iterator[str]:
    """Why the two sides may be apart; nothing where they agree."""
    if of is Verdict.AGREES:
        return
    if of is Verdict.NOT_HERE:
        yield "another key or program of the same organisation, or a charge that is not metered here"
        return
    if of is Verdict.NOT_THERE:
        yield "not billed (yet), billed to another organisation or under another model's name"
        return
    yield from _doubts(kept or Kept())
    more = [each for each in measures if each.difference and each.difference > 0]
    if more and of is Verdict.DIFFERS:
        yield "another key or program of the same organisation may have used this model"


def _doubts(kept: Kept) -> Iterator[str]:
    if kept.estimated:
        yield f"attempts with estimated usage: {kept.estimated:,}"
    if kept.unpriced:
        yield f"attempts without a known price, so that the ledger's cost is a lower bound: {kept.unpriced:,}"
    if kept.cost_at_risk_usd:
        yield f"attempts that may have been billed: up to ${kept.cost_at_risk_usd.normalize():f} more"
    if kept.broken:
        yield f"attempts that failed or broke off, which a provider may count: {kept.broken:,}"
