"""GetCheapestModel: the lowest price among the models that are configured and can be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sidecar.core.call import Call, Usage
from sidecar.core.catalog import Account, Catalog
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.invoker import Explanation
from sidecar.pricing import Pricing
from sidecar.pricing.estimate import WITHOUT_OUTPUT
from sidecar.routing import models_for
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2

TOKENS = 1000
"""In, and out where there is an output: the call that is compared."""
_CANNOT_BE_USED = frozenset({"NO_KEY", "DISABLED", "UNUSABLE", "NOT_SUPPORTED", "SCOPE"})
"""By configuration. How a target fares just now does not change what it costs."""


def cheapest(
    call: Call, explain: Callable[[Call], Explanation], catalog: Catalog, pricing: Pricing, *, free_only: bool
) -> pb.GetCheapestModelResponse:
    """`call` asks for a capability alone. Of models at one price the first of the catalogue. Raises Refusal."""
    found = explain(call)
    usable = list(_usable(call, found, catalog))
    if not usable and found.refusal is not None:
        raise found.refusal
    output = 0 if call.operation.value in WITHOUT_OUTPUT else TOKENS
    usage = Usage(input=TOKENS, output=output, requests=1)
    best: pb.GetCheapestModelResponse | None = None
    for account, model in usable:
        cost = pricing.cost(account, model, "", usage, call.started_ns)
        price = cost.amount_picodollars
        if price is None or (free_only and price) or (best is not None and price >= best.price_picodollars):
            continue
        best = pb.GetCheapestModelResponse(
            target=invocation_pb2.ModelRef(provider=account.name, model=model),
            price_picodollars=price,
            price_source=cost.price_source,
            price_version=cost.price_version,
        )
    if best is None:
        raise _none(call, free_only=free_only)
    return best


def _usable(call: Call, found: Explanation, catalog: Catalog) -> Iterator[tuple[Account, str]]:
    unusable = {skip.target.provider for skip in found.plan.skips if skip.reason in _CANNOT_BE_USED}
    unusable -= {each.planned.target.provider for each in found.targets}  # the operator's may stand in
    for account in catalog.accounts.values():
        if call.capability in account.capabilities and account.name not in unusable:
            for model in models_for(account, call.operation, catalog):
                yield account, model


def _none(call: Call, *, free_only: bool) -> Refusal:
    if free_only:
        return Refusal(
            "NOT_FOUND",
            RefusalReason.MODEL_NOT_FOUND,
            f"No model for {call.capability} that can be used is free, by declaration (`self_hosted = true`) or by its "
            "provider's prices.",
        )
    return Refusal(
        "FAILED_PRECONDITION",
        RefusalReason.PRICE_UNKNOWN,
        f"No price is known of any model for {call.capability} that can be used: `taximeter prices set` sets one.",
    )
