"""The DuckDB ledger: one process writes it, through one connection; readers have cursors of their own.

Rows and the journal position up to which they reach are committed together, and a batch must begin where the
ledger stands: whatever is replayed, a call has one row.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from sidecar.bookkeeper import erased, ledger_days, ledger_deletes, ledger_schema
from sidecar.bookkeeper.batch import START, At, Batch
from sidecar.bookkeeper.files import copy_open_file
from sidecar.bookkeeper.ledger_connection import LedgerFault, Limits, connect, translated
from sidecar.bookkeeper.ledger_deletes import Expired
from sidecar.bookkeeper.ledger_memory import Memory
from sidecar.bookkeeper.ledger_rows import delete, insert


class OutOfStep(Exception):
    """A batch does not begin where the ledger stands."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a sidecar's journal stands in the ledger."""

    at: At = START
    closed: bool = False
    """All of it is here, and no more will come."""


class Ledger:
    """For the process that holds the bookkeeper's lock. Opens or creates, and migrates.

    Raises LedgerTooNew; LedgerBusy while a reader has the file; LedgerFault if it cannot be read.
    """

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.version = 0
        self._limits = limits or Limits()
        self.memory = Memory(self._limits)
        self._writing = threading.RLock()
        self._left = threading.Condition()
        self._reading: set[duckdb.DuckDBPyConnection] = set()
        self._reopening = False
        self._erased = erased.read(path.parent / erased.FILE)
        self._swept: set[str] = set()
        """Erased workspaces without sums: nothing brings them back to this ledger."""
        self.changed = date.max
        """The first day (UTC) whose calls changed since the last `watch`, as who is `writing` sees it."""
        self._writer = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        connection = connect(self.path, self._limits)
        try:
            with translated():
                self.version = ledger_schema.migrate(connection, lambda have: self._keep_copy(connection, have))
                connection.execute("SET lock_configuration = true")
                self.memory.opened(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep_copy(self, connection: duckdb.DuckDBPyConnection, have: int) -> None:
        connection.execute("CHECKPOINT")
        folder = self.path.parent / "backups" / f"before-schema-{have + 1}"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        copy_open_file(self.path, folder / self.path.name)

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The writer, alone, in one transaction: all of it or nothing. Raises LedgerFault."""
        with self._writing, translated(), self.memory.used(self._writer), _transaction(self._writer):
            yield self._writer

    @contextmanager
    def writing(self, reader: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """A transaction of this reader's own that writes, while nobody else does. Raises LedgerFault."""
        while not self._writing.acquire(timeout=0.1):
            if self._reopening:  # which waits for this very reader
                raise LedgerFault("the ledger is being opened anew")
        try:
            with _transaction(reader):
                yield
        finally:
            self._writing.release()

    def watch(self) -> date:
        """Watches from now on which days change. The first that did since the last time; `date.max`: none."""
        with self._writing:
            changed, self.changed = self.changed, date.max
            return changed

    def changing(self, day: date) -> None:
        """To be said within the transaction that changes calls of that day."""
        self.changed = min(self.changed, day)

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of one's own: it sees whole transactions only, and holds up nobody. Raises LedgerFault."""
        with translated():
            with self._left:
                cursor = self._writer.cursor()
                self._reading.add(cursor)
            with self._until_closed(cursor), self.memory.used(cursor), closing(cursor):
                yield cursor

    @contextmanager
    def _until_closed(self, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Nothing uses the instance for it any more when this ends: `reopen` waits for that."""
        try:
            yield
        finally:
            with self._left:
                self._reading.discard(cursor)
                self._left.notify_all()

    @property
    def readers(self) -> int:
        """Reads that are going on."""
        return len(self._reading)

    def book(self, batch: Batch) -> None:
        """Rows and position, together. Raises OutOfStep, LedgerFault."""
        with self.transaction() as writer:
            batch = erased.without(batch, self._erased)
            standing = _standing(writer, batch.sidecar_id)
            if standing != batch.since:
                raise OutOfStep(f"the ledger stands at {standing} of {batch.sidecar_id}, not at {batch.since}")
            late = self._make_way(writer, batch.calls)
            delete(writer, "open_calls", ("sidecar_id", "seq"), batch.touched)
            delete(writer, "target_states", ("sidecar_id", "provider", "model"), batch.target_states)
            if batch.budget_states is not None:
                writer.execute("DELETE FROM budget_states WHERE sidecar_id = ?", [batch.sidecar_id])
                insert(writer, "budget_states", batch.budget_states)
            for table in ("calls", "attempts", "open_calls", "target_states"):
                insert(writer, table, getattr(batch, table))
            if late:
                ledger_days.absorb(writer)
            insert(writer, "budget_alerts", batch.budget_alerts, verb="INSERT OR IGNORE")
            writer.execute(
                "INSERT INTO ledger_positions VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO UPDATE SET segment = $2, "
                "byte_offset = $3, corrupt_frames = corrupt_frames + $4, closed = $5",
                [batch.sidecar_id, *batch.until, batch.corrupt_frames, batch.closed],
            )

    def _make_way(self, writer: duckdb.DuckDBPyConnection, calls: pa.Table) -> bool:
        """Sums that these calls make wrong go. True: some are of days that have only sums, and come into those."""
        began = sorted(cast("list[date]", pc.unique(pc.cast(calls["started_at"], pa.date32())).to_pylist()))
        if not began:
            return False
        self.changing(began[0])
        since = ledger_days.rolled(writer).since
        if young := [day for day in began if day >= since]:
            ledger_days.move_back(writer, young[0])
        if late := began[0] < since:
            ledger_days.remove_expired(writer)  # what age has not come to yet: it is in the sums
        return late

    def standings(self) -> dict[str, Standing]:
        """By sidecar."""
        with self.reading() as reader:
            rows = reader.execute("SELECT sidecar_id, segment, byte_offset, closed FROM ledger_positions").fetchall()
        return {sidecar_id: Standing((segment, offset), closed) for sidecar_id, segment, offset, closed in rows}

    def telemetry_positions(self) -> dict[str, At]:
        """By sidecar: up to where telemetry has been sent."""
        with self.reading() as reader:
            rows = reader.execute("SELECT sidecar_id, segment, byte_offset FROM telemetry_positions").fetchall()
        return {sidecar_id: (segment, offset) for sidecar_id, segment, offset in rows}

    def save_telemetry_position(self, sidecar_id: str, at: At) -> None:
        with self.transaction() as writer:
            writer.execute(
                "INSERT INTO telemetry_positions VALUES ($1, $2, $3) "
                "ON CONFLICT DO UPDATE SET segment = $2, byte_offset = $3",
                [sidecar_id, *at],
            )

    def forget(self, sidecar_id: str) -> None:
        """What is live of an incarnation whose journal is gone. Its calls stay, and its position."""
        with self.transaction() as writer:
            for table in ("target_states", "budget_states", "telemetry_positions"):
                writer.execute(f"DELETE FROM {table} WHERE sidecar_id = ?", [sidecar_id])  # noqa: S608 - ours

    def expire_calls(self, before: date, at_most: int) -> Expired:
        """Deletes so many calls of days (UTC) before that one, with their attempts; their sums stay."""
        with self.transaction() as writer:
            return ledger_deletes.expire(writer, before, at_most)

    def erase_workspace(self, workspace: str, until_us: int) -> None:
        """What of it began by then does not come in any more; `erase_calls` deletes what is there. Raises OSError.

        Of a last day that has no calls any more its sums go whole, now: nothing can tell what of them is later.
        """
        with self.transaction() as writer:
            last = ledger_deletes.day_of(until_us) + timedelta(days=1)
            ledger_days.drop_workspace(writer, workspace, min(last, ledger_days.rolled(writer).since))
            known = {**self._erased, workspace: max(until_us, self._erased.get(workspace, until_us))}
            erased.write(self.path.parent / erased.FILE, known)
            self._erased = known
            self._swept.discard(workspace)

    def erase_calls(self, at_most: int) -> int:
        """Deletes that many calls of erased workspaces, and all else that is theirs; returns how many there were."""
        found = 0
        for workspace, until_us in self._erased.items():
            if found < at_most:
                found += self._erase(workspace, until_us, at_most - found)
        return found

    def _erase(self, workspace: str, until_us: int, at_most: int) -> int:
        with self.transaction() as writer:
            sums = workspace not in self._swept
            gone = ledger_deletes.erase(writer, workspace, until_us, at_most, sums=sums)
            self.changing(gone.earliest)
        self._swept.add(workspace)
        return gone.calls

    def count_calls(self) -> int:
        with self.reading() as reader:
            found = reader.execute("SELECT count(*) FROM calls").fetchone()
        return int(found[0]) if found else 0

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        with self._writing, translated(), self.memory.used(self._writer):
            self._writer.execute("CHECKPOINT")

    def copy_to(self, to: Path) -> None:
        """A consistent copy while running: nobody writes meanwhile, and readers read on. Raises OSError."""
        with self._writing:
            self.checkpoint()
            copy_open_file(self.path, to)

    def reopen(self) -> None:
        """After LedgerBroken: ends the reads, and opens the file anew."""
        with self._writing, self._left:
            self._reopening = True
            while self._reading:
                for cursor in self._reading:
                    cursor.interrupt()
                self._left.wait(0.05)
            self._reopening = False
            self._writer.close()
            self._writer = self._open()

    def close(self) -> None:
        with self._writing:
            self._writer.close()


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # a commit that failed has taken its transaction with it
            connection.execute("ROLLBACK")
        raise


def _standing(writer: duckdb.DuckDBPyConnection, sidecar_id: str) -> At:
    found = writer.execute(
        "SELECT segment, byte_offset FROM ledger_positions WHERE sidecar_id = ?", [sidecar_id]
    ).fetchone()
    return (found[0], found[1]) if found else START
