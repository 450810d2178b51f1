"""The ledger's file, read while no bookkeeper has it: opened when somebody comes, closed when the last has gone.

DuckDB takes tens of milliseconds to open a ledger, more than most questions need. And within one process it opens a
file only one way: an export with options of its own would shut out every page.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Safe to use from several threads; each gets a connection of its own to the same opened file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._users = 0
        self._streams = 0
        self._opened: duckdb.DuckDBPyConnection | None = None

    @contextmanager
    def used(self, *, streaming: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """Raises NoLedger, LedgerTooNew, duckdb.Error. While it lasts no bookkeeper can start: not to be kept."""
        with self._lock:
            cursor = self._enter(streaming)
        try:
            yield cursor
        finally:
            cursor.close()
            with self._lock:
                self._leave(streaming)

    def _enter(self, streaming: bool) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            self._opened = self._open()
        self._users += 1
        self._streams += streaming
        if streaming:
            self._opened.execute(f"SET GLOBAL memory_limit = '{_STREAM_MEMORY}'")
        return self._opened.cursor()

    def _leave(self, streaming: bool) -> None:
        self._users -= 1
        self._streams -= streaming
        if self._opened is None:
            return
        if not self._users:
            self._opened.close()
            self._opened = None
        elif streaming and not self._streams:
            self._opened.execute(f"SET GLOBAL memory_limit = '{_MEMORY}'")

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


def version(connection: duckdb.DuckDBPyConnection) -> int:
    """Of the schema; 0 of an empty file."""
    row = connection.execute("SELECT max(version) FROM schema_version").fetchone()
    return int(row[0]) if row else 0
