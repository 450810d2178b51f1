"""Export files, encoded piece by piece: each format's bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pyarrow.parquet as pq

from analytics.layouts import MICROSECONDS, SECONDS, Layout

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from polars._typing import CsvQuoteStyle


class Format(StrEnum):
    """By the ending of its files."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON_LINES = "jsonl"


def encoded(tables: Iterator[pa.Table], form: Format, layout: Layout) -> Iterator[bytes]:
    """The file of these tables, all of the layout. At least one table, were it empty: a file has its columns anyway."""
    return {Format.CSV: _csv, Format.PARQUET: _parquet, Format.JSON_LINES: _json_lines}[form](tables, layout)


def _csv(tables: Iterator[pa.Table], layout: Layout) -> Iterator[bytes]:
    times = _times(layout)
    for number, table in enumerate(tables):
        yield _text(pl.DataFrame(table).with_columns(*times), include_header=number == 0)


def _json_lines(tables: Iterator[pa.Table], layout: Layout) -> Iterator[bytes]:
    """What is JSON already is set into the line that holds the rest."""
    plain = pl.struct(pl.exclude(*layout.json)) if layout.json else pl.struct(pl.all())
    line = plain.struct.json_encode().str.strip_suffix("}")
    for name in (each for each in layout.columns if each in layout.json):
        line = line + f',"{name}":' + pl.col(name).fill_null("null")
    text = [cs.decimal().cast(pl.String), *_times(layout)]
    for table in tables:
        lines = pl.DataFrame(table).with_columns(*text).select(line + "}")
        yield _text(lines, include_header=False, quote_style="never")


def _text(frame: pl.DataFrame, *, include_header: bool, quote_style: CsvQuoteStyle = "necessary") -> bytes:
    """A line a row, written as bytes at once: as a string of Python's it would be there twice."""
    sink = io.BytesIO()
    frame.write_csv(sink, include_header=include_header, quote_style=quote_style)
    return sink.getvalue()


def _times(layout: Layout) -> list[pl.Expr]:
    """Times as text with a Z, to the second or the microsecond, as their column is."""
    forms = {MICROSECONDS: "%Y-%m-%dT%H:%M:%S%.6fZ", SECONDS: "%Y-%m-%dT%H:%M:%SZ"}
    return [pl.col(name).dt.strftime(forms[kind]) for name, kind in layout.columns.items() if kind in forms]


def _parquet(tables: Iterator[pa.Table], layout: Layout) -> Iterator[bytes]:
    sink = _Drained()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), layout.schema, compression="zstd") as writer:
        for table in tables:
            if table.num_rows:
                writer.write_table(table)
            yield sink.drain()
    yield sink.drain()


class _Drained(io.RawIOBase):
    """A file that is taken away as it is written."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        size = memoryview(data).nbytes
        self._held += memoryview(data).cast("B")
        self._place += size
        return size

    def tell(self) -> int:
        return self._place

    def drain(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held
