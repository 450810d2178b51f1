"""Frames in, telemetry out. The bookkeeper runs it in a thread of its own, with a durable position of its own.

At least once: a position may move on only after `flush` said True. Spans carry the ids of their
record, so that a collector sees the same span again, not another one. While the collector is down
spans wait in memory; the caller stops reading frames when `full`, and the journal keeps the rest.
Metrics are counted once per process, as frames are handled; they begin at zero with each start.
"""

from __future__ import annotations

import logging
import threading
import time
import tomllib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.bookkeeper.telemetry.spans import Span, spans
from taximeter.journal.v1 import journal_pb2

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader

    from sidecar.bookkeeper.telemetry.metrics import Metrics

PROVIDERS = Path(__file__).parents[2] / "data" / "providers.toml"
BATCH_SPANS = 512
PENDING_SPANS = 8192
"""From here on the Exporter is `full`."""
BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 15.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TelemetryOptions:
    """The settings' values that telemetry needs."""

    otlp_endpoint: str | None = None
    otlp_protocol: str = "grpc"
    """grpc | http/protobuf"""
    otlp_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    service_name: str = "taximeter"
    resource_attributes: Mapping[str, str] = field(default_factory=dict)
    trace_unsampled: bool = False
    prometheus_port: int | None = None
    """0: any free one."""
    prometheus_host: str = "127.0.0.1"
    metric_interval_s: float = 15.0
    export_timeout_s: float = 5.0
    """Of one request to the collector."""


class Exporter:
    """Not for several threads at once, `close` excepted."""

    def __init__(self, options: TelemetryOptions, backlog: Callable[[], int] = lambda: 0) -> None:
        """backlog: bytes of journal not yet ingested. Raises OSError if the Prometheus port cannot be had."""
        self._options = options
        self._names = provider_names() if self.enabled else {}
        self._outbox = Outbox(options) if options.otlp_endpoint else None
        self._prometheus = _Prometheus(options) if options.prometheus_port is not None else None
        self._metrics = self._make_metrics(backlog) if self.enabled else None
        if not self.enabled:
            _log.debug("telemetry is off: neither OTEL_EXPORTER_OTLP_ENDPOINT nor TAXIMETER_PROMETHEUS_PORT is set")

    @property
    def enabled(self) -> bool:
        return bool(self._options.otlp_endpoint) or self._options.prometheus_port is not None

    @property
    def full(self) -> bool:
        """So many spans wait for the collector that no more frames should be handled before a flush succeeds."""
        return self._outbox is not None and len(self._outbox) >= PENDING_SPANS

    @property
    def prometheus_port(self) -> int | None:
        """The one that is listened on."""
        return self._prometheus.port if self._prometheus else None

    def handle(self, frames: Sequence[journal_pb2.Frame]) -> None:
        """Draws spans and measurements from the finished calls among `frames`. Sends nothing yet."""
        if self._metrics is None:
            return
        for frame in frames:
            if frame.WhichOneof("entry") != "finished":
                continue
            self._metrics.record(frame.finished)
            if self._outbox is not None:
                self._outbox.add(spans(frame.finished, self._names, unsampled=self._options.trace_unsampled))

    def flush(self, timeout_s: float) -> bool:
        """Sends all that waits, trying again until `timeout_s` is over. False: positions must not move on."""
        return self._outbox is None or self._outbox.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Sends metrics a last time; spans that still wait come again from the journal. From any thread."""
        if self._outbox is not None:
            self._outbox.close()
        if self._metrics is not None:
            self._metrics.close(timeout_s)
        if self._prometheus is not None:
            self._prometheus.close()

    def _make_metrics(self, backlog: Callable[[], int]) -> Metrics:
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

        from sidecar.bookkeeper.telemetry import otlp
        from sidecar.bookkeeper.telemetry.metrics import Metrics

        options = self._options
        readers: list[MetricReader] = []
        if options.otlp_endpoint:
            sender = otlp.metric_exporter(
                options.otlp_endpoint, options.otlp_protocol, options.otlp_headers, options.export_timeout_s
            )
            readers.append(PeriodicExportingMetricReader(sender, options.metric_interval_s * 1000))
        if self._prometheus is not None:
            readers.append(self._prometheus.reader)
        source = otlp.resource(options.service_name, options.resource_attributes)
        return Metrics(readers, source, self._names, backlog)


class Outbox:
    """Spans on their way to the collector, oldest first; they leave it only when the collector has them."""

    def __init__(self, options: TelemetryOptions) -> None:
        from sidecar.bookkeeper.telemetry import otlp

        self._exporter = otlp.span_exporter(
            options.otlp_endpoint or "", options.otlp_protocol, options.otlp_headers, options.export_timeout_s
        )
        self._resource = otlp.resource(options.service_name, options.resource_attributes)
        self._endpoint = options.otlp_endpoint
        self._pending: deque[Span] = deque()
        self._failures = 0
        self._retry_at_s = 0.0
        self._closed = threading.Event()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, found: Sequence[Span]) -> None:
        self._pending.extend(found)

    def flush(self, timeout_s: float) -> bool:
        deadline_s = time.monotonic() + timeout_s
        while self._pending:
            wait_s = self._retry_at_s - time.monotonic()
            if wait_s > 0:
                self._closed.wait(min(wait_s, max(deadline_s - time.monotonic(), 0)))
            if self._closed.is_set() or time.monotonic() < self._retry_at_s:
                return False
            if not self._send_batch() and time.monotonic() >= deadline_s:
                return False
        return True

    def close(self) -> None:
        self._closed.set()
        self._exporter.shutdown()

    def _send_batch(self) -> bool:
        from opentelemetry.sdk.trace.export import SpanExportResult

        from sidecar.bookkeeper.telemetry.otlp import readable

        batch = [self._pending[place] for place in range(min(BATCH_SPANS, len(self._pending)))]
        sent = self._exporter.export([readable(span, self._resource) for span in batch]) is SpanExportResult.SUCCESS
        if sent:
            for _ in batch:
                self._pending.popleft()
        self._note(sent)
        return sent

    def _note(self, sent: bool) -> None:
        """Backs off, and tells people once when the collector goes and once when it is back."""
        if sent and self._failures:
            _log.info("the OpenTelemetry collector at %s takes spans again", self._endpoint)
        if not sent and not self._failures:
            _log.warning("the OpenTelemetry collector at %s takes no spans; they are kept", self._endpoint)
        self._failures = 0 if sent else self._failures + 1
        pause_s = 0.0 if sent else min(BACKOFF_MIN_S * 2 ** min(self._failures, 20), BACKOFF_MAX_S)
        self._retry_at_s = time.monotonic() + pause_s


class _Prometheus:
    """`/metrics` on a port of its own, with a registry of its own."""

    def __init__(self, options: TelemetryOptions) -> None:
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from prometheus_client import CollectorRegistry, start_http_server

        registry = CollectorRegistry()
        self.reader = PrometheusMetricReader(registry=registry)
        self._server, self._thread = start_http_server(options.prometheus_port or 0, options.prometheus_host, registry)
        self.port = self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def provider_names() -> dict[str, str]:
    """Provider type -> `gen_ai.provider.name`, from data/providers.toml."""
    rows = tomllib.loads(PROVIDERS.read_text())
    return {name: row["otel_name"] for name, row in rows.items() if isinstance(row, dict) and row.get("otel_name")}
