"""Sums the ledger up by the day, one finished day after the other, in a thread of its own.

A day's facts are read by a reader, so that booking goes on meanwhile. The sums are then written in one short
transaction, unless something of that day, or of one before, has changed since the reading began: then later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sidecar.bookkeeper import ledger_days, ledger_dictionary
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import Connection, LedgerFault
from sidecar.core.clock import Clock

FINISHED_AFTER = timedelta(minutes=10)
"""Behind midnight: most calls of the day before have ended by then. Those that have not have it summed up again."""
EVERY_S = 60.0
"""A day that has changed in this time is not quiet yet."""
_BEHIND_S = 10.0
"""While the journal is further ahead, calls of days past may still come."""


def roll(ledger: Ledger, today: date, begins: Callable[[Connection], object] = lambda _: None) -> bool:
    """Sums up the next day before `today` (UTC) on which calls began. `begins`: told who reads.

    False: there is none, or it has changed since this was tried last, or while it was read. Raises LedgerFault.
    """
    changed = ledger.watch()
    with ledger.reading() as reader:
        begins(reader)
        summed_until = ledger_days.rolled(reader).until
        if summed_until >= today:
            return False
        day = ledger_days.first_day(reader, summed_until, today)
        until = day + timedelta(days=1) if day else today
        if changed < until:
            return False
        if day:
            ledger_days.sum_up(reader, day)
        with ledger.writing(reader):
            quiet = ledger.changed >= until
            if quiet:
                ledger_days.keep(reader, until, summed=day is not None)
        return quiet


class Rolling:
    """Sums up what is finished, until `end`. Whatever goes wrong is logged, and tried again."""

    def __init__(self, ledger: Ledger, lag_s: Callable[[], float], log: Any, clock: Clock) -> None:
        """`lag_s`: how far the ledger is behind the journal."""
        self._ledger = ledger
        self._lag_s = lag_s
        self._log = log
        self._clock = clock
        self._stop = threading.Event()
        self._interrupt: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=self._run, daemon=True, name="rolling")

    def start(self) -> None:
        self._thread.start()

    def end(self, within_s: float) -> None:
        """A day that is being summed up is left for the next start."""
        until_s = self._clock.monotonic_s() + within_s
        self._stop.set()
        while self._thread.is_alive() and self._clock.monotonic_s() < until_s:
            self._interrupt()
            self._thread.join(0.05)

    def turn(self) -> bool:
        """A day, if one is due. True: another may be. Never raises an Exception."""
        now = datetime.fromtimestamp(self._clock.wall_ns() / 1e9, UTC)
        try:
            return self._lag_s() < _BEHIND_S and roll(self._ledger, (now - FINISHED_AFTER).date(), self._begins)
        except Exception as error:  # noqa: BLE001 - the views read the facts of what is not summed up
            if not self._stop.is_set():
                self._log.error("rolling_failed", error=f"{type(error).__name__}: {error}", kept="sums stay right")
            return False
        finally:
            self._interrupt = lambda: None

    def _begins(self, reader: Connection) -> None:
        self._interrupt = reader.interrupt

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = self._clock.monotonic_s()
            more = self.turn()
            # A long past is caught up with in half the time that there is: others want to read.
            self._stop.wait(self._clock.monotonic_s() - began_s if more else EVERY_S)
            self._explain()

    def _explain(self) -> None:
        """The words of the dictionary, for whoever looks at the ledger with a tool of theirs; in no hurry."""
        if not self._stop.is_set():
            with suppress(LedgerFault), self._ledger.transaction() as writer:
                ledger_dictionary.comment(writer)
