"""The bookkeeper's day: ingest, pause, now and then throw out what is too old. Whatever goes wrong, it tries again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sidecar.bookkeeper import retention
from sidecar.bookkeeper.batch import At
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import LedgerBroken
from sidecar.bookkeeper.retention import Keep
from sidecar.core.clock import Clock

MAX_PAUSE_S = 0.4
"""However long a pass took: a call is to be seen within a second."""
_REST = 4
"""Rests this many times as long as a pass took, so that ingest takes a fifth of a core at most until it is behind."""
_FIRST_RETRY_S, _LAST_RETRY_S = 0.5, 5.0
_TIDY_EVERY_S = 60.0


@dataclass(slots=True, kw_only=True)
class Bookkeeping:
    """Runs in the process's main thread."""

    ingest: Ingest
    ledger: Ledger
    journal: Path
    keep: Keep
    exported: Callable[[], Mapping[str, At] | None]
    log: Any
    clock: Clock
    failures: int = 0
    """In a row."""
    _tidied_s: float = float("-inf")
    _expiring: bool = True
    _waits_for: date | None = None

    def keep_until(self, stop: threading.Event, interval_s: float) -> None:
        while not stop.is_set():
            began_s = self.clock.monotonic_s()
            more = self.turn()
            if self.failures:
                stop.wait(min(_FIRST_RETRY_S * 2 ** (self.failures - 1), _LAST_RETRY_S))
            elif not more:
                took_s = self.clock.monotonic_s() - began_s
                stop.wait(max(interval_s, min(_REST * took_s, MAX_PAUSE_S)))

    def turn(self) -> bool:
        """One pass, and what else is due. True: there is more to do at once. Never raises an Exception."""
        try:
            more = self.ingest.turn()
            tidied = self._tidy()
        except LedgerBroken as error:
            self._failed(error)
            self._reopen()
        except Exception as error:  # noqa: BLE001 - the journal is the book: nothing is lost by trying again
            self._failed(error)
        else:
            self._recovered()
            return more or tidied
        return False

    def drain(self, within_s: float) -> None:
        """Books what is in the journal; what does not fit into the time is booked after the next start."""
        until_s = self.clock.monotonic_s() + within_s
        while self.turn() and self.clock.monotonic_s() < until_s:
            pass

    def _tidy(self) -> bool:
        now_s = self.clock.monotonic_s()
        if now_s - self._tidied_s >= _TIDY_EVERY_S:
            self._tidied_s, self._expiring = now_s, True
            segments = retention.retire_journal(
                self.journal, self.ledger, self.exported(), self.keep, self.clock.wall_ns()
            )
            if segments:
                self.log.info("journal_retired", segments=segments)
        if self._expiring:
            expired = retention.expire_calls(self.ledger, self.keep, self.clock.wall_ns())
            erased = self.ledger.erase_calls(retention.STEP_CALLS)
            self._expiring = bool(expired.calls) or erased == retention.STEP_CALLS
            if expired.calls:
                self.log.info("calls_expired", calls=expired.calls)
            self._wait_for(expired.waits_for)
            if erased:
                self.log.info("calls_erased", calls=erased)
        return self._expiring

    def _wait_for(self, month: date | None) -> None:
        """Says once of a month that its calls are old enough to go, and may not."""
        if month and month != self._waits_for:
            why = f"its billing period is not closed: `taximeter periods close {month:%Y-%m}`; until then no call goes"
            self.log.warning("retention_waits", month=f"{month:%Y-%m}", why=why)
        self._waits_for = month

    def _reopen(self) -> None:
        try:
            self.ledger.reopen()
        except Exception as error:  # noqa: BLE001 - as above: the next turn tries again
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        self.log.error(
            "booking_failed",
            error=f"{type(error).__name__}: {error}",
            failures=self.failures,
            kept="every call stays in the journal and is booked once this works again",
        )

    def _recovered(self) -> None:
        if self.failures:
            self.log.info("booking_works_again", failures=self.failures)
        self.failures = 0
