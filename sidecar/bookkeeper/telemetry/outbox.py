"""Spans on their way to the collector."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.sdk.trace.export import SpanExportResult

from sidecar.bookkeeper.telemetry import otlp
from sidecar.bookkeeper.telemetry.options import TelemetryOptions
from sidecar.bookkeeper.telemetry.spans import Span

BATCH_SPANS = 512
BACKOFF_MIN_S = 0.1
BACKOFF_MAX_S = 15.0

_log = logging.getLogger(__name__)


class Outbox:
    """Oldest first; spans leave it only when the collector has them."""

    def __init__(self, options: TelemetryOptions) -> None:
        self._exporter = otlp.span_exporter(
            options.otlp_endpoint or "", options.otlp_protocol, options.otlp_headers, options.export_timeout_s
        )
        self._resource = otlp.resource(options.service_name, options.resource_attributes)
        self._where = urlsplit(options.otlp_endpoint or "").netloc.rpartition("@")[2]
        """For people; without what may be a password."""
        self._pending: deque[Span] = deque()
        self._failures = 0
        self._retry_at_s = 0.0
        self._closed = threading.Event()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, found: Sequence[Span]) -> None:
        self._pending.extend(found)

    def flush(self, timeout_s: float) -> bool:
        """See `Exporter.flush`. After a failure the next try waits its turn, also across calls."""
        deadline_s = time.monotonic() + timeout_s
        while self._pending and not self._closed.is_set():
            now_s = time.monotonic()
            if now_s < self._retry_at_s:
                if now_s >= deadline_s:
                    return False
                self._closed.wait(min(self._retry_at_s, deadline_s) - now_s)
            elif not self._send_batch() and time.monotonic() >= deadline_s:
                return False
        return not self._pending

    def close(self) -> None:
        self._closed.set()
        self._exporter.shutdown()

    def _send_batch(self) -> bool:
        batch = [self._pending[place] for place in range(min(BATCH_SPANS, len(self._pending)))]
        result = self._exporter.export([otlp.readable(span, self._resource) for span in batch])
        sent = result is SpanExportResult.SUCCESS
        if sent:
            for _ in batch:
                self._pending.popleft()
        self._note(sent)
        return sent

    def _note(self, sent: bool) -> None:
        """Backs off, and tells people once when the collector goes and once when it is back."""
        if sent and self._failures:
            _log.info("the OpenTelemetry collector at %s takes spans again", self._where)
        if not sent and not self._failures:
            _log.warning("the OpenTelemetry collector at %s takes no spans; they are kept", self._where)
        self._failures = 0 if sent else self._failures + 1
        pause_s = 0.0 if sent else min(BACKOFF_MIN_S * 2 ** min(self._failures, 20), BACKOFF_MAX_S)
        self._retry_at_s = time.monotonic() + pause_s
