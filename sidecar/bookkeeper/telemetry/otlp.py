"""The way out: spans as the SDK's own objects, and its OTLP exporters over gRPC or HTTP."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.sdk.version import __version__ as sdk_version
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from sidecar.bookkeeper.telemetry.constants import SCOPE
from sidecar.bookkeeper.telemetry.spans import Span

KINDS = {"server": SpanKind.SERVER, "internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT}
SAMPLED = TraceFlags(TraceFlags.SAMPLED)
INSTRUMENTATION = InstrumentationScope(SCOPE)

# They log each failed request with a traceback; the Exporter says once that the collector is down.
logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)
logging.getLogger("opentelemetry.sdk.metrics._internal.export").setLevel(logging.CRITICAL)


def resource(service_name: str, attributes: Mapping[str, str]) -> Resource:
    """Who says it. Built by hand: `Resource.create` would read the environment again."""
    sdk = {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": sdk_version,
    }
    return Resource({**sdk, **attributes, "service.name": service_name})


def readable(span: Span, source: Resource) -> ReadableSpan:
    """With the span's own ids and times: a tracer would make new ones."""
    parent = _context(span.trace_id, span.parent_span_id, remote=span.parent_is_remote) if span.parent_span_id else None
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id, remote=False),
        parent=parent,
        resource=source,
        attributes=span.attributes,
        events=[Event(event.name, event.attributes, event.at_ns) for event in span.events],
        kind=KINDS[span.kind],
        status=Status(StatusCode.ERROR if span.error else StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=INSTRUMENTATION,
    )


def _context(trace_id: str, span_id: str, *, remote: bool) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=SAMPLED)


def span_exporter(endpoint: str, protocol: str, headers: Mapping[str, str], timeout_s: float) -> SpanExporter:
    """endpoint: the base, as OTEL_EXPORTER_OTLP_ENDPOINT has it ("http://collector:4317").

    timeout_s: of one request, the exporter's own retries included.
    """
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter

        return GrpcSpanExporter(endpoint=endpoint, headers=_grpc_headers(headers), timeout=timeout_s)
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter

    return HttpSpanExporter(endpoint=_url(endpoint, "traces"), headers=dict(headers), timeout=timeout_s)


def metric_exporter(endpoint: str, protocol: str, headers: Mapping[str, str], timeout_s: float) -> MetricExporter:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter

        return GrpcMetricExporter(endpoint=endpoint, headers=_grpc_headers(headers), timeout=timeout_s)
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter

    return HttpMetricExporter(endpoint=_url(endpoint, "metrics"), headers=dict(headers), timeout=timeout_s)


def _url(endpoint: str, signal: str) -> str:
    """https://opentelemetry.io/docs/specs/otel/protocol/exporter: the base, then /v1/{signal}."""
    return f"{endpoint.rstrip('/')}/v1/{signal}"


def _grpc_headers(headers: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """gRPC metadata keys are lower case."""
    return [(key.lower(), value) for key, value in headers.items()]
