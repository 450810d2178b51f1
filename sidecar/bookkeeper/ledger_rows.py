"""Arrow tables into the ledger's own, and rows out of them by their keys; in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa


def insert(writer: duckdb.DuckDBPyConnection, table: str, rows: pa.Table, verb: str = "INSERT") -> None:
    if rows.num_rows:
        with registered(writer, rows):
            writer.execute(f"{verb} INTO {table} BY NAME SELECT * FROM batch")  # noqa: S608 - our own names


def delete(writer: duckdb.DuckDBPyConnection, table: str, key: tuple[str, ...], rows: pa.Table) -> None:
    if rows.num_rows:
        with registered(writer, rows.select(key)):
            names = ", ".join(key)
            writer.execute(f"DELETE FROM {table} WHERE ({names}) IN (SELECT ({names}) FROM batch)")  # noqa: S608 - ours


@contextmanager
def registered(writer: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """`rows` as the table `batch`."""
    writer.register("batch", rows)
    try:
        yield
    finally:
        writer.unregister("batch")
