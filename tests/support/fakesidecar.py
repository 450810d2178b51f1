"""A gRPC server that answers a client as a sidecar would, from a script."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from sidecar.core.call import CallRecord
from sidecar.core.faults import Refusal
from sidecar.edge import status
from taximeter.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    config_pb2,
    config_pb2_grpc,
    invocation_pb2,
    invocation_pb2_grpc,
    metering_pb2,
    models_pb2,
    models_pb2_grpc,
    payload_pb2,
    usage_pb2,
    usage_pb2_grpc,
)

METERING = metering_pb2.Metering(call_id="01CALL", provider="openai")


@dataclass
class FakeSidecar(
    invocation_pb2_grpc.InvocationServiceServicer,
    catalog_pb2_grpc.CatalogServiceServicer,
    usage_pb2_grpc.UsageServiceServicer,
    config_pb2_grpc.ConfigServiceServicer,
    models_pb2_grpc.ModelServiceServicer,
):
    """Keeps what it was asked; fails with `refusal` if there is one, after `events` in a stream."""

    refusal: Refusal | None = None
    record: CallRecord | None = None
    events: list[invocation_pb2.InvokeStreamResponse] = field(default_factory=list)
    specs: list[invocation_pb2.CallSpec] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    remaining_s: float | None = None
    questions: list[usage_pb2.QueryUsageRequest] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    """Other requests."""

    def Invoke(self, request: Any, context: Any) -> invocation_pb2.InvokeResponse:  # noqa: N802 - the RPC's name
        self._take(request, context)
        response = invocation_pb2.InvokeResponse(metering=METERING)
        match request.call.WhichOneof("payload"):
            case "chat":
                answer = payload_pb2.ChatMessage(role=payload_pb2.ROLE_ASSISTANT, text="hi there")
                response.chat.choices.add(message=answer, finish_reason="stop")
            case "completion":
                response.completion.choices.add(text="and so on")
            case "embedding":
                response.embedding.embeddings.add(index=1, values=[0.5])
                response.embedding.embeddings.add(index=0, values=[0.25])
            case "moderation":
                response.moderation.results.add(safe=True)
        return response

    def InvokeStream(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802 - the RPC's name
        yield from self.events
        self._take(request, context)

    def ListProviders(self, request: Any, context: Any) -> catalog_pb2.ListProvidersResponse:  # noqa: N802
        return catalog_pb2.ListProvidersResponse(providers=[catalog_pb2.Provider(name="openai")])

    def ListHealth(self, request: Any, context: Any) -> catalog_pb2.ListHealthResponse:  # noqa: N802
        return catalog_pb2.ListHealthResponse(targets=[catalog_pb2.TargetHealth(requests=3)])

    def ListModels(self, request: Any, context: Any) -> catalog_pb2.ListModelsResponse:  # noqa: N802
        return catalog_pb2.ListModelsResponse()

    def ListPrices(self, request: Any, context: Any) -> catalog_pb2.ListPricesResponse:  # noqa: N802
        return catalog_pb2.ListPricesResponse()

    def WatchHealth(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield catalog_pb2.WatchHealthResponse(targets=[catalog_pb2.TargetHealth(requests=3)])
        yield catalog_pb2.WatchHealthResponse(targets=[catalog_pb2.TargetHealth(requests=4)])

    def ProbeProvider(self, request: Any, context: Any) -> catalog_pb2.ProbeProviderResponse:  # noqa: N802
        return catalog_pb2.ProbeProviderResponse(ok=True, models=[f"{request.provider}-1"])

    def ExplainPlan(self, request: Any, context: Any) -> catalog_pb2.ExplainPlanResponse:  # noqa: N802
        self.specs.append(request.call)
        return catalog_pb2.ExplainPlanResponse(
            alias=request.call.alias, why="streamed" if request.streamed else "unary"
        )

    def FindBestProvider(self, request: Any, context: Any) -> catalog_pb2.FindBestProviderResponse:  # noqa: N802
        self.asked.append(request)
        target = invocation_pb2.ModelRef(provider="openai", model="m")
        return catalog_pb2.FindBestProviderResponse(target=target, why="its turn")

    def GetCheapestModel(self, request: Any, context: Any) -> catalog_pb2.GetCheapestModelResponse:  # noqa: N802
        self.asked.append(request)
        return catalog_pb2.GetCheapestModelResponse(price_picodollars=0, price_source="declared")

    def EstimateCost(self, request: Any, context: Any) -> catalog_pb2.EstimateCostResponse:  # noqa: N802
        self.asked.append(request)
        return catalog_pb2.EstimateCostResponse(
            estimates=[catalog_pb2.CostEstimate(input_tokens=3, cost_usd="0.000123")]
        )

    def Reload(self, request: Any, context: Any) -> config_pb2.ReloadResponse:  # noqa: N802
        return config_pb2.ReloadResponse(generation=2, changes=["dry" if request.dry_run else "wet"])

    def GetConfigStatus(self, request: Any, context: Any) -> config_pb2.GetConfigStatusResponse:  # noqa: N802
        return config_pb2.GetConfigStatusResponse(generation=2)

    def ListLocalModels(self, request: Any, context: Any) -> models_pb2.ListLocalModelsResponse:  # noqa: N802
        return models_pb2.ListLocalModelsResponse(models=[models_pb2.LocalModel(name="llama3.2")])

    def ShowLocalModel(self, request: Any, context: Any) -> models_pb2.ShowLocalModelResponse:  # noqa: N802
        return models_pb2.ShowLocalModelResponse(model=models_pb2.LocalModel(name=request.model))

    def PullLocalModel(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        for done in (1, 2):
            yield models_pb2.PullLocalModelResponse(status=request.model, completed_bytes=done, total_bytes=2)

    def DeleteLocalModel(self, request: Any, context: Any) -> models_pb2.DeleteLocalModelResponse:  # noqa: N802
        self.asked.append(request)
        return models_pb2.DeleteLocalModelResponse()

    def ExportUsage(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield usage_pb2.ExportUsageResponse()

    def QueryUsage(self, request: Any, context: Any) -> usage_pb2.QueryUsageResponse:  # noqa: N802
        """Two pages."""
        self.questions.append(request)
        page = int(request.page_token or 1)
        answer = usage_pb2.QueryUsageResponse(rows=[usage_pb2.UsageRow(calls=page)], total=usage_pb2.UsageRow(calls=3))
        answer.next_page_token = "2" if page == 1 else ""
        return answer

    def GetCall(self, request: Any, context: Any) -> usage_pb2.GetCallResponse:  # noqa: N802
        return usage_pb2.GetCallResponse(status="ok", metering=metering_pb2.Metering(call_id=request.call_id))

    def _take(self, request: Any, context: Any) -> None:
        self.specs.append(request.call)
        self.metadata = dict(context.invocation_metadata())
        self.remaining_s = context.time_remaining()
        if self.refusal is not None:
            told = status.to_status(self.refusal, self.record)
            context.set_trailing_metadata(status.trailers(told))
            context.abort(status.code_of(told), told.message)


@contextmanager
def served(fake: FakeSidecar) -> Iterator[str]:
    """Its address while it runs."""
    server = grpc.server(ThreadPoolExecutor(4))
    invocation_pb2_grpc.add_InvocationServiceServicer_to_server(fake, server)
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(fake, server)
    usage_pb2_grpc.add_UsageServiceServicer_to_server(fake, server)
    config_pb2_grpc.add_ConfigServiceServicer_to_server(fake, server)
    models_pb2_grpc.add_ModelServiceServicer_to_server(fake, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
