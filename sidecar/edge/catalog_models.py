"""ListModels and ListPrices: the models that a workspace sees, what they are for, and what they cost now."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sidecar.core.aliases import OPERATION_OF
from sidecar.core.call import Capability, Operation
from sidecar.core.catalog import Account, Catalog
from sidecar.edge.decode import MAX_NAME, invalid
from sidecar.pricing import Pricing, RateCard
from sidecar.routing.places import SLOTS
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2, metering_pb2

_MODALITY = {
    Capability.IMAGE_GENERATION: "image",
    Capability.AUDIO_GENERATION: "audio",
    Capability.VIDEO_GENERATION: "video",
}
"""What a capability is about; all others are about text."""


def models(catalog: Catalog, pricing: Pricing, asked: pb.ListModelsRequest) -> pb.ListModelsResponse:
    found = pb.ListModelsResponse()
    for account, model in _known(catalog, asked.provider):
        facts, card = pricing.facts(account, model), pricing.rates(account, model)
        held = _held(account, model, catalog)
        found.models.add(
            ref=invocation_pb2.ModelRef(provider=account.name, model=model),
            capabilities=capabilities_of(held),
            context_tokens=facts.context_tokens,
            reasoning=facts.reasoning,
            priced=card is not None,
            max_output_tokens=facts.max_output_tokens,
            modalities=list(dict.fromkeys(_MODALITY.get(each, "text") for each in Capability if each in held)),
            price=None if card is None else price(account, model, card),
        )
    return found


def prices(catalog: Catalog, pricing: Pricing, asked: pb.ListPricesRequest) -> pb.ListPricesResponse:
    """Of the models in use, or of any one model that is asked for by name; the unpriced have no entry.

    Raises Refusal for what is longer than any name: price tables match it with patterns, for every account.
    """
    if len(asked.model) > MAX_NAME:
        raise invalid([("model", f"must be at most {MAX_NAME} characters")])
    named = [(account, asked.model) for account in _accounts(catalog, asked.provider)] if asked.model else []
    found = pb.ListPricesResponse()
    for account, model in named or _known(catalog, asked.provider):
        card = pricing.rates(account, model)
        if card is not None:
            found.prices.append(price(account, model, card))
    return found


def price(account: Account, model: str, card: RateCard) -> pb.Price:
    return pb.Price(
        ref=invocation_pb2.ModelRef(provider=account.name, model=model),
        rates=[
            metering_pb2.CostLine(meter=meter, price_per_million_picodollars=rate.base)
            for meter, rate in card.rates.items()
        ],
        source=card.source,
        version=card.version,
        dated=card.dated,
    )


def capabilities_of(held: Collection[Capability]) -> list[invocation_pb2.Capability.ValueType]:
    return [
        invocation_pb2.Capability.Value(f"CAPABILITY_{capability.name}")
        for capability in Capability
        if capability in held
    ]


def _held(account: Account, model: str, catalog: Catalog) -> frozenset[Capability]:
    """Those of the account that the configuration uses this model for: as a default, else by the aliases naming it."""
    slots = {slot for slot, default in account.default_models.items() if default == model}
    named = {
        alias.operation or Operation.CHAT
        for alias in catalog.aliases.values()
        if any((route.target.provider, route.target.model) == (account.name, model) for route in alias.routes)
    }
    return frozenset(
        each
        for each in account.capabilities
        if (slots.intersection(SLOTS.get(OPERATION_OF[each], ())) if slots else OPERATION_OF[each] in named)
    )


def _accounts(catalog: Catalog, provider: str) -> list[Account]:
    return [account for account in catalog.accounts.values() if provider in ("", account.name)]


def _known(catalog: Catalog, provider: str) -> Iterator[tuple[Account, str]]:
    """Every model that the configuration names: defaults first, then those of alias chains; each once."""
    for account in _accounts(catalog, provider):
        named = list(account.default_models.values())
        for alias in catalog.aliases.values():
            named += [route.target.model for route in alias.routes if route.target.provider == account.name]
        for model in dict.fromkeys(filter(None, named)):
            yield account, model
