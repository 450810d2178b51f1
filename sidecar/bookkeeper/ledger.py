"""The DuckDB ledger: one process writes it, through one connection; readers have cursors of their own.

Rows and the journal position up to which they reach are committed together, and a batch must begin where the
ledger stands: whatever is replayed, a call has one row.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from sidecar.bookkeeper import ledger_schema
from sidecar.bookkeeper.batch import START, At, Batch
from sidecar.bookkeeper.files import copy_file


@dataclass(frozen=True, slots=True)
class Limits:
    """What DuckDB may take of the machine. Queries and ingest share it."""

    memory: str = "1GB"
    threads: int = 2
    temporary: str = "2GB"
    """Disk for what a query spills."""


class OutOfStep(Exception):
    """A batch does not begin where the ledger stands."""


def connect(path: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """An instance that reaches no file but its own and loads no code from anywhere."""
    connection = duckdb.connect(
        str(path),
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "enable_external_access": "false",
            "memory_limit": limits.memory,
            "threads": str(limits.threads),
            "max_temp_directory_size": limits.temporary,
        },
    )
    # A name in SQL is a table, never a variable of this process that happens to be called so.
    connection.execute("SET python_enable_replacements = false")
    return connection


class Ledger:
    """For the process that holds the bookkeeper's lock. Opens or creates, and migrates; raises LedgerTooNew."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self.path = path
        self.version = 0
        self._limits = limits or Limits()
        self._writing = threading.RLock()
        self._writer = self._open()

    def _open(self) -> duckdb.DuckDBPyConnection:
        connection = connect(self.path, self._limits)
        try:
            self.version = ledger_schema.migrate(connection, lambda have: self._keep_copy(connection, have))
            connection.execute("SET lock_configuration = true")
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep_copy(self, connection: duckdb.DuckDBPyConnection, have: int) -> None:
        connection.execute("CHECKPOINT")
        copy_file(self.path, self.path.with_name(f"{self.path.name}.before-v{have + 1}"))

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The writer, alone, in one transaction: all of it or nothing."""
        with self._writing:
            self._writer.execute("BEGIN")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):  # a commit that failed has taken its transaction with it
                    self._writer.execute("ROLLBACK")
                raise

    def book(self, batch: Batch) -> None:
        """Rows and position, together. Raises OutOfStep."""
        with self.transaction() as writer:
            standing = _position(writer, batch.sidecar_id)
            if standing != batch.since:
                raise OutOfStep(f"the ledger stands at {standing} of {batch.sidecar_id}, not at {batch.since}")
            _delete(writer, "open_calls", ("sidecar_id", "seq"), batch.touched)
            _delete(writer, "target_states", ("sidecar_id", "provider", "model"), batch.target_states)
            for table in ("calls", "attempts", "open_calls", "target_states"):
                _insert(writer, table, getattr(batch, table))
            writer.execute(
                "INSERT INTO ledger_positions VALUES ($1, $2, $3, $4) ON CONFLICT DO UPDATE SET segment = $2, "
                "byte_offset = $3, corrupt_frames = corrupt_frames + $4",
                [batch.sidecar_id, *batch.until, batch.corrupt_frames],
            )

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A reader's own connection: sees whole transactions only, and holds up nobody. Close it."""
        return self._writer.cursor()

    def positions(self) -> dict[str, At]:
        """By sidecar: up to where its journal stands in the ledger."""
        return self._places("SELECT sidecar_id, segment, byte_offset FROM ledger_positions")

    def telemetry_positions(self) -> dict[str, At]:
        """By sidecar: up to where telemetry has been sent."""
        return self._places("SELECT sidecar_id, segment, byte_offset FROM telemetry_positions")

    def _places(self, sql: str) -> dict[str, At]:
        with self.cursor() as reader:
            return {sidecar_id: (segment, offset) for sidecar_id, segment, offset in reader.execute(sql).fetchall()}

    def save_telemetry_position(self, sidecar_id: str, at: At) -> None:
        with self.transaction() as writer:
            writer.execute(
                "INSERT INTO telemetry_positions VALUES ($1, $2, $3) "
                "ON CONFLICT DO UPDATE SET segment = $2, byte_offset = $3",
                [sidecar_id, *at],
            )

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        with self._writing:
            self._writer.execute("CHECKPOINT")

    def close(self) -> None:
        with self._writing:
            self._writer.close()


def _position(writer: duckdb.DuckDBPyConnection, sidecar_id: str) -> At:
    found = writer.execute(
        "SELECT segment, byte_offset FROM ledger_positions WHERE sidecar_id = ?", [sidecar_id]
    ).fetchone()
    return (found[0], found[1]) if found else START


def _insert(writer: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    with _registered(writer, rows):
        writer.execute(f"INSERT INTO {table} BY NAME SELECT * FROM batch")  # noqa: S608 - our own names


def _delete(writer: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...], rows: pa.Table) -> None:
    with _registered(writer, rows):
        names = ", ".join(key)
        writer.execute(f"DELETE FROM {table} WHERE ({names}) IN (SELECT ({names}) FROM batch)")  # noqa: S608 - ours


@contextmanager
def _registered(writer: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """`rows` as the table `batch`."""
    writer.register("batch", rows)
    try:
        yield
    finally:
        writer.unregister("batch")
