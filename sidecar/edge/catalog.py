"""CatalogService: what a workspace sees of the configuration, at which price, and how it fares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from sidecar.core.call import Target
from sidecar.core.catalog import Account, Catalog
from sidecar.edge.catalog_models import capabilities_of, models, prices
from sidecar.edge.health import HealthView
from sidecar.edge.probe import probe
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.edge.shown import is_own, key_text
from sidecar.edge.watch import HealthWatch
from sidecar.invoker.prober import Prober
from sidecar.pricing import Pricing
from taximeter.v1 import catalog_pb2 as pb
from taximeter.v1 import invocation_pb2

Catalogs = Callable[[str], Catalog]
"""What a workspace sees. Raises Refusal (UNKNOWN_WORKSPACE)."""
SERVICE = pb.DESCRIPTOR.services_by_name["CatalogService"].full_name


class CatalogService:
    def __init__(
        self, catalog: Catalogs, pricing: Pricing, health: HealthView, watch: HealthWatch, prober: Prober
    ) -> None:
        self._catalog = catalog
        self._pricing = pricing
        self._health = health
        self._watch = watch
        self._prober = prober

    def handlers(self, border: Border) -> Handlers:
        questions: dict[str, tuple[type[Message], Callable[[Any, Catalog], Message]]] = {
            "ListProviders": (pb.ListProvidersRequest, lambda _, seen: providers(seen)),
            "ListModels": (pb.ListModelsRequest, lambda asked, seen: models(seen, self._pricing, asked)),
            "ListPrices": (pb.ListPricesRequest, lambda asked, seen: prices(seen, self._pricing, asked)),
            "ListHealth": (pb.ListHealthRequest, lambda _, seen: self._health.whole(seen)),
        }

        def handler(name: str) -> grpc.RpcMethodHandler[Any, Any]:
            kind, answer = questions[name]

            async def ask(body: bytes, rpc: Rpc) -> bytes:
                return answer(border.parse(kind, body), self._catalog(rpc.identity.workspace)).SerializeToString()

            return border.unary(f"{SERVICE}/{name}", ask)

        async def probe_provider(body: bytes, rpc: Rpc) -> bytes:
            asked = border.parse(pb.ProbeProviderRequest, body)
            seen = self._catalog(rpc.identity.workspace)
            return (await probe(asked, seen, self._prober)).SerializeToString()

        async def watch_health(body: bytes, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
            border.parse(pb.WatchHealthRequest, body)
            await self._watch.watch(rpc.identity.workspace, write)

        return {
            **{name: handler(name) for name in questions},
            "ProbeProvider": border.unary(f"{SERVICE}/ProbeProvider", probe_provider),
            "WatchHealth": border.parts(f"{SERVICE}/WatchHealth", watch_health),
        }


def providers(catalog: Catalog) -> pb.ListProvidersResponse:
    """Everything that is configured, the unusable with its reason."""
    return pb.ListProvidersResponse(
        providers=[_provider(account, catalog) for account in catalog.accounts.values()],
        aliases=[
            pb.Alias(
                name=alias.name,
                targets=[ref(route.target) for route in alias.routes],
                strategy=alias.strategy.value,
                usable=not alias.unusable,
                reason=alias.unusable,
            )
            for alias in catalog.aliases.values()
        ],
    )


def _provider(account: Account, catalog: Catalog) -> pb.Provider:
    return pb.Provider(
        name=account.name,
        type=account.type,
        base_url=account.base_url if is_own(account, catalog) else "",
        usable=account.usable,
        reason=account.unusable or ("" if account.enabled else "disabled"),
        aggregator=account.aggregator,
        capabilities=capabilities_of(account.capabilities),
        operations=sorted(operation.value for operation in account.operations),
        key=key_text(account.keys[0], catalog) if account.keys else "",
    )


def ref(target: Target) -> invocation_pb2.ModelRef:
    return invocation_pb2.ModelRef(provider=target.provider, model=target.model)
