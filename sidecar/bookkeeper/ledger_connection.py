"""How DuckDB is opened here, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Limits:
    """What DuckDB may take of the machine. Queries and ingest share it."""

    memory: str = "1GB"
    streams: str = "64MB"
    """Of it, what is kept of the ledger while only answers of any size are on their way."""
    threads: int = 2
    temporary: str = "2GB"
    """Disk for what a query spills."""


class LedgerFault(Exception):
    """The ledger could not be read or written now; what was asked has not happened. Trying again may help."""


class LedgerBroken(LedgerFault):
    """DuckDB gave the file up in this process (a disk full at a checkpoint): `reopen` it first."""


class LedgerBusy(LedgerFault):
    """Another process has the file open."""


def connect(path: Path, limits: Limits) -> duckdb.DuckDBPyConnection:
    """An instance that reaches no file but its own and loads no code from anywhere. Raises LedgerFault."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "allowed_configs": ["memory_limit"],  # by this process, when the configuration is locked: no SELECT can
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "enable_external_access": False,
        "memory_limit": limits.memory,
        "threads": limits.threads,
        "max_temp_directory_size": limits.temporary,
    }
    try:
        connection = duckdb.connect(path, config=config)
    except duckdb.Error as error:
        busy = "Conflicting lock" in str(error)
        raise (LedgerBusy if busy else LedgerFault)(f"{path} cannot be opened: {_first_line(error)}") from error
    # A name in SQL is a table, never a variable of this process that happens to be called so.
    connection.execute("SET python_enable_replacements = false")
    # What a query calls now or today is UTC, as all times here are, wherever the machine stands.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    return connection


@contextmanager
def translated() -> Iterator[None]:
    """DuckDB's errors as LedgerFault."""
    try:
        yield
    except (duckdb.FatalException, duckdb.ConnectionException) as error:
        raise LedgerBroken(_first_line(error)) from error
    except duckdb.Error as error:
        raise LedgerFault(_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
