"""The finish of a call whose sidecar died in the middle of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sidecar.core.call import UNPRICED, Attempt, AttemptStatus, CallRecord, CallStatus, Usage, UsageSource
from sidecar.core.catalog import Catalog
from sidecar.invoker.lengths import lengths_recorded
from sidecar.invoker.meter import Estimate, Prices, at_risk, total
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
        account = catalog.accounts.get(attempt.target.provider)
        usage = Usage(input=estimate(started.operation, started.bytes_in, 0).input)
        cost, picodollars, tokens = UNPRICED, 0, 0
        if account is not None:
            model = attempt.target.model
            cost = prices.cost(account, model, "", usage, attempt.started_ns)
            lengths, granted = lengths_recorded(started), started.max_tokens_granted
            picodollars, tokens = at_risk(prices, account, model, started.bytes_in, lengths, granted)
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
