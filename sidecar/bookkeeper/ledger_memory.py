"""What DuckDB may take of the machine, and less of it while answers of any size leave piece by piece.

DuckDB keeps what it has read of the ledger, up to its limit. Questions gain by that: the next one asks for the same
days. An export reads every row once, and would fill the limit with what nobody asks for again. So the limit is low
while streams are all that goes on; whatever else begins has the whole of it, until it has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from sidecar.bookkeeper.ledger_connection import Limits

_CACHED = ("BASE_TABLE", "METADATA")
"""What DuckDB can read again: the rest is what queries work with, and would have to go to disk."""
_IN_USE = f"""SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory() WHERE tag NOT IN {_CACHED}"""  # noqa: S608 - our words
_BYTES = "SELECT parse_formatted_bytes(?)::BIGINT"


class Memory:
    """Of one instance. A user is whatever works with it: a reader's connection, the writer. No user meets an error of
    it: a limit that cannot be changed now stays, and is tried again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._streaming: set[int] = set()
        self.limit = 0
        """Bytes, as it is now."""

    def opened(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Of this instance from now on. Raises duckdb.Error."""
        with self._lock:
            self._connection = connection
            self._whole = _number(connection, _BYTES, self._limits.memory)
            self._low = min(self._whole, _number(connection, _BYTES, self._limits.streams))
            self.limit = self._whole

    @contextmanager
    def used(self, user: object) -> Iterator[None]:
        self._place(user, self._busy)
        try:
            yield
        finally:
            self._place(user, None)

    def streams(self, user: object) -> None:
        """It has found rows, and reads on as they are taken. To be said of each batch: the limit may be high still."""
        self._place(user, self._streaming)

    def _place(self, user: object, among: set[int] | None) -> None:
        """Now here, and nowhere else."""
        with self._lock:
            self._busy.discard(id(user))
            self._streaming.discard(id(user))
            if among is not None:
                among.add(id(user))
            wanted = self._low if self._streaming and not self._busy else self._whole
            if wanted != self.limit:
                self._change(wanted)

    def _change(self, wanted: int) -> None:
        try:
            with self._connection.cursor() as cursor:
                if wanted < self.limit and _number(cursor, _IN_USE) > wanted // 2:
                    return
                cursor.execute(f"SET memory_limit = '{wanted}B'")
        except duckdb.Error:
            return
        self.limit = wanted


def _number(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: str) -> int:
    row = connection.execute(sql, parameters).fetchone()
    return int(row[0]) if row else 0
