"""Journals into the ledger: one pass at a time, each batch with the place it reaches to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.bookkeeper.batch import At, fold
from sidecar.bookkeeper.ledger import Ledger, Standing
from sidecar.core.clock import Clock
from sidecar.journal import Entry, JournalVersionError, Position, Tail, mark_ingested, sidecars

BATCH_BYTES = 4 << 20
"""Of journal, in one transaction: bounds the memory of catching up."""
_NO_END: At = (2**63, 0)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the books are behind the journal."""

    backlog_bytes: int = 0
    lag_s: float = 0.0
    """No record that waits is older than this; 0 if none waits."""
    last_ingest_ns: int = 0
    """UTC; 0 if nothing has been booked since the start."""


@dataclass(slots=True)
class _Reader:
    tail: Tail
    counted: int = 0
    """Corrupt frames of this tail that are booked."""
    too_new: bool = False


class Ingest:
    """One thread calls `turn`; any may ask for `progress`."""

    def __init__(
        self,
        journal: Path,
        ledger: Ledger,
        log: Any,
        clock: Clock,
        *,
        marks: bool = True,
        alerted: Callable[[], None] = lambda: None,
        upto: Mapping[str, At] | None = None,
    ) -> None:
        """`journal` is `<home>/journal`. `marks`: tell its writers how far the ledger is. `alerted`: called when
        alerts were booked. `upto`: where the journals of these sidecars are to be left, each just behind a frame."""
        self._journal = journal
        self._ledger = ledger
        self._log = log
        self._clock = clock
        self._marks = marks
        self._alerted = alerted
        self._upto = upto or {}
        self._readers: dict[str, _Reader] = {}
        self._standings = ledger.standings()
        self._in_step = True
        self._caught_up_ns = clock.monotonic_ns()
        self._last_ingest_ns = 0

    def turn(self) -> bool:
        """Books what each journal has, at most BATCH_BYTES of it; True: there is more. Raises LedgerFault, OSError.

        After an error the next turn starts from where the ledger stands.
        """
        began_ns = self._clock.monotonic_ns()
        if not self._in_step:
            self._readers.clear()
            self._standings = self._ledger.standings()
        self._in_step = False
        more = [self._take(sidecar_id) for sidecar_id in self._open()]
        self._in_step = True
        if not any(more):
            self._caught_up_ns = began_ns
        return any(more)

    def progress(self) -> Progress:
        backlog = sum(self._waiting(sidecar_id) for sidecar_id in sidecars(self._journal))
        behind_s = (self._clock.monotonic_ns() - self._caught_up_ns) / 1e9
        return Progress(backlog, behind_s if backlog else 0.0, self._last_ingest_ns)

    def behind(self) -> set[str]:
        """Sidecars of whose journal something is not booked."""
        return {each for each in sidecars(self._journal) if self._waiting(each)}

    def _waiting(self, sidecar_id: str) -> int:
        standing = self._standings.get(sidecar_id, Standing())
        return 0 if standing.closed else Tail(self._journal / sidecar_id, Position(*standing.at)).backlog_bytes()

    def _open(self) -> list[str]:
        """Those that may have something new: every journal but those that are closed, or to be left here."""
        present = sidecars(self._journal)
        for gone in self._readers.keys() - set(present):
            del self._readers[gone]
        standings = {each: self._standings.get(each, Standing()) for each in present}
        return [name for name, has in standings.items() if not has.closed and has.at < self._upto.get(name, _NO_END)]

    def _reader(self, sidecar_id: str, at: At) -> _Reader:
        if sidecar_id not in self._readers:
            self._readers[sidecar_id] = _Reader(Tail(self._journal / sidecar_id, Position(*at)))
            self._mark(sidecar_id, at)
        return self._readers[sidecar_id]

    def _take(self, sidecar_id: str) -> bool:
        since = self._standings.get(sidecar_id, Standing()).at
        reader = self._reader(sidecar_id, since)
        entries = self._read(sidecar_id, reader)
        until = min(_at(reader.tail.position), self._upto.get(sidecar_id, _NO_END))
        if until == since:
            return False
        corrupt = reader.tail.corrupt_frames - reader.counted
        if corrupt:
            self._log.error("corrupt_frames_skipped", sidecar_id=sidecar_id, stretches=corrupt, since=since, to=until)
        frames = [entry.frame for entry in entries if _at(entry.position) <= until]
        batch = fold(sidecar_id, since, until, frames, corrupt)
        self._ledger.book(batch)
        reader.counted = reader.tail.corrupt_frames
        self._standings[sidecar_id] = Standing(until, batch.closed)
        self._last_ingest_ns = self._clock.wall_ns()
        self._mark(sidecar_id, until)
        if batch.budget_alerts.num_rows:
            self._alerted()
        return not batch.closed and (until[0] != since[0] or until[1] - since[1] >= BATCH_BYTES // 2)

    def _read(self, sidecar_id: str, reader: _Reader) -> list[Entry]:
        try:
            return reader.tail.read(BATCH_BYTES)
        except JournalVersionError as error:
            if not reader.too_new:
                self._log.error("journal_too_new", sidecar_id=sidecar_id, error=str(error))
            reader.too_new = True
            return []

    def _mark(self, sidecar_id: str, at: At) -> None:
        """Tells the writer, for its backlog's ceiling. A hint only: a disk too full for it is no reason to stop."""
        if not self._marks:
            return
        try:
            mark_ingested(self._journal, sidecar_id, Position(*at))
        except OSError as error:
            self._log.warning("mark_not_written", sidecar_id=sidecar_id, error=str(error))


def _at(position: Position) -> At:
    return position.segment, position.offset
