"""Journals to telemetry, at a pace and from a durable position of their own. At least once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from sidecar.bookkeeper.batch import START, At
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import LedgerFault
from sidecar.journal import JournalVersionError, Position, Tail, sidecars
from taximeter.journal.v1 import journal_pb2

READ_BYTES = 1 << 20
FLUSH_S = 5.0
PAUSE_S = 1.0


class Exporter(Protocol):
    """What telemetry is, seen from here."""

    @property
    def full(self) -> bool: ...
    def handle(self, frames: Sequence[journal_pb2.Frame]) -> None: ...
    def flush(self, timeout_s: float) -> bool: ...
    def close(self, timeout_s: float = 5.0) -> None: ...


class Feed:
    """A thread: `start` it, `end` it. A journal it has never seen is read from its beginning."""

    def __init__(self, journal: Path, ledger: Ledger, exporter: Exporter, log: Any) -> None:
        self._journal = journal
        self._ledger = ledger
        self._exporter = exporter
        self._log = log
        self._saved = ledger.telemetry_positions()
        self._tails: dict[str, Tail] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self, timeout_s: float) -> None:
        """Sends what is there, as far as `timeout_s` allows; the rest comes after the next start."""
        self._ending.set()
        self._thread.join(timeout_s)
        self._exporter.close()

    def exported(self) -> dict[str, At]:
        """By sidecar: up to where the collector has everything."""
        return dict(self._saved)

    def backlog_bytes(self) -> int:
        """Of journal that the collector has not."""
        return sum(
            Tail(self._journal / each, Position(*self._saved.get(each, START))).backlog_bytes()
            for each in sidecars(self._journal)
        )

    def turn(self) -> bool:
        """One pass over the journals. True: there is more, and somebody to take it."""
        present = sidecars(self._journal)
        self._tails = {sidecar_id: tail for sidecar_id, tail in self._tails.items() if sidecar_id in present}
        moved = [self._read(sidecar_id) for sidecar_id in present if not self._exporter.full]
        if not self._exporter.flush(FLUSH_S):
            return False
        for sidecar_id, tail in self._tails.items():
            self._save(sidecar_id, (tail.position.segment, tail.position.offset))
        return any(moved)

    def _read(self, sidecar_id: str) -> bool:
        if sidecar_id not in self._tails:
            self._tails[sidecar_id] = Tail(self._journal / sidecar_id, Position(*self._saved.get(sidecar_id, START)))
        try:
            entries = self._tails[sidecar_id].read(READ_BYTES)
        except JournalVersionError:  # the ingest says so already
            return False
        self._exporter.handle([entry.frame for entry in entries])
        return bool(entries)

    def _save(self, sidecar_id: str, at: At) -> None:
        if at != self._saved.get(sidecar_id, START):
            self._ledger.save_telemetry_position(sidecar_id, at)
            self._saved[sidecar_id] = at

    def _run(self) -> None:
        while True:
            last = self._ending.is_set()
            more = self._guarded_turn()
            if last and not more:
                return
            if not more:
                self._ending.wait(PAUSE_S)

    def _guarded_turn(self) -> bool:
        try:
            return self.turn()
        except LedgerFault as error:
            self._log.warning("telemetry_position_not_saved", error=str(error))
        except Exception as error:  # noqa: BLE001 - telemetry may fail; the books go on, and its position stays
            self._log.error("telemetry_failed", exc_info=error)
        return False
