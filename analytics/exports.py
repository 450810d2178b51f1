"""Calls as files: CSV, Parquet, JSON lines, made piece by piece in little memory, with a manifest of what is in them.

Costs are exact decimals in USD (in JSON as text), times UTC in ISO form. A row a call; its tags are one JSON object.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

import polars as pl
import pyarrow as pa

from analytics.answering import Source
from analytics.calls import involved
from analytics.formats import COLUMNS, SCHEMA, Format, encoded
from analytics.question import Filters, Question, every, within

__all__ = [
    "COLUMNS", "Format", "Written",
    "count_question", "export_question", "ledger_position", "manifest", "pieces", "write",
]  # fmt: skip

_ROWS = 65_536
"""Held at a time: a row group of Parquet."""


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


@dataclass(slots=True)
class Written:
    """What an export came to. Complete when its last piece has been given out."""

    rows: int = 0
    cost_usd: Decimal = Decimal(0)
    """Exact, of the priced calls."""
    unpriced_calls: int = 0
    estimated_calls: int = 0
    size: int = 0
    """Bytes."""
    _hash: Any = field(default_factory=hashlib.sha256)

    @property
    def sha256(self) -> str:
        return str(self._hash.hexdigest())

    def count(self, table: pa.Table) -> pa.Table:
        frame = pl.DataFrame(table.select(["cost_usd", "priced", "usage_source"]))
        self.rows += frame.height
        self.cost_usd += Decimal(frame["cost_usd"].sum() or 0)
        self.unpriced_calls += int((~frame["priced"]).sum())
        self.estimated_calls += int((frame["usage_source"] == "estimated").sum())
        return table

    def add(self, piece: bytes) -> bytes:
        self._hash.update(piece)
        self.size += len(piece)
        return piece


def pieces(batches: Iterable[pa.RecordBatch], form: Format, written: Written) -> Iterator[bytes]:
    """The file, in order, as the answer to an export question comes in; `written` is kept up to date."""
    for piece in encoded(_gathered(batches, written), form):
        if piece:
            yield written.add(piece)


def write(
    batches: Iterable[pa.RecordBatch], form: Format, out: IO[bytes], progress: Callable[[int], object] | None = None
) -> Written:
    """The whole file into `out`. `progress` is told the rows so far."""
    written = Written()
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
    written: Written, start: datetime, end: datetime, filters: Filters, position: Mapping[str, tuple[int, int]]
) -> bytes:
    """What stands beside the file, as JSON."""
    facts = {
        "start": start.isoformat(),
        "end": end.isoformat(),
        "filters": dict(filters),
        "rows": written.rows,
        "cost_usd": f"{written.cost_usd:.12f}",
        "currency": "USD",
        "unpriced_calls": written.unpriced_calls,
        "estimated_calls": written.estimated_calls,
        "bytes": written.size,
        "sha256": written.sha256,
        "ledger_position": position,
    }
    return json.dumps(facts, indent=2).encode() + b"\n"


def _gathered(batches: Iterable[pa.RecordBatch], written: Written) -> Iterator[pa.Table]:
    """Tables of SCHEMA and about _ROWS rows, counted as they go by; of no batches, one without rows."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch.cast(SCHEMA))
        if sum(each.num_rows for each in held) >= _ROWS:
            yield written.count(pa.Table.from_batches(held, SCHEMA))
            held = []
    if held or not written.rows:
        yield written.count(pa.Table.from_batches(held, SCHEMA))
