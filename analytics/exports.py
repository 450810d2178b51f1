"""Files of CSV, Parquet or JSON lines, made piece by piece in little memory, with a manifest of what is in them.

Of calls, or of whatever a `Layout` describes. Money is exact decimals in USD (in JSON as text), times UTC in ISO form.
A row a call; its tags are one JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Protocol

import pyarrow as pa

from analytics.answering import Source
from analytics.calls import involved
from analytics.formats import Format, encoded
from analytics.layouts import CALLS, Layout, Written
from analytics.question import Filters, Question, every, within

__all__ = [
    "CALLS", "COLUMNS", "Format", "Layout", "Writable", "Written",
    "count_question", "export_question", "ledger_position", "manifest", "pieces", "write",
]  # fmt: skip

COLUMNS = CALLS.columns
_ROWS = {Format.CSV: 8_192, Format.JSON_LINES: 1_024, Format.PARQUET: 32_768}
"""Held at a time; a row group of Parquet. Of text little, since it takes ten times the memory."""


class Writable(Protocol):
    """Where a file goes."""

    def write(self, data: bytes, /) -> object: ...


def export_question(start: datetime, end: datetime, filters: Filters | None = None) -> Question:
    """Columns: COLUMNS; in the order of the ledger. Calls begun in [start, end). A provider, model or key is one
    that the call went to. Raises BadQuestion."""
    where = every([within(start, end), *involved(filters)])
    columns = ", ".join("CAST(to_json(tags) AS VARCHAR) AS tags" if name == "tags" else name for name in COLUMNS)
    return Question(f"SELECT {columns} FROM ai_call_logs WHERE {where.sql}", where.params)  # noqa: S608 - our pieces


def count_question(start: datetime, end: datetime, filters: Filters | None = None) -> Question:
    """How many rows such an export has: one figure, `rows`. Raises BadQuestion."""
    where = every([within(start, end), *involved(filters)])
    return Question(f"SELECT count(*) AS rows FROM ai_call_logs WHERE {where.sql}", where.params)  # noqa: S608 - our pieces


def pieces(batches: Iterable[pa.RecordBatch], form: Format, written: Written) -> Iterator[bytes]:
    """The file, in order, as the answer to an export question comes in; `written` says its layout, and is kept up to
    date. Batches have the layout's columns, of types that can be cast to its."""
    for piece in encoded(_gathered(batches, written, _ROWS[form]), form, written.layout):
        if piece:
            yield written.add(piece)


def write(
    batches: Iterable[pa.RecordBatch],
    form: Format,
    out: Writable,
    progress: Callable[[int], object] | None = None,
    layout: Layout = CALLS,
) -> Written:
    """The whole file into `out`. `progress` is told the rows so far."""
    written = Written(layout)
    for piece in pieces(batches, form, written):
        out.write(piece)
        if progress:
            progress(written.rows)
    return written


def ledger_position(source: Source) -> dict[str, tuple[int, int]]:
    """By sidecar: (segment, byte offset) of its journal up to which the ledger has it. Ask before the calls: the
    export then holds at least what was recorded up to there."""
    rows = source.table("SELECT sidecar_id, segment, byte_offset FROM ledger_positions ORDER BY sidecar_id").to_pylist()
    return {row["sidecar_id"]: (row["segment"], row["byte_offset"]) for row in rows}


def manifest(
    written: Written,
    start: datetime,
    end: datetime,
    filters: Filters,
    position: Mapping[str, tuple[int, int]],
    *,
    more: Mapping[str, object] | None = None,
) -> bytes:
    """What stands beside the file, as JSON. `more`: what is known of it beyond its rows."""
    facts = {
        "content": written.layout.name,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "filters": dict(filters),
        "rows": written.rows,
        **{name: f"{total:.12f}" if isinstance(total, Decimal) else total for name, total in written.sums.items()},
        "currency": "USD",
        **written.counts,
        **(more or {}),
        "bytes": written.size,
        "sha256": written.sha256,
        "ledger_position": position,
    }
    return json.dumps(facts, indent=2).encode() + b"\n"


def _gathered(batches: Iterable[pa.RecordBatch], written: Written, rows: int) -> Iterator[pa.Table]:
    """Tables of the layout and about so many rows, counted as they go by; of no batches, one without rows."""
    schema = written.layout.schema
    held: list[pa.RecordBatch] = []
    for batch in (part for whole in batches for part in _parts(whole, rows)):
        held.append(batch.cast(schema))
        if sum(each.num_rows for each in held) >= rows:
            yield written.count(pa.Table.from_batches(held, schema))
            held = []
    if held or not written.rows:
        yield written.count(pa.Table.from_batches(held, schema))


def _parts(batch: pa.RecordBatch, rows: int) -> Iterator[pa.RecordBatch]:
    """Of at most so many rows: what asks may give more at a time than a format has memory for."""
    return (batch.slice(start, rows) for start in range(0, batch.num_rows, rows))
