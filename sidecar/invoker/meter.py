"""What an attempt came to (contracts: metering).

usage was reported, whole answer or not              that, priced
content came, without usage                          estimated, priced
rejected: an HTTP error, no connection               nothing
sent, and no answer came (or none that can be read)  nothing for sure, the bound at risk, maybe billed
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

from sidecar.core.call import NO_COST, UNPRICED, Attempt, Call, Cost, Usage, UsageSource
from sidecar.core.catalog import Account, ModelFacts
from sidecar.invoker.lengths import Lengths, lengths_of
from sidecar.pricing.ceiling import Ceiling
from sidecar.pricing.estimate import ESTIMATOR_VERSION

Estimate = Callable[[str, int, int], Usage]
"""(operation, bytes in, bytes out)"""


class Prices(Protocol):
    """`sidecar.pricing.Pricing`, as far as calls need it."""

    def cost(
        self,
        account: Account,
        model: str,
        reported: str,
        usage: Usage,
        at_ns: int,
        *,
        provider_cost_picodollars: int | None = None,
    ) -> Cost: ...

    def bound(self, account: Account, model: str, input_bytes: int, max_tokens: int | None) -> int | None: ...

    def ceiling(self, account: Account, model: str) -> Ceiling | None: ...

    def facts(self, account: Account, model: str) -> ModelFacts: ...

    def comparable(self, account: Account, model: str, input_tokens: int, output_tokens: int) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Received:
    """What is known of an attempt when it ends."""

    account: Account
    model: str
    at_ns: int
    reported: Usage | None = None
    model_reported: str = ""
    provider_cost_picodollars: int | None = None
    content_bytes: int = 0
    answered: bool = False
    """The answer is whole."""
    maybe_billed: bool = False
    """It was sent, and nothing says that it was refused."""


@dataclass(frozen=True, slots=True)
class Bill:
    usage: Usage = Usage()
    usage_source: UsageSource = UsageSource.NONE
    estimator_version: str = ""
    cost: Cost = NO_COST
    cost_at_risk_picodollars: int = 0
    maybe_billed: bool = False
    tokens_at_risk: int = 0

    @property
    def tokens(self) -> int | None:
        """In and out; None: nobody knows whether any were used."""
        if self.usage_source is UsageSource.NONE:
            return None if self.maybe_billed else 0
        return (self.usage.input or 0) + (self.usage.output or 0)


NOTHING = Bill()
UNMETERED = Bill(cost=UNPRICED, maybe_billed=True)
"""Of an attempt that could not be metered."""


def bill(received: Received, call: Call, prices: Prices, estimate: Estimate, granted: int | None = None) -> Bill:
    """Usage and cost of one attempt. `granted`: output tokens a choice that budgets let it ask for; None: all."""
    account, model = received.account, received.model
    if received.reported is not None and (received.answered or not _half_told(received)):
        usage, source, version = received.reported, UsageSource.REPORTED, ""
    elif received.answered or received.content_bytes:
        usage = estimate(call.operation.value, call.bytes_in, received.content_bytes)
        source, version = UsageSource.ESTIMATED, ESTIMATOR_VERSION
        if (told := received.reported) is not None:
            usage = replace(told, input=told.input or usage.input, output=usage.output)
    elif received.maybe_billed:
        picodollars, tokens = at_risk(prices, account, model, call.bytes_in, lengths_of(call), granted=granted)
        return Bill(cost_at_risk_picodollars=picodollars, tokens_at_risk=tokens, maybe_billed=True)
    else:
        return NOTHING
    cost = prices.cost(
        account,
        model,
        received.model_reported,
        usage,
        received.at_ns,
        provider_cost_picodollars=received.provider_cost_picodollars,
    )
    return Bill(usage, source, version, cost)


def at_risk(
    prices: Prices, account: Account, model: str, bytes_in: int, lengths: Lengths, *, granted: int | None
) -> tuple[int, int]:
    """The most that one attempt can have come to: picodollars (0 if no price is known), and tokens in and out."""
    tokens_in, tokens_out = bounded_tokens(bytes_in, lengths, prices.facts(account, model), granted)
    return prices.bound(account, model, bytes_in, tokens_out) or 0, tokens_in + tokens_out


def bounded_tokens(bytes_in: int, lengths: Lengths, known: ModelFacts, granted: int | None) -> tuple[int, int]:
    """The most that one attempt can use, in and out."""
    tokens_in = min(bytes_in, known.context_tokens) if known.context_tokens else bytes_in
    return tokens_in, lengths.longest(known.most_output_tokens, granted) * lengths.choices


def _half_told(received: Received) -> bool:
    """Of an answer that was cut: its beginning told the input, and output came before any was told (Anthropic)."""
    return received.content_bytes > 0 and received.reported is not None and received.reported.output is None


def total(attempts: Sequence[Attempt]) -> Bill:
    """The sum over a call's attempts: unpriced if anything used is, estimated if anything is."""
    used = [attempt for attempt in attempts if attempt.usage_source is not UsageSource.NONE or not attempt.cost.priced]
    at_risk = sum(attempt.cost_at_risk_picodollars for attempt in attempts)
    maybe_billed = any(attempt.maybe_billed for attempt in attempts)
    if not used:
        return Bill(cost_at_risk_picodollars=at_risk, maybe_billed=maybe_billed) if maybe_billed else NOTHING
    estimated = [attempt for attempt in used if attempt.usage_source is UsageSource.ESTIMATED]
    return Bill(
        usage=used[0].usage if len(used) == 1 else _sum_of_usage([attempt.usage for attempt in used]),
        usage_source=UsageSource.ESTIMATED if estimated else used[0].usage_source,
        estimator_version=estimated[-1].estimator_version if estimated else "",
        cost=used[0].cost if len(used) == 1 else _sum_of_cost([attempt.cost for attempt in used]),
        cost_at_risk_picodollars=at_risk,
        maybe_billed=maybe_billed,
    )


_USUAL_ANSWER_BYTES = 1024
"""Of a call that sets no limit."""


def expected(call: Call, estimate: Estimate) -> tuple[int, int]:
    """Tokens in and out that a call of this size may come to, before it is made."""
    usual = estimate(call.operation.value, call.bytes_in, _USUAL_ANSWER_BYTES)
    answer = usual.output and (call.parameters.max_tokens or usual.output)
    return usual.input or 0, answer or 0


_METERS = tuple(field.name for field in fields(Usage))


def _sum_of_usage(usages: Sequence[Usage]) -> Usage:
    """None where no attempt knows."""
    sums = {}
    for name in _METERS:
        known = [value for usage in usages if (value := getattr(usage, name)) is not None]
        sums[name] = sum(known) if known else None
    return Usage(**sums)


def _sum_of_cost(costs: Sequence[Cost]) -> Cost:
    if not all(cost.priced for cost in costs):
        return UNPRICED
    return Cost(
        priced=True,
        amount_picodollars=sum(cost.amount_picodollars or 0 for cost in costs),
        price_source=costs[-1].price_source,
        price_version=costs[-1].price_version,
        lines=tuple(line for cost in costs for line in cost.lines),
    )
