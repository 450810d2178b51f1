"""What a file's rows are: their columns, and what of them is summed and counted for the manifest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa

USD = pa.decimal128(18, 12)
MICROSECONDS = pa.timestamp("us")
"""Times UTC, without a zone; as text with six decimals and a Z. Of `pa.timestamp("s")`: without decimals, and a Z."""
SECONDS = pa.timestamp("s")


@dataclass(frozen=True, slots=True)
class Layout:
    """Decimals are exact, and never have an exponent as text; in JSON lines they are text."""

    name: str
    """Of its rows: "calls"."""
    columns: Mapping[str, pa.DataType]
    """Of every format, in this order."""
    sums: tuple[str, ...] = ()
    """Columns whose sums the manifest tells: decimals and whole numbers, absent ones left out."""
    counts: Mapping[str, pl.Expr] = field(default_factory=dict)
    """What the manifest counts: a name -> the condition on a row."""
    json: frozenset[str] = frozenset()
    """Text columns that hold JSON already: JSON lines have them as they are, absent ones as null."""

    @property
    def schema(self) -> pa.Schema:
        return pa.schema(list(self.columns.items()))


CALLS = Layout(
    "calls",
    {
        **dict.fromkeys(("call_id", "request_id", "conversation_id"), pa.string()),
        **dict.fromkeys(("started_at", "ended_at"), MICROSECONDS),
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
    },
    sums=("cost_usd", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens"),
    counts={"unpriced_calls": ~pl.col("priced"), "estimated_calls": pl.col("usage_source") == "estimated"},
    json=frozenset({"tags"}),
)  # fmt: skip
"""A row a call, as `ai_call_logs` has them but for `tags`, which is JSON."""


@dataclass(slots=True)
class Written:
    """What a file came to. Complete when its last piece has been given out."""

    layout: Layout = CALLS
    rows: int = 0
    sums: dict[str, Decimal | int] = field(default_factory=dict)
    """Exact, by the layout's `sums`."""
    counts: dict[str, int] = field(default_factory=dict)
    size: int = 0
    """Bytes."""
    _hash: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        money = {name for name in self.layout.sums if pa.types.is_decimal(self.layout.columns[name])}
        self.sums = {name: Decimal(0) if name in money else 0 for name in self.layout.sums}
        self.counts = dict.fromkeys(self.layout.counts, 0)

    @property
    def sha256(self) -> str:
        return str(self._hash.hexdigest())

    @property
    def cost_usd(self) -> Decimal:
        """Of calls: what the priced ones cost."""
        return Decimal(self.sums["cost_usd"])

    @property
    def unpriced_calls(self) -> int:
        return self.counts["unpriced_calls"]

    @property
    def estimated_calls(self) -> int:
        return self.counts["estimated_calls"]

    def count(self, table: pa.Table) -> pa.Table:
        """Takes the rows of `table` into account, and gives it back."""
        sums = {f"sum:{name}": pl.col(name).sum() for name in self.sums}
        counts = {f"count:{name}": self.layout.counts[name].sum() for name in self.counts}
        facts = sums | counts
        found = _only_used(table, facts.values()).select(**facts).row(0, named=True) if facts else {}
        self.rows += table.num_rows
        for name in self.sums:
            self.sums[name] += found[f"sum:{name}"] or 0
        for name in self.counts:
            self.counts[name] += found[f"count:{name}"] or 0
        return table

    def add(self, piece: bytes) -> bytes:
        self._hash.update(piece)
        self.size += len(piece)
        return piece


def _only_used(table: pa.Table, facts: Iterable[pl.Expr]) -> pl.DataFrame:
    """The columns that these ask for: what goes into a frame is copied."""
    names = dict.fromkeys(name for each in facts for name in each.meta.root_names())
    return pl.DataFrame(table.select(list(names)))
