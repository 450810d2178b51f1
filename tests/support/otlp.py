"""A real OTLP receiver, over gRPC and over HTTP, made of opentelemetry-proto's messages."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Traces = trace_service_pb2.ExportTraceServiceRequest
Measurements = metrics_service_pb2.ExportMetricsServiceRequest


@dataclass
class Received:
    """All that arrived, in order, and the headers it came with."""

    traces: list[Traces] = field(default_factory=list)
    metrics: list[Measurements] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def put(self, message: Traces | Measurements, headers: dict[str, str]) -> None:
        with self.arrived:
            if isinstance(message, Traces):
                self.traces.append(message)
            else:
                self.metrics.append(message)
            self.headers.append(headers)
            self.arrived.notify_all()

    def wait(self, what: Callable[[Received], bool], timeout_s: float = 10.0) -> None:
        with self.arrived:
            assert self.arrived.wait_for(lambda: what(self), timeout_s), "did not arrive"

    def spans(self) -> list[Span]:
        return [
            span
            for request in self.traces
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resources(self) -> list[dict[str, Any]]:
        return [attributes(each.resource.attributes) for request in self.traces for each in request.resource_spans]

    def latest_metrics(self) -> dict[str, Metric]:
        """Name -> as it was sent last."""
        return {
            metric.name: metric
            for request in self.metrics
            for resource in request.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def bytes(self) -> bytes:
        """Everything that was sent, to look for what must not be there."""
        return b"".join(message.SerializeToString() for message in (*self.traces, *self.metrics))


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in _each(pairs)}


def _each(pairs: Any) -> Iterator[KeyValue]:
    yield from pairs


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(each) for each in value.array_value.values]
    return getattr(value, kind) if kind else None


class GrpcReceiver:
    """As a context manager it listens until left. `port` 0: any."""

    def __init__(self, received: Received, port: int = 0) -> None:
        self.received = received
        self._wanted = port
        self.port = 0

    def __enter__(self) -> Self:
        self._server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
        register: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server  # generated without types
        register(_Traces(self.received), self._server)
        register = metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server
        register(_Metrics(self.received), self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self._wanted}")
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop(None).wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _metadata(context: grpc.ServicerContext) -> dict[str, str]:
    return {key: str(value) for key, value in context.invocation_metadata()}


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._received.put(request, _metadata(context))
        return trace_service_pb2.ExportTraceServiceResponse()


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, received: Received) -> None:
        self._received = received

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        self._received.put(request, _metadata(context))
        return metrics_service_pb2.ExportMetricsServiceResponse()


class HttpReceiver:
    """POST /v1/traces and /v1/metrics, protobuf. While `refusals` is positive it answers 503 and counts down."""

    def __init__(self, received: Received, port: int = 0) -> None:
        self.received = received
        self.refusals = 0
        self._wanted = port
        self.port = 0

    def __enter__(self) -> Self:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._post(self)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self._wanted), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"]))
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        message: Traces | Measurements = {"/v1/traces": Traces, "/v1/metrics": Measurements}[request.path]()
        message.ParseFromString(body)
        refused = self.refusals > 0
        if refused:
            self.refusals -= 1
        else:
            self.received.put(message, {key.lower(): value for key, value in request.headers.items()})
        request.send_response(503 if refused else 200)
        request.send_header("content-type", "application/x-protobuf")
        request.send_header("content-length", "0")
        request.end_headers()
