"""Reading the ledger with SQL: one SELECT, inside limits of time, rows and memory, stopped when nobody waits.

DuckDB's read-only transaction alone is not enough: it permits COPY ... TO, files as tables, and table functions
that change the instance (`enable_logging`, `force_checkpoint`). So external access is off for the whole instance
(`ledger.connect`), a statement must be one SELECT, and the table functions in it must be known to only read.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from sidecar.bookkeeper.ledger import Ledger

BATCH_ROWS = 10_000
STALL_S = 5.0
"""Beyond its time, a query whose caller takes nothing, not even the error, is ended by hanging up."""
_READING_FUNCTIONS = frozenset(
    {"range", "generate_series", "unnest", "repeat", "json_each", "json_tree", "duckdb_columns", "duckdb_tables"}
    | {"duckdb_views", "duckdb_functions", "duckdb_types", "pragma_table_info", "pragma_database_size"}
)


class QueryRefused(Exception):
    """Not a statement that may be asked, or not one that makes sense here. The message is for its author."""


class QueryTooLarge(Exception):
    """It passed a limit. The message says which."""


class QueryCancelled(Exception):
    """Nobody waits for the answer any more."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """Memory is limited for the ledger as a whole."""

    timeout_s: float = 30.0
    """From the question to the last row being taken; of an answer of any size, to each next batch being taken."""
    max_rows: int = 10_000_000
    any_size: bool = False
    """No limit of rows."""


class Stop:
    """Ends a query from another thread: `cancel` before it, within it or after it."""

    def __init__(self, hang_up: Callable[[], object] = lambda: None) -> None:
        """`hang_up`: when the query's time has been over for STALL_S, and its rows still wait to be taken."""
        self.reason: Exception | None = None
        self._interrupt: Callable[[], None] = lambda: None
        self._hang_up = hang_up
        self._due = 0.0

    def cancel(self, reason: Exception | None = None) -> None:
        self.reason = self.reason or reason or QueryCancelled()
        self._interrupt()

    def check(self) -> None:
        if self.reason is not None:
            raise self.reason

    def allow(self, more_s: float) -> None:
        """Time until then, from now on."""
        self._due = time.monotonic() + more_s

    @contextmanager
    def holding(self, cursor: duckdb.DuckDBPyConnection, limits: QueryLimits) -> Iterator[None]:
        """Within: a cancel interrupts `cursor`, and so does the end of the time allowed."""
        self._interrupt, over = cursor.interrupt, threading.Event()
        self.allow(limits.timeout_s)
        threading.Thread(target=self._watch, args=(over, _late(limits)), daemon=True, name="query-time").start()
        try:
            self.check()
            yield
        finally:
            over.set()
            self._interrupt = lambda: None

    def _watch(self, over: threading.Event, late: Exception) -> None:
        while (left_s := self._due - time.monotonic()) > 0:
            if over.wait(left_s):
                return
        self.cancel(late)
        if not over.wait(STALL_S):
            self._hang_up()


def _late(limits: QueryLimits) -> QueryTooLarge:
    if limits.any_size:
        return QueryTooLarge(f"for {limits.timeout_s:g} s no rows were found, or none taken: ask for less at a time")
    return QueryTooLarge(f"the query took longer than {limits.timeout_s:g} s (TAXIMETER_QUERY_TIMEOUT): ask for less")


def select(
    ledger: Ledger, sql: str, parameters: Sequence[Any], limits: QueryLimits, stop: Stop
) -> Iterator[pa.RecordBatch]:
    """The answer to one SELECT; an empty batch first, which tells its schema.

    Raises QueryRefused, QueryTooLarge, QueryCancelled, LedgerFault.
    """
    with ledger.reading() as cursor, stop.holding(cursor, limits), _explained(stop):
        _check(cursor, sql)
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        try:
            for batch in _bounded(cursor.execute(sql, parameters).to_arrow_reader(BATCH_ROWS), limits, stop):
                if limits.any_size and batch.num_rows:
                    ledger.memory.streams(cursor)
                yield batch
        finally:
            with suppress(duckdb.Error):
                cursor.execute("ROLLBACK")


def _bounded(reader: pa.RecordBatchReader, limits: QueryLimits, stop: Stop) -> Iterator[pa.RecordBatch]:
    yield pa.RecordBatch.from_pylist([], schema=reader.schema)
    rows, most = 0, limits.max_rows
    for batch in reader:
        rows += batch.num_rows
        if rows > most and not limits.any_size:
            raise QueryTooLarge(f"the answer has more than {most} rows (TAXIMETER_QUERY_MAX_ROWS): ask for less")
        stop.check()
        yield batch
        if limits.any_size:
            stop.allow(limits.timeout_s)


def _check(cursor: duckdb.DuckDBPyConnection, sql: str) -> None:
    found = cursor.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    parsed = json.loads(found[0]) if found else {}
    if parsed.get("error"):
        raise QueryRefused(f"only one SELECT can be asked here: {parsed.get('error_message', '')}")
    if len(parsed.get("statements", ())) != 1:
        raise QueryRefused("only one statement at a time")
    unknown = set(_table_functions(parsed)) - _READING_FUNCTIONS
    if unknown:
        raise QueryRefused(f"table functions that cannot be used here: {', '.join(sorted(unknown))}")


def _table_functions(node: Any) -> Iterator[str]:
    """Names of the table functions anywhere in a parsed statement."""
    if isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            yield str(node["function"].get("function_name", "")).lower()
        for part in node.values():
            yield from _table_functions(part)
    elif isinstance(node, list):
        for part in node:
            yield from _table_functions(part)


@contextmanager
def _explained(stop: Stop) -> Iterator[None]:
    """DuckDB's errors, and Arrow's words for them while rows stream, as ours."""
    try:
        yield
    except (duckdb.InterruptException, duckdb.OutOfMemoryException, duckdb.ProgrammingError) as error:
        raise _meant(error, stop) from None
    except (duckdb.DataError, duckdb.NotSupportedError, duckdb.PermissionException) as error:
        raise _meant(error, stop) from None
    except OSError as error:
        raise _meant(error, stop) from None


def _meant(error: Exception, stop: Stop) -> Exception:
    said = str(error).partition("\n")[0]
    if stop.reason is not None:
        return stop.reason
    if "Out of Memory" in said:
        return QueryTooLarge(
            "the query needs more memory than the ledger may take (TAXIMETER_QUERY_MEMORY): ask for less"
        )
    return QueryRefused(said)
