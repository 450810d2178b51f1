"""Frames in, telemetry out. The bookkeeper runs it in a thread of its own, with a durable position of its own.

At least once: a position may move on only after `flush` said True. Spans carry the ids of their
record, so that a collector sees the same span again, not another one. While the collector is down
spans wait in memory; the caller stops reading frames when `full`, and the journal keeps the rest.
Metrics are counted once per process, as frames are handled; they begin at zero with each start.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sidecar.bookkeeper.telemetry.options import TelemetryOptions
from sidecar.bookkeeper.telemetry.spans import spans
from taximeter.journal.v1 import journal_pb2

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader

    from sidecar.bookkeeper.telemetry.metrics import Metrics
    from sidecar.bookkeeper.telemetry.outbox import Outbox

PROVIDERS = Path(__file__).parents[2] / "data" / "providers.toml"
PENDING_SPANS = 8192
"""From here on the Exporter is `full`."""

_log = logging.getLogger(__name__)


class Exporter:
    """Not for several threads at once, `close` excepted."""

    def __init__(self, options: TelemetryOptions, backlog: Callable[[], int] = lambda: 0) -> None:
        """backlog: bytes of journal not yet ingested. Raises OSError if the Prometheus port cannot be had."""
        self._options = options
        self._names = provider_names() if self.enabled else {}
        self._outbox = self._make_outbox() if options.otlp_endpoint else None
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
        """Draws spans and measurements from the finished calls and states among `frames`. Sends nothing yet."""
        if self._metrics is None:
            return
        for frame in frames:
            match frame.WhichOneof("entry"):
                case "finished":
                    self._metrics.record(frame.finished)
                    if self._outbox is not None:
                        self._outbox.add(spans(frame.finished, self._names, unsampled=self._options.trace_unsampled))
                case "state":
                    self._metrics.live(frame.state)

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

    def _make_outbox(self) -> Outbox:
        from sidecar.bookkeeper.telemetry.outbox import Outbox

        return Outbox(self._options)

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
