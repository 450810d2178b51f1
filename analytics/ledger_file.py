"""The ledger's file, read while no bookkeeper has it: opened when somebody asks, closed when the last has gone.

DuckDB takes tens of milliseconds to open a ledger, more than most questions need. And within one process it opens a
file only one way: an export with options of its own would shut out every page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb

from analytics.answering import NoLedger, check_version

_STREAM_MEMORY = "128MB"
"""While an answer is taken piece by piece: an export is to leave the machine its memory. What must be sorted first
spills to disk."""
_MEMORY = "1GB"
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoinstall_known_extensions": False,
    "memory_limit": _MEMORY,
}


class LedgerFile:
    """Safe to use from several threads; each gets a connection of its own to the same opened file.

    While it is open no bookkeeper can start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._users = 0
        self._streams = 0
        self._keepers: set[object] = set()
        self._opened: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def used(self, *, streaming: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Raises NoLedger, LedgerTooNew, duckdb.Error."""
        with self._lock:
            cursor = self._connection().cursor()
            self._users += 1
            self._streams += streaming
            self._bound()
        try:
            yield cursor
        finally:
            cursor.close()
            with self._lock:
                self._users -= 1
                self._streams -= streaming
                self._bound()
                self._close_unused()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Once opened meanwhile it stays so, until this ends or somebody lets it go."""
        keeper = object()
        with self._lock:
            self._keepers.add(keeper)
        try:
            yield
        finally:
            with self._lock:
                self._keepers.discard(keeper)
                self._close_unused()

    def let_go(self) -> None:
        """A bookkeeper wants the file: nobody keeps it any longer. Who reads it just now does so to the end."""
        with self._lock:
            self._keepers.clear()
            self._close_unused()

    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> duckdb.DuckDBPyConnection:
        if not self._path.exists():
            raise NoLedger(f"no ledger yet in {self._path.parent}: start `taximeter up`, and make a first call")
        connection = duckdb.connect(self._path, read_only=True, config=_OPTIONS)
        try:
            connection.execute("SET GLOBAL TimeZone = 'UTC'")  # as the bookkeeper has it
            check_version(version(connection))
        except BaseException:
            connection.close()
            raise
        return connection

    def _bound(self) -> None:
        """A limit below what is in use just now cannot be set: it stays, then."""
        with suppress(duckdb.Error):
            limit = _STREAM_MEMORY if self._streams else _MEMORY
            self._connection().execute(f"SET GLOBAL memory_limit = '{limit}'")

    def _close_unused(self) -> None:
        if self._opened is not None and not self._users and not self._keepers:
            self._opened.close()
            self._opened = None


def version(connection: duckdb.DuckDBPyConnection) -> int:
    """Of the schema; 0 of an empty file."""
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0]) if row else 0
