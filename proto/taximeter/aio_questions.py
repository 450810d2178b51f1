"""What the client for asyncio asks beside calls: `Questions`, with `await`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar, Unpack

import grpc
import grpc.aio

from taximeter import asking, calls
from taximeter.errors import translated
from taximeter.messages import ChatMessages
from taximeter.options import ChatOptions
from taximeter.services import AsyncCarrying
from taximeter.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    config_pb2,
    config_pb2_grpc,
    models_pb2,
    models_pb2_grpc,
    usage_pb2,
    usage_pb2_grpc,
)

R = TypeVar("R")


class AsyncQuestions:
    """Methods, arguments and errors are those of `Questions`."""

    _timeout: float | None
    _token: str

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._asked = channel
        self._catalog = catalog_pb2_grpc.CatalogServiceStub(channel)
        self._config = config_pb2_grpc.ConfigServiceStub(channel)
        self._models = models_pb2_grpc.ModelServiceStub(channel)
        self._usage = usage_pb2_grpc.UsageServiceStub(channel)

    def service(self, stub: Callable[[Any], Any]) -> Any:
        """A generated stub, asked as this client asks: `client.service(TokenServiceStub).ListTokens(request)`."""
        return stub(AsyncCarrying(self._asked, calls.metadata(self._token, {}), self._timeout))

    async def usage(
        self,
        group_by: Sequence[str] = ("provider",),
        *,
        since: timedelta | datetime = timedelta(days=7),
        until: datetime | None = None,
        filters: Mapping[str, str] | None = None,
    ) -> usage_pb2.QueryUsageResponse:
        """Sums over calls, all pages in one answer; `group_by` among `taximeter.calls.GROUPS`, or "tag:<key>"."""
        request: usage_pb2.QueryUsageRequest | None = calls.usage_request(group_by, since, until, filters)
        found = usage_pb2.QueryUsageResponse()
        while request is not None:
            page: usage_pb2.QueryUsageResponse = await self._get(self._usage.QueryUsage, request)
            found.rows.extend(page.rows)
            found.total.CopyFrom(page.total)
            found.approximate = page.approximate
            request = calls.next_page(request, page)
        return found

    async def usage_stats(self, *, since: timedelta | datetime = timedelta(days=7)) -> asking.UsageStats:
        """How many calls there were, and which provider served how many."""
        return asking.usage_stats(await self.usage(("provider",), since=since))

    async def get_call(self, call_id: str) -> usage_pb2.GetCallResponse:
        return await self._get(self._usage.GetCall, usage_pb2.GetCallRequest(call_id=call_id))

    async def providers(self) -> catalog_pb2.ListProvidersResponse:
        """Providers and aliases, usable or not, and why not."""
        return await self._get(self._catalog.ListProviders, catalog_pb2.ListProvidersRequest())

    async def models(self, provider: str = "") -> catalog_pb2.ListModelsResponse:
        """Models that the configuration names."""
        return await self._get(self._catalog.ListModels, catalog_pb2.ListModelsRequest(provider=provider))

    async def health(self) -> catalog_pb2.ListHealthResponse:
        """How each target fares, as this sidecar has seen it."""
        return await self._get(self._catalog.ListHealth, catalog_pb2.ListHealthRequest())

    def watch_health(self) -> AsyncIterator[catalog_pb2.WatchHealthResponse]:
        """The whole at first, then each change, until it is closed."""
        request = catalog_pb2.WatchHealthRequest()
        return self._each(self._catalog.WatchHealth, request)

    async def probe(self, provider: str) -> catalog_pb2.ProbeProviderResponse:
        """Whether the provider is there and takes the key, asked now; costs nothing."""
        return await self._get(self._catalog.ProbeProvider, catalog_pb2.ProbeProviderRequest(provider=provider))

    async def explain(
        self, messages: ChatMessages, *, streamed: bool = False, **options: Unpack[ChatOptions]
    ) -> catalog_pb2.ExplainPlanResponse:
        """The plan that `chat` (`stream`, if `streamed`) would take now, and why. Nothing is called."""
        return await self._get(self._catalog.ExplainPlan, asking.explanation(messages, streamed, options))

    async def estimate_cost(
        self, messages: ChatMessages, **options: Unpack[ChatOptions]
    ) -> catalog_pb2.EstimateCostResponse:
        """What `chat` would cost at each target of its plan, and the most it could. Nothing is called."""
        return await self._get(self._catalog.EstimateCost, asking.estimate(messages, options))

    async def find_best_provider(
        self, capability: str, *, preferred_provider: str = "", routing_preference: str | None = None
    ) -> catalog_pb2.FindBestProviderResponse:
        """The first target that a call for this capability would take now."""
        request = asking.best_provider(capability, preferred_provider, routing_preference)
        return await self._get(self._catalog.FindBestProvider, request)

    async def get_cheapest_model(
        self, capability: str, *, free_only: bool = False
    ) -> catalog_pb2.GetCheapestModelResponse:
        """Never one without a price; `free_only`: declared or reported price 0."""
        return await self._get(self._catalog.GetCheapestModel, asking.cheapest_model(capability, free_only))

    async def reload(self, *, dry_run: bool = False) -> config_pb2.ReloadResponse:
        """Reads the configuration again. Raises InvalidConfiguration with every error; then nothing has changed."""
        return await self._get(self._config.Reload, config_pb2.ReloadRequest(dry_run=dry_run))

    async def config_status(self) -> config_pb2.GetConfigStatusResponse:
        return await self._get(self._config.GetConfigStatus, config_pb2.GetConfigStatusRequest())

    async def local_models(self, provider: str = "") -> list[models_pb2.LocalModel]:
        """What a self-hosted provider holds (Ollama; "" = the account `ollama`)."""
        request = models_pb2.ListLocalModelsRequest(provider=provider)
        found: models_pb2.ListLocalModelsResponse = await self._get(self._models.ListLocalModels, request)
        return list(found.models)

    async def show_model(self, model: str, *, provider: str = "") -> models_pb2.ShowLocalModelResponse:
        request = models_pb2.ShowLocalModelRequest(provider=provider, model=model)
        return await self._get(self._models.ShowLocalModel, request)

    def pull_model(self, model: str, *, provider: str = "") -> AsyncIterator[models_pb2.PullLocalModelResponse]:
        """Progress until the model is there; leaving the loop stops the pull."""
        request = models_pb2.PullLocalModelRequest(provider=provider, model=model)
        return self._each(self._models.PullLocalModel, request)

    async def delete_model(self, model: str, *, provider: str = "") -> None:
        await self._get(
            self._models.DeleteLocalModel, models_pb2.DeleteLocalModelRequest(provider=provider, model=model)
        )

    async def _get(self, ask: Callable[..., Awaitable[R]], request: Any) -> R:
        with translated():
            return await ask(request, timeout=self._timeout, metadata=calls.metadata(self._token, {}))

    async def _each(self, ask: Callable[..., Any], request: Any) -> AsyncIterator[Any]:
        """The messages of a stream that lasts as long as it likes; leaving the loop hangs up."""
        answer = ask(request, metadata=calls.metadata(self._token, {}))
        try:
            with translated():
                async for message in answer:
                    yield message
        finally:
            answer.cancel()
