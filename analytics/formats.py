"""Export files, encoded piece by piece: their columns, and each format's bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

import polars as pl
import polars.selectors as cs
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

TIME = pa.timestamp("us")
USD = pa.decimal128(18, 12)
COLUMNS: dict[str, pa.DataType] = {
    **dict.fromkeys(("call_id", "request_id", "conversation_id"), pa.string()),
    **dict.fromkeys(("started_at", "ended_at"), TIME),
    **dict.fromkeys(("workspace", "caller", "alias", "task", "operation", "status", "error_type"), pa.string()),
    **dict.fromkeys(("provider", "provider_type", "model", "model_reported", "key_id", "key_owner"), pa.string()),
    "streamed": pa.bool_(),
    "attempts": pa.int32(),
    "fallback_used": pa.bool_(),
    "fallback_reason": pa.string(),
    **dict.fromkeys(
        ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
         "audio_input_tokens", "audio_output_tokens", "images"), pa.int64()),
    "seconds": pa.float64(),
    **dict.fromkeys(("characters", "requests"), pa.int64()),
    **dict.fromkeys(("usage_source", "estimator_version"), pa.string()),
    "priced": pa.bool_(),
    **dict.fromkeys(("cost_usd", "cost_at_risk_usd"), USD),
    "maybe_billed": pa.bool_(),
    **dict.fromkeys(("price_source", "price_version"), pa.string()),
    **dict.fromkeys(("duration_ms", "time_to_first_token_ms"), pa.float64()),
    "overhead_us": pa.int64(),
    "trace_id": pa.string(),
    "sidecar_id": pa.string(),
    "seq": pa.int64(),
    "tags": pa.string(),
}  # fmt: skip
"""Of every format, in this order; as `ai_call_logs` has them but for `tags`, which is JSON."""
SCHEMA = pa.schema(list(COLUMNS.items()))


_TEXT_ROWS = 8_192
"""Held as text at a time."""


class Format(StrEnum):
    """By the ending of its files."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON_LINES = "jsonl"


def encoded(tables: Iterator[pa.Table], form: Format) -> Iterator[bytes]:
    """The file of these tables, all of SCHEMA. At least one table, were it empty: a file has its columns anyway."""
    return {Format.CSV: _csv, Format.PARQUET: _parquet, Format.JSON_LINES: _json_lines}[form](tables)


def _csv(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    for number, table in enumerate(_small(tables)):
        yield _plain(table).write_csv(include_header=number == 0).encode()


def _json_lines(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    """`tags` are JSON already, so they are set into the line that holds the rest."""
    for table in _small(tables):
        rest = pl.struct(pl.exclude("tags")).struct.json_encode().str.strip_suffix("}")
        lines = _plain(table).select(rest + ',"tags":' + pl.col("tags") + "}").to_series()
        yield "".join(f"{line}\n" for line in lines).encode()


def _small(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in smaller tables, of which there is at least one each: text takes ten times the memory."""
    for table in tables:
        yield from (table.slice(start, _TEXT_ROWS) for start in range(0, max(1, table.num_rows), _TEXT_ROWS))


def _plain(table: pa.Table) -> pl.DataFrame:
    """Decimals and times as text, without exponent and with a Z."""
    frame = pl.DataFrame(table)
    return frame.with_columns(cs.decimal().cast(pl.String), cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))


def _parquet(tables: Iterator[pa.Table]) -> Iterator[bytes]:
    sink = _Drained()
    with pq.ParquetWriter(pa.PythonFile(sink, "w"), SCHEMA, compression="zstd") as writer:
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
