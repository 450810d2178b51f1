"""Journal messages become Arrow columns: straight from protobuf, a column at a time.

A column is its name in the ledger, its type, and how it is read from a message. Unknown text is "",
unknown numbers and times are null. Money stays exact: integer picodollars are the digits of DECIMAL(18,12).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from taximeter.journal.v1 import journal_pb2
from taximeter.v1 import metering_pb2

TEXT = pa.string()
BOOL = pa.bool_()
INT = pa.int64()
TIME = pa.timestamp("us")
MONEY = pa.decimal128(18, 12)
_MONEY_LIMIT = 10**18  # picodollars that DECIMAL(18,12) has no digits for: a million dollars for one attempt


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: pa.DataType
    read: Callable[[Any], Any]
    """From the message to a Python value; picodollars for money, microseconds for times, None = null."""

    def array(self, messages: Iterable[Any]) -> pa.Array[Any]:
        values = list(map(self.read, messages))
        return money(values) if self.type == MONEY else pa.array(values, self.type)


def money(picodollars: Sequence[int | None]) -> pa.Array[Any]:
    """Exact: the digits of the integer are the digits of the decimal."""
    whole = pc.cast(pa.array(picodollars, INT), pa.decimal128(19, 0))
    return pa.Array.from_buffers(MONEY, len(whole), whole.buffers())


def table(columns: Iterable[Column], messages: Sequence[Any]) -> pa.Table:
    return pa.table({column.name: column.array(messages) for column in columns})


def calls(records: Sequence[journal_pb2.CallRecord]) -> pa.Table:
    return table(_CALL, records)


def open_calls(records: Sequence[journal_pb2.CallRecord]) -> pa.Table:
    return table(_OPEN_CALL, records)


def attempts(records: Sequence[journal_pb2.CallRecord]) -> pa.Table:
    """A row an attempt of `records`, each with its cost's lines."""
    own = [attempt for record in records for attempt in record.attempts]
    keys = {
        "sidecar_id": pa.array([r.sidecar_id for r in records for _ in r.attempts], TEXT),
        "seq": pa.array([r.seq for r in records for _ in r.attempts], INT),
    }
    return pa.table(
        {
            **keys,
            **{c.name: c.array(own) for c in _ATTEMPT},
            "cost_lines": _cost_lines([attempt.cost for attempt in own]),
        }
    )


def keys(pairs: Iterable[tuple[str, int]]) -> pa.Table:
    """(sidecar_id, seq), a row each."""
    sidecars, seqs = list(zip(*pairs, strict=True)) or ((), ())
    return pa.table({"sidecar_id": pa.array(sidecars, TEXT), "seq": pa.array(seqs, INT)})


def target_states(sidecar_id: str, states: Iterable[journal_pb2.State]) -> pa.Table:
    """Of each target the latest; `states` in the order they were written."""
    latest = {(t.provider, t.model): (state.at_ns, t) for state in states for t in state.targets}
    targets = [target for _, target in latest.values()]
    return pa.table(
        {
            "sidecar_id": pa.array([sidecar_id] * len(targets), TEXT),
            **{column.name: column.array(targets) for column in _TARGET_STATE},
            "at": pa.array([at_ns // 1000 for at_ns, _ in latest.values()], TIME),
        }
    )


def costs(own: Sequence[metering_pb2.Cost]) -> dict[str, pa.Array[Any]]:
    """The columns that a cost has; what no column can hold is no price."""
    amounts = [_amount(cost) for cost in own]
    held = [cost.priced and amount is not None for cost, amount in zip(own, amounts, strict=True)]
    return {
        "priced": pa.array(held, BOOL),
        "cost_usd": money(amounts),
        "price_source": pa.array([cost.price_source for cost in own], TEXT),
        "price_version": pa.array([cost.price_version for cost in own], TEXT),
        "cost_lines": _cost_lines(own),
    }


def _cost_lines(own: Sequence[metering_pb2.Cost]) -> pa.Array[Any]:
    """None of what is booked as unpriced: lines add up to what their attempt costs."""
    parts = [cost.lines if _amount(cost) is not None else () for cost in own]
    lines = [line for part in parts for line in part]
    offsets = pa.array(accumulate(map(len, parts), initial=0), pa.int32())
    structs = pa.StructArray.from_arrays([column.array(lines) for column in _COST_LINE], [c.name for c in _COST_LINE])
    return pa.ListArray.from_arrays(offsets, structs)


def _same(kind: pa.DataType, *names: str) -> tuple[Column, ...]:
    """Columns called as the field is."""
    return tuple(Column(name, kind, attrgetter(name)) for name in names)


def _known(name: str, field: str, kind: pa.DataType = INT) -> Column:
    """A number of which 0 means that it is not known."""
    read = attrgetter(field)
    return Column(name, kind, lambda message: read(message) or None)


def _used(name: str, kind: pa.DataType = INT) -> Column:
    """A field of `usage`, absent or there."""

    def read(message: Any) -> Any:
        usage = message.usage
        return getattr(usage, name) if usage.HasField(name) else None

    return Column(name, kind, read)


def _instant(name: str, field: str) -> Column:
    """UTC nanoseconds -> microseconds; 0 and absent are null."""
    read = attrgetter(field)
    return Column(name, TIME, lambda message: read(message) // 1000 or None)


def _in_range(picodollars: int) -> int | None:
    return picodollars if -_MONEY_LIMIT < picodollars < _MONEY_LIMIT else None


def _amount(cost: metering_pb2.Cost) -> int | None:
    return _in_range(cost.amount_picodollars) if cost.HasField("amount_picodollars") else None


def _last_attempts(field: str, own: str) -> Callable[[journal_pb2.CallRecord], Any]:
    """Where an open call is: its last attempt's `field`, or the call's `own` if it has none."""
    return lambda record: getattr(record.attempts[-1], field) if record.attempts else getattr(record, own)


# What a call and an attempt both have.
_METERED = (
    *(_used(name) for name in ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")),
    *(_used(name) for name in ("reasoning_tokens", "audio_input_tokens", "audio_output_tokens", "images")),
    _used("seconds", pa.float64()),
    *(_used(name) for name in ("characters", "requests")),
    *_same(TEXT, "usage_source", "estimator_version"),
    # A price that no column can hold is no price.
    Column("priced", BOOL, lambda message: message.cost.priced and _amount(message.cost) is not None),
    Column("cost_usd", MONEY, lambda message: _amount(message.cost)),
    Column("cost_at_risk_usd", MONEY, lambda message: _in_range(message.cost_at_risk_picodollars)),
    *_same(BOOL, "maybe_billed"),
    Column("price_source", TEXT, attrgetter("cost.price_source")),
    Column("price_version", TEXT, attrgetter("cost.price_version")),
    _instant("first_token_at", "first_token_ns"),
    _instant("ended_at", "ended_ns"),
)

# What stands from a call's first start frame on.
_BEGUN = (
    *_same(TEXT, "sidecar_id"),
    *_same(INT, "seq"),
    Column("record_version", pa.int32(), attrgetter("version")),
    *_same(TEXT, "call_id", "request_id", "conversation_id", "workspace", "caller", "alias"),
    _known("alias_version", "alias_version"),
    *_same(TEXT, "task", "operation", "capability", "strategy", "preference"),
    *_same(BOOL, "streamed"),
    Column(
        "skips",
        pa.list_(pa.struct([("provider", TEXT), ("model", TEXT), ("reason", TEXT)])),
        lambda record: [{"provider": s.provider, "model": s.model, "reason": s.reason} for s in record.skips],
    ),
    Column("attempts", pa.int32(), lambda record: len(record.attempts)),
    Column("started_at", TIME, lambda record: record.started_ns // 1000),
    Column("started_ns_rest", pa.int16(), lambda record: record.started_ns % 1000),
    *_same(INT, "bytes_in"),
    *_same(TEXT, "trace_id", "parent_span_id", "server_span_id", "invoke_span_id"),
    *_same(BOOL, "sampled"),
    Column("tags", pa.map_(TEXT, TEXT), lambda record: list(record.tags.items())),
    *_same(TEXT, "rpc_method"),
)

_CALL = (
    *_BEGUN,
    *_same(TEXT, "status", "error_type", "grpc_status"),
    Column("provider", TEXT, attrgetter("provider_of_record")),
    Column("model", TEXT, attrgetter("model_requested")),
    *_same(TEXT, "provider_type", "model_reported", "key_id", "key_owner", "fallback_reason"),
    *_same(BOOL, "fallback_used"),
    *_METERED,
    *_same(INT, "duration_ns", "queued_ns", "provider_ns", "overhead_ns", "bytes_out"),
    Column("budget_at", TIME, lambda record: (record.budget_ns or record.started_ns) // 1000),
    Column(
        "max_tokens_granted",
        pa.int32(),
        lambda record: record.max_tokens_granted if record.HasField("max_tokens_granted") else None,
    ),
    Column("budget_alerts", pa.list_(TEXT), lambda record: list(record.budget_alerts)),
)

_OPEN_CALL = (
    *_BEGUN,
    Column("provider", TEXT, _last_attempts("provider", "provider_of_record")),
    Column("model", TEXT, _last_attempts("model_requested", "model_requested")),
    *(Column(name, TEXT, _last_attempts(name, name)) for name in ("provider_type", "key_id", "key_owner")),
)

_ATTEMPT = (
    *_same(pa.int32(), "number"),
    *_same(TEXT, "provider", "provider_type"),
    Column("model", TEXT, attrgetter("model_requested")),
    *_same(TEXT, "model_reported", "key_id", "key_owner", "status", "error_type"),
    _known("http_status", "http_status", pa.int32()),
    *_same(TEXT, "provider_request_id", "response_id"),
    Column("finish_reasons", pa.list_(TEXT), lambda attempt: list(attempt.finish_reasons)),
    Column("started_at", TIME, lambda attempt: attempt.started_ns // 1000),
    *_METERED,
    *_same(TEXT, "circuit"),
    *_same(INT, "bytes_sent", "bytes_received", "chunks", "malformed_events"),
    *_same(TEXT, "span_id", "server_address"),
    _known("server_port", "server_port", pa.int32()),
    *_same(INT, "tokens_at_risk"),
)

_COST_LINE = (
    *_same(TEXT, "meter"),
    *_same(INT, "quantity"),
    Column("price_per_million_usd", MONEY, lambda line: _in_range(line.price_per_million_picodollars)),
    Column("cost_usd", MONEY, lambda line: _in_range(line.cost_picodollars)),
)

_TARGET_STATE = (
    *_same(TEXT, "provider", "model", "circuit"),
    *_same(INT, "requests", "errors"),
    *_same(pa.float64(), "mean_ms", "p95_ms"),
    _instant("last_used_at", "last_used_ns"),
    *_same(TEXT, "last_error_type"),
    _instant("last_error_at", "last_error_ns"),
    _instant("cooling_until", "cooling_until_ns"),
)
