"""What telemetry is told of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


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
