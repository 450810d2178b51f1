"""A bookkeeper in this process: ingest, ledger, its services on a real socket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sidecar.bookkeeper import server
from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.bookkeeping import Bookkeeping
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.periods_service import BillingService
from sidecar.bookkeeper.retention import Keep
from sidecar.bookkeeper.usage_service import UsageService
from sidecar.core.clock import Clock
from tests.support.blank import blank
from tests.support.ledger_journal import Log


@contextmanager
def bookkeeper(home: Path, interval_s: float = 0.02) -> Iterator[Ledger]:
    """Serves on `<home>/bookkeeper.sock`, whose path has to be short."""
    stop = threading.Event()
    with closing(Ledger(blank(home / "ledger.duckdb"))) as ledger:
        ingest = Ingest(home / "journal", ledger, Log(), Clock())
        asking = Asking(ledger, QueryLimits())
        books = LedgerService(asking, ingest.progress, lambda: 0, ingest.behind)
        billing = BillingService(asking, ingest.progress, Clock())
        serving = server.start(home / "bookkeeper.sock", books, UsageService(asking), billing)
        keeping = Bookkeeping(
            ingest=ingest,
            ledger=ledger,
            journal=home / "journal",
            keep=Keep(7 * 86_400.0),
            exported=lambda: None,
            log=Log(),
            clock=Clock(),
        )
        thread = threading.Thread(target=keeping.keep_until, args=(stop, interval_s), daemon=True)
        thread.start()
        try:
            yield ledger
        finally:
            stop.set()
            thread.join()
            serving.stop(None).wait()
