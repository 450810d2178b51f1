"""Measurements drawn from the same records as the spans, by the SDK's instruments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from opentelemetry.metrics import CallbackOptions, Histogram, Observation
from opentelemetry.sdk.metrics import AlwaysOffExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import Resource

from sidecar.bookkeeper.telemetry import constants as otel
from sidecar.bookkeeper.telemetry.exchange import SECOND_NS, Exchange, exchanges, operation_name, provider_name
from sidecar.bookkeeper.telemetry.spans import PICODOLLARS_PER_USD, Value, is_server_error
from taximeter.journal.v1 import journal_pb2


class Metrics:
    """Instruments and what feeds them. Thread-safe, as the SDK's instruments are."""

    def __init__(
        self, readers: Sequence[MetricReader], resource: Resource, names: Mapping[str, str], backlog: Callable[[], int]
    ) -> None:
        """backlog: bytes of journal not yet ingested, asked at each collection."""
        self._names = names
        self._provider = MeterProvider(readers, resource, AlwaysOffExemplarFilter(), shutdown_on_exit=False)
        meter = self._provider.get_meter(otel.SCOPE)

        def seconds(name: str, buckets: Sequence[float], description: str) -> Histogram:
            return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=buckets)

        self._tokens = meter.create_histogram(
            otel.METRIC_TOKENS,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=otel.TOKEN_BUCKETS,
        )
        self._duration = seconds(otel.METRIC_DURATION, otel.DURATION_BUCKETS_S, "GenAI operation duration.")
        self._first_chunk = seconds(otel.METRIC_FIRST_CHUNK, otel.DURATION_BUCKETS_S, "Time to the first chunk.")
        self._rpc = seconds(otel.METRIC_RPC, otel.RPC_BUCKETS_S, "Duration of inbound calls.")
        self._overhead = seconds(otel.METRIC_OVERHEAD, otel.OVERHEAD_BUCKETS_S, "Time spent in the sidecar itself.")
        self._cost = meter.create_counter(otel.METRIC_COST, "USD", "Cost of priced attempts.")
        self._fallbacks = meter.create_counter(otel.METRIC_FALLBACKS, "{call}", "Calls that moved on from a target.")
        meter.create_observable_gauge(
            otel.METRIC_BACKLOG, [_observe(backlog)], "By", "Journal not yet ingested into the ledger."
        )
        self._state = journal_pb2.State()
        meter.create_observable_gauge(
            otel.METRIC_UTILIZATION, [self._utilization], "1", "What budgets have spent, as a part of their limits."
        )

    def live(self, state: journal_pb2.State) -> None:
        """How budgets stand, until a later word; what is read late is not said any more."""
        if state.at_ns >= self._state.at_ns:
            self._state = state

    def record(self, call: journal_pb2.CallRecord) -> None:
        """Counts a finished call."""
        self._count_call(call)
        for exchange in exchanges(call):
            self._count_exchange(call, exchange)
        for attempt in call.attempts:
            if attempt.cost.amount_picodollars:
                paid = {otel.PROVIDER: provider_name(attempt, self._names), otel.REQUEST_MODEL: attempt.model_requested}
                self._cost.add(
                    attempt.cost.amount_picodollars / PICODOLLARS_PER_USD,
                    labels(paid | _where(call) | {otel.PRICE_SOURCE: attempt.cost.price_source}),
                )

    def _count_call(self, call: journal_pb2.CallRecord) -> None:
        rpc: dict[str, Value] = {
            otel.RPC_SYSTEM: "grpc",
            otel.RPC_METHOD: call.rpc_method,
            otel.RPC_STATUS: call.grpc_status,
        }
        failed = {otel.ERROR_TYPE: call.grpc_status or call.status} if is_server_error(call) else {}
        self._rpc.record(call.duration_ns / SECOND_NS, labels(rpc | failed))
        self._overhead.record(call.overhead_ns / SECOND_NS, labels({otel.RPC_METHOD: call.rpc_method}))
        if call.fallback_used:
            self._fallbacks.add(1, labels(_where(call) | {otel.FALLBACK_REASON: call.fallback_reason}))

    def _count_exchange(self, call: journal_pb2.CallRecord, exchange: Exchange) -> None:
        last = exchange.last
        common: dict[str, Value] = {
            otel.OPERATION: operation_name(call),
            otel.PROVIDER: provider_name(last, self._names),
            otel.REQUEST_MODEL: last.model_requested,
            otel.RESPONSE_MODEL: last.model_reported,
            otel.SERVER_ADDRESS: last.server_address,
            otel.SERVER_PORT: last.server_port,
        }
        failed = {otel.ERROR_TYPE: exchange.error_type}
        self._duration.record((exchange.end_ns - exchange.start_ns) / SECOND_NS, labels(common | failed))
        if call.streamed and exchange.first_chunk_s is not None:
            self._first_chunk.record(exchange.first_chunk_s, labels(common))
        for token_type, name in (("input", "input_tokens"), ("output", "output_tokens")):
            if name in exchange.usage:
                self._tokens.record(exchange.usage[name], labels(common | {otel.TOKEN_TYPE: token_type}))

    def _utilization(self, _: CallbackOptions) -> Iterable[Observation]:
        for budget in self._state.budgets:
            known: dict[str, Value] = {
                otel.BUDGET: budget.budget_id,
                otel.BUDGET_NAME: budget.name,
                otel.BUDGET_SCOPE: budget.scope,
                otel.WORKSPACE: budget.workspace,
            }
            for measure in budget.measures:
                if measure.limit:
                    yield Observation(measure.spent / measure.limit, labels(known | {otel.BUDGET_UNIT: measure.unit}))

    def close(self, timeout_s: float) -> None:
        """Sends what is measured a last time."""
        self._provider.shutdown(timeout_millis=timeout_s * 1000)


def labels(wanted: Mapping[str, Value]) -> dict[str, Value]:
    """Only what the allow-list names, and only what is known."""
    return {key: value for key, value in wanted.items() if key in otel.LABELS and value not in ("", 0)}


def _where(call: journal_pb2.CallRecord) -> dict[str, Value]:
    return {otel.WORKSPACE: call.workspace, otel.ALIAS: call.alias}


def _observe(backlog: Callable[[], int]) -> Callable[[CallbackOptions], Iterable[Observation]]:
    return lambda _: (Observation(backlog()),)
