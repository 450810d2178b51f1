"""Spans and metrics from the journal. The only home of OpenTelemetry: its names and its SDK."""

from sidecar.bookkeeper.telemetry.exporter import Exporter
from sidecar.bookkeeper.telemetry.options import TelemetryOptions

__all__ = ("Exporter", "TelemetryOptions")
