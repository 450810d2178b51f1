"""EstimateCost: what a call that nobody makes would come to, at each target of its plan."""

from __future__ import annotations

from sidecar.budget.hold import comes_to
from sidecar.core.call import Call, Usage
from sidecar.core.money import usd_text
from sidecar.invoker import Explanation
from sidecar.invoker.bounds import bound_of, bounded_input
from sidecar.invoker.lengths import lengths_of
from sidecar.invoker.meter import expected
from sidecar.plane.book import at_most
from sidecar.pricing import Pricing
from sidecar.pricing.estimate import estimate
from sidecar.routing import Planned
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2


def estimated(call: Call, found: Explanation, pricing: Pricing) -> pb.EstimateCostResponse:
    """`call` as its alias has it. In the order of trying; a target without a known price has no cost and no bound."""
    refusal = found.refusal
    return pb.EstimateCostResponse(
        estimates=[_at(each.planned, call, pricing) for each in found.targets],
        error_reason=refusal.reason.value if refusal is not None else "",
        error_message=refusal.message if refusal is not None else "",
    )


def _at(planned: Planned, call: Call, pricing: Pricing) -> pb.CostEstimate:
    target = planned.target
    tokens_in, tokens_out = expected(call, estimate)
    tokens_out *= call.parameters.choice_count or 1
    usage = Usage(input=tokens_in, output=tokens_out, requests=1)
    cost = pricing.cost(planned.account, target.model, "", usage, call.started_ns)
    most, _, priced = comes_to(bound_of(planned, lengths_of(call), bounded_input(call), pricing))
    amount = cost.amount_picodollars
    return pb.CostEstimate(
        target=invocation_pb2.ModelRef(provider=target.provider, model=target.model),
        input_tokens=tokens_in,
        output_tokens=tokens_out,
        cost_picodollars=None if amount is None else at_most(amount),
        cost_usd="" if amount is None else usd_text(amount),
        bound_picodollars=at_most(most) if priced else None,
        price_source=cost.price_source,
        price_version=cost.price_version,
    )
