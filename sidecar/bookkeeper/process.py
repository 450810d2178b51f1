"""The bookkeeper: the one process that writes the ledger, answers for it, and sends telemetry."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from sidecar import logs
from sidecar.bookkeeper import lock, server
from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.bookkeeping import Bookkeeping
from sidecar.bookkeeper.feed import Feed
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import LedgerBusy, LedgerFault, Limits
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_schema import LedgerTooNew
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.periods_service import BillingService
from sidecar.bookkeeper.retention import Keep
from sidecar.bookkeeper.rolling import Rolling
from sidecar.bookkeeper.telemetry import Exporter, TelemetryOptions
from sidecar.bookkeeper.usage_service import UsageService
from sidecar.core.clock import Clock

if TYPE_CHECKING:
    from sidecar.bookkeeper.courier import Courier

FAILED = 1
REFUSED = 2
"""Exit code: another start would meet the same."""
_BUSY_S = 10.0
"""How long to wait for readers that have the file open."""


class Settings(Protocol):
    """The settings' values that the bookkeeper needs."""

    @property
    def home(self) -> Path: ...
    @property
    def grace_s(self) -> float: ...
    @property
    def ingest_interval_s(self) -> float: ...
    @property
    def journal_keep_s(self) -> float: ...
    @property
    def ledger_keep_s(self) -> float | None: ...
    @property
    def query_timeout_s(self) -> float: ...
    @property
    def query_max_rows(self) -> int: ...
    @property
    def query_memory(self) -> str: ...
    @property
    def log_level(self) -> str: ...
    @property
    def log_format(self) -> str: ...
    @property
    def otlp_endpoint(self) -> str | None: ...
    @property
    def otlp_protocol(self) -> str: ...
    @property
    def otlp_headers(self) -> Mapping[str, str]: ...
    @property
    def service_name(self) -> str: ...
    @property
    def resource_attributes(self) -> Mapping[str, str]: ...
    @property
    def trace_unsampled(self) -> bool: ...
    @property
    def alert_webhook(self) -> str: ...
    @property
    def alert_webhook_secret(self) -> str: ...
    @property
    def prometheus_host(self) -> str: ...
    @property
    def prometheus_port(self) -> int | None: ...


def run(settings: Settings) -> int:
    """Keeps the books of `settings.home` until SIGTERM or SIGINT; returns the exit code. In the main thread."""
    os.umask(0o077)
    logs.configure(settings.log_level, settings.log_format)
    log = structlog.get_logger("bookkeeper")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with lock.held(settings.home):
            _keep_books(settings, stop, log)
    except (lock.AlreadyRunning, LedgerTooNew, LedgerFault, OSError) as error:
        sys.stderr.write(f"bookkeeper: {error}\n")
        return FAILED if isinstance(error, LedgerFault) else REFUSED
    log.info("stopped")
    return 0


def _keep_books(settings: Settings, stop: threading.Event, log: Any) -> None:
    journal = settings.home / "journal"
    clock = Clock()
    with ExitStack() as stack:
        ledger = stack.enter_context(_ledger(settings, log))
        courier = stack.enter_context(_webhook(settings, ledger, log, clock))
        ingest = Ingest(journal, ledger, log, clock, alerted=courier.wake if courier else lambda: None)
        feed = stack.enter_context(_telemetry(settings, journal, ledger, ingest, log))
        asking = Asking(ledger, QueryLimits(settings.query_timeout_s, settings.query_max_rows))
        backlog = feed.backlog_bytes if feed else lambda: 0
        socket = settings.home / "bookkeeper.sock"
        books = LedgerService(asking, ingest.progress, backlog, ingest.behind)
        billing = BillingService(asking, ingest.progress, clock)
        serving = server.start(socket, books, UsageService(asking), billing)
        stack.callback(lambda: serving.stop(0.5).wait())
        log.info("ready", socket=str(socket), schema_version=ledger.version)
        rolling = Rolling(ledger, lambda: ingest.progress().lag_s, log, clock)
        rolling.start()
        stack.callback(lambda: rolling.end(settings.grace_s))
        keeping = Bookkeeping(
            ingest=ingest,
            ledger=ledger,
            journal=journal,
            keep=Keep(settings.journal_keep_s, settings.ledger_keep_s),
            exported=feed.exported if feed else lambda: None,
            log=log,
            clock=clock,
        )
        keeping.keep_until(stop, settings.ingest_interval_s)
        log.info("stopping")
        keeping.drain(settings.grace_s)


@contextmanager
def _ledger(settings: Settings, log: Any) -> Iterator[Ledger]:
    """Waits a little for readers that found the lock free and have the file open. Ends with a checkpoint."""
    for unfinished in settings.home.glob(".backup-*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    until = time.monotonic() + _BUSY_S
    while True:
        try:
            ledger = Ledger(settings.home / "ledger.duckdb", Limits(memory=settings.query_memory))
            break
        except LedgerBusy:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
    try:
        yield ledger
        ledger.checkpoint()
    except LedgerFault as error:
        log.warning("not_checkpointed", error=str(error), kept="the next start reads the ledger's own log")
    finally:
        ledger.close()


@contextmanager
def _telemetry(settings: Settings, journal: Path, ledger: Ledger, ingest: Ingest, log: Any) -> Iterator[Feed | None]:
    """None if there is nobody to send anything to."""
    options = TelemetryOptions(
        otlp_endpoint=settings.otlp_endpoint,
        otlp_protocol=settings.otlp_protocol,
        otlp_headers=settings.otlp_headers,
        service_name=settings.service_name,
        resource_attributes=settings.resource_attributes,
        trace_unsampled=settings.trace_unsampled,
        prometheus_host=settings.prometheus_host,
        prometheus_port=settings.prometheus_port,
    )
    exporter = Exporter(options, lambda: ingest.progress().backlog_bytes)
    if not exporter.enabled:
        yield None
        return
    feed = Feed(journal, ledger, exporter, log)
    feed.start()
    try:
        yield feed
    finally:
        feed.end(settings.grace_s / 2)


@contextmanager
def _webhook(settings: Settings, ledger: Ledger, log: Any, clock: Clock) -> Iterator[Courier | None]:
    """None if there is nobody to tell of alerts."""
    if not settings.alert_webhook:
        yield None
        return
    from sidecar.bookkeeper.courier import Courier, Receiver  # urllib takes its time to load
    from sidecar.bookkeeper.deliveries import Deliveries

    receiver = Receiver(settings.alert_webhook, settings.alert_webhook_secret)
    courier = Courier(Deliveries(ledger), receiver.take, log, clock)
    courier.start()
    try:
        yield courier
    finally:
        courier.end(settings.grace_s / 2)
