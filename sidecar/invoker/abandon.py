"""The finish of a call whose sidecar died in the middle of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sidecar.core.call import UNPRICED, Attempt, AttemptStatus, CallRecord, CallStatus, Usage, UsageSource
from sidecar.core.catalog import Account, Catalog, ModelFacts
from sidecar.invoker.lengths import lengths_recorded
from sidecar.invoker.meter import Estimate, Prices, at_risk, bounded_tokens, total
from sidecar.pricing.estimate import ESTIMATOR_VERSION


def abandoning(catalog: Catalog, prices: Prices, estimate: Estimate) -> Callable[[CallRecord], CallRecord]:
    """Makes the finish of a call out of its latest start. The same start gives the same finish.

    What was sent is estimated from its size; what came back nobody knows, so it may have been billed beyond that.
    The last time known is the attempt's start.
    """

    def abandon(started: CallRecord) -> CallRecord:
        attempts = (*started.attempts[:-1], *(given_up(attempt, started) for attempt in started.attempts[-1:]))
        sums = total(attempts)
        ended_ns = max([started.started_ns, *(attempt.started_ns for attempt in attempts)])
        return replace(
            started,
            status=CallStatus.ABANDONED,
            error_type="abandoned",
            grpc_status="UNKNOWN",
            attempts=attempts,
            ended_ns=ended_ns,
            duration_ns=ended_ns - started.started_ns,
            usage=sums.usage,
            usage_source=sums.usage_source,
            estimator_version=sums.estimator_version,
            cost=sums.cost,
            cost_at_risk_picodollars=sums.cost_at_risk_picodollars,
            maybe_billed=sums.maybe_billed,
        )

    def given_up(attempt: Attempt, started: CallRecord) -> Attempt:
        if attempt.status is not AttemptStatus.OPEN:
            return attempt
        account, model = _account_of(attempt, catalog), attempt.target.model
        usage = Usage(input=estimate(started.operation, started.bytes_in, 0).input)
        lengths, granted = lengths_recorded(started), started.max_tokens_granted
        if account is None:
            cost, picodollars = UNPRICED, 0
            tokens = sum(bounded_tokens(started.bytes_in, lengths, ModelFacts(), granted))
        else:
            cost = prices.cost(account, model, "", usage, attempt.started_ns)
            picodollars, tokens = at_risk(prices, account, model, started.bytes_in, lengths, granted=granted)
        return replace(
            attempt,
            status=AttemptStatus.ABANDONED,
            error_type="abandoned",
            usage=usage,
            usage_source=UsageSource.ESTIMATED,
            estimator_version=ESTIMATOR_VERSION,
            cost=cost,
            cost_at_risk_picodollars=max(picodollars - (cost.amount_picodollars or 0), 0),
            tokens_at_risk=max(tokens - (usage.input or 0), 0),
            maybe_billed=True,
        )

    return abandon


def _account_of(attempt: Attempt, catalog: Catalog) -> Account | None:
    """The configuration's. One of a workspace's own is named like it, with a number from its second address on."""
    name = attempt.target.provider
    if (found := catalog.accounts.get(name)) is None:
        found = catalog.accounts.get(name.rstrip("0123456789"))
        return found if found is not None and found.type == attempt.provider_type else None
    return found
