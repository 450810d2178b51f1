"""Where answers come from: the bookkeeper while it runs, the ledger's file while it does not.

DuckDB lets one process write a file or many read it, never both, so the file is opened only while nobody holds the
bookkeeper's lock, for one question or a few that are put together, and closed at once.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar

import duckdb
import pyarrow as pa

from analytics.answering import (
    LedgerBusy,
    LedgerTooNew,
    NoLedger,
    QuestionFailed,
    QuestionRefused,
    Source,
    SourceError,
    Status,
)
from analytics.bookkeeper import BookkeeperSource
from analytics.ledger_file import LedgerFile, version
from analytics.question import Parameter

__all__ = [
    "HomeSource",
    "LedgerBusy",
    "LedgerTooNew",
    "NoLedger",
    "QuestionFailed",
    "QuestionRefused",
    "Source",
    "SourceError",
    "Status",
    "held",
    "open_source",
]

Answer = TypeVar("Answer")

_ROWS = 8_192
"""In a batch from the file."""
_SUMMED_SINCE = 5
"""The schema version from which on the ledger has sums by the day."""
_REFUSED = (duckdb.ProgrammingError, duckdb.DataError, duckdb.NotSupportedError, duckdb.PermissionException)
"""What DuckDB raises for a question that is no SELECT, or none that makes sense here."""


def open_source(home: Path) -> HomeSource:
    """Asks the bookkeeper of `home`, and its file while no bookkeeper runs, anew at each question."""
    return HomeSource(home)


class HomeSource:
    """Chooses at each question. One that meets the bookkeeper coming or going is put once more, to whoever is there."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._bookkeeper = BookkeeperSource(home / "bookkeeper.sock")
        self._file = FileSource(home / "ledger.duckdb")

    def table(self, sql: str, params: Sequence[Parameter] = ()) -> pa.Table:
        return self._asked(lambda source: source.table(sql, params))

    def batches(self, sql: str, params: Sequence[Parameter] = ()) -> Iterator[pa.RecordBatch]:
        """An answer that breaks after its first batch is not begun again: the asker has part of it."""
        yield from self._asked(lambda source: _begun(source.batches(sql, params)))

    def status(self) -> Status:
        return self._asked(lambda source: source.status())

    @contextmanager
    def together(self) -> Iterator[None]:
        """Answers sooner what is asked meanwhile, by opening the file once: for a page's questions, not for longer."""
        with self._file.kept():
            yield

    def _asked(self, ask: Callable[[Source], Answer]) -> Answer:
        try:
            return ask(self._source())
        except LedgerBusy:
            return ask(self._source())

    def _source(self) -> Source:
        if not held(self._home / "bookkeeper.lock"):
            return self._file
        self._file.let_go()  # it may be waiting for the file
        return self._bookkeeper


def _begun(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches, the first of them already there."""
    first = list(islice(batches, 1))
    return chain(first, batches)


def held(lock: Path) -> bool:
    """Whether a process holds this `flock`. Asks without waiting, and lets go at once."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


class FileSource:
    """Reads the file itself. For when no bookkeeper runs."""

    def __init__(self, path: Path) -> None:
        self._file = LedgerFile(path)

    def table(self, sql: str, params: Sequence[Parameter] = ()) -> pa.Table:
        with self._opened() as connection:
            return connection.execute(sql, params).to_arrow_table()

    def batches(self, sql: str, params: Sequence[Parameter] = ()) -> Iterator[pa.RecordBatch]:
        with self._opened(streaming=True) as connection:
            yield from connection.execute(sql, params).to_arrow_reader(_ROWS)

    def status(self) -> Status:
        sql = "SELECT (SELECT count(*) FROM ai_call_logs), (SELECT count(*) FROM ai_open_calls)"
        with self._opened() as connection:
            calls, open_calls = connection.execute(sql).fetchall()[0]
            schema = version(connection)
            return Status(
                live=False,
                schema_version=schema,
                calls=calls,
                open_calls=open_calls,
                rolled_until=_rolled_until(connection) if schema >= _SUMMED_SINCE else None,
            )

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Once opened for a question asked meanwhile, the file stays so for the others."""
        with self._file.kept():
            yield

    def let_go(self) -> None:
        """Closes the file as soon as nobody reads it."""
        self._file.let_go()

    @contextmanager
    def _opened(self, *, streaming: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        try:
            with self._file.used(streaming=streaming) as connection:
                yield connection
        except duckdb.IOException as error:
            raise LedgerBusy(f"the ledger cannot be opened just now, try again ({_first_line(error)})") from None
        except _REFUSED as error:
            raise QuestionRefused(f"the ledger cannot answer this: {_first_line(error)}") from None
        except duckdb.Error as error:
            raise QuestionFailed(f"the ledger cannot answer this: {_first_line(error)}") from None


def _rolled_until(connection: duckdb.DuckDBPyConnection) -> date | None:
    row = connection.execute("""SELECT nullif("until", DATE '1970-01-01') FROM rolled""").fetchone()
    return row[0] if row else None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
