"""What DuckDB may take of the machine, and less of it while answers of any size leave piece by piece.

DuckDB keeps what it has read of the ledger, up to its limit. Questions gain by that: the next one asks for the same
days. An export reads every row once, and would fill the limit with what nobody asks for again. So while streams are
all that goes on, the limit is what they work with and a little beside; whatever else begins has the whole of it, until
it has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from sidecar.bookkeeper.ledger_connection import Limits

_CACHED = ("BASE_TABLE", "METADATA")
"""What DuckDB can read again: the rest is what queries work with."""
_IN_USE = f"""SELECT coalesce(sum(memory_usage_bytes), 0)::BIGINT FROM duckdb_memory() WHERE tag NOT IN {_CACHED}"""  # noqa: S608 - our words
_NEVER = -1
_BYTES = "SELECT parse_formatted_bytes(?)::BIGINT"


class Memory:
    """Of one instance. A user is whatever works with it: a reader's connection, the writer. No user meets an error of
    it: a limit that cannot be changed now stays, and is tried again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._busy: set[int] = set()
        self._streaming: set[int] = set()
        self._fitted = 0
        """For how many streams the limit is as it is; 0: for all the rest."""
        self.limit = 0
        """Bytes, as it is now."""

    def opened(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Of this instance from now on. Raises duckdb.Error."""
        with self._lock:
            self._connection = connection
            self._whole = _number(connection, _BYTES, self._limits.memory)
            self._cache = _number(connection, _BYTES, self._limits.streams)
            self._fitted, self.limit = 0, self._whole

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
            streams = 0 if self._busy else len(self._streaming)
            if streams != self._fitted:
                self._fitted = streams if self._fit(streams) else _NEVER

    def _fit(self, streams: int) -> bool:
        """Whether the limit is now the one for so many streams and nothing else; 0: the whole."""
        try:
            with self._connection.cursor() as cursor:
                wanted = min(self._whole, _number(cursor, _IN_USE) + self._cache) if streams else self._whole
                if wanted != self.limit:
                    cursor.execute(f"SET memory_limit = '{wanted}B'")
        except duckdb.Error:
            return False
        self.limit = wanted
        return True


def _number(connection: duckdb.DuckDBPyConnection, sql: str, *parameters: str) -> int:
    row = connection.execute(sql, parameters).fetchone()
    return int(row[0]) if row else 0
