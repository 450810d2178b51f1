"""Exports: what is read back is what was recorded, to the picodollar, in every format."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from analytics.exports import (
    COLUMNS,
    Format,
    Layout,
    Written,
    export_question,
    ledger_position,
    manifest,
    pieces,
    write,
)
from analytics.layouts import SECONDS
from analytics.source import open_source
from sidecar.core.call import CallRecord, UsageSource
from sidecar.core.money import to_usd
from tests.support.analytics import START, at, ledgers, ns, temporary

END = START + timedelta(days=2)


def read(form: Format, data: bytes) -> list[dict[str, Any]]:
    """The file's rows, with costs as decimals, times as the ledger has them, tags as a dict."""
    if form is Format.PARQUET:
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
    elif form is Format.CSV:
        rows = list(csv.DictReader(io.StringIO(data.decode())))
    else:
        rows = [json.loads(line) for line in data.splitlines()]
    for row in rows:
        row["cost_usd"] = None if row["cost_usd"] in {None, ""} else Decimal(row["cost_usd"])
        row["tags"] = json.loads(row["tags"]) if isinstance(row["tags"], str) else row["tags"]
        if isinstance(row["started_at"], str):
            row["started_at"] = datetime.strptime(row["started_at"], "%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: DTZ007 - checked: Z
    return rows


@settings(max_examples=12, deadline=None)
@given(ledgers())
@pytest.mark.parametrize("form", list(Format))
def test_a_file_holds_what_was_recorded(form: Format, records: list[CallRecord]) -> None:
    out = io.BytesIO()
    with temporary(records) as home:
        question = export_question(START, END)
        written = write(open_source(home).batches(question.sql, question.params), form, out)
    rows = read(form, out.getvalue())
    amounts = [record.cost.amount_picodollars for record in records]
    total = to_usd(sum(amount for amount in amounts if amount is not None))
    assert [(row["call_id"], row["started_at"], row["tags"]) for row in rows] == [
        (record.call_id, at(record.started_ns), record.tags) for record in records
    ]
    assert [row["cost_usd"] for row in rows] == [None if amount is None else to_usd(amount) for amount in amounts]
    assert (written.rows, written.cost_usd) == (len(records), total)
    assert written.unpriced_calls == sum(not record.cost.priced for record in records)
    assert written.estimated_calls == sum(record.usage_source is UsageSource.ESTIMATED for record in records)
    assert (written.sha256, written.size) == (hashlib.sha256(out.getvalue()).hexdigest(), len(out.getvalue()))


@pytest.mark.parametrize("form", list(Format))
def test_of_no_calls_the_columns_remain(form: Format) -> None:
    out = io.BytesIO()
    write([], form, out)
    names = {
        Format.CSV: lambda: out.getvalue().decode().strip().split(","),
        Format.PARQUET: lambda: pq.read_schema(out).names,
        Format.JSON_LINES: lambda: list(COLUMNS) if out.getvalue() == b"" else [],
    }[form]()
    assert names == list(COLUMNS)


def batch(cost: str | None, **more: Any) -> pa.RecordBatch:
    """One call of this cost and otherwise empty."""
    row = {
        **dict.fromkeys(COLUMNS),
        "priced": True,
        "usage_source": "reported",
        "started_at": at(ns(START)),
        "tags": "{}",
        **more,
    }
    arrays = [
        pa.array([Decimal(cost) if name == "cost_usd" and cost else row[name]], kind) for name, kind in COLUMNS.items()
    ]
    return pa.record_batch(arrays, schema=pa.schema(list(COLUMNS.items())))


@pytest.mark.parametrize(
    "cost",
    [
        pytest.param("0.000000000001", id="a-picodollar-without-exponent"),
        pytest.param("123456.123456789012", id="many-digits"),
        pytest.param("0.000000000000", id="zero-is-not-absent"),
    ],
)
@pytest.mark.parametrize("form", [Format.CSV, Format.JSON_LINES])
def test_money_in_text_is_exact(form: Format, cost: str) -> None:
    out = io.BytesIO()
    write([batch(cost)], form, out)
    text = out.getvalue().decode()
    assert (f'"cost_usd":"{cost}"' if form is Format.JSON_LINES else f",{cost},") in text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a "b", c', id="quotes-and-commas"),
        pytest.param("two\nlines", id="newlines"),
        pytest.param("Zürich 🚕", id="beyond-ascii"),
        pytest.param("}", id="what-ends-a-json-object"),
    ],
)
@pytest.mark.parametrize("form", list(Format))
def test_text_comes_back_as_it_was(form: Format, text: str) -> None:
    out = io.BytesIO()
    write([batch("1", alias=text, tags=json.dumps({"team": text}))], form, out)
    (row,) = read(form, out.getvalue())
    assert (row["alias"], row["tags"]) == (text, {"team": text})


@pytest.mark.parametrize("form", list(Format))
def test_a_large_file_comes_in_pieces_before_its_end_is_read(form: Format) -> None:
    """Bounded memory: pieces leave while batches still come, and nothing is held but a row group and a batch."""
    read_so_far = 0
    large = pa.Table.from_batches([batch("0.5")] * 10_000).combine_chunks().to_batches()[0]

    def many() -> Iterator[pa.RecordBatch]:
        nonlocal read_so_far
        for _ in range(10):
            read_so_far += 1
            yield large

    written = Written()
    taken = [0] + [10_000 * read_so_far for _ in pieces(many(), form, written)]
    assert max(after - before for before, after in pairwise(taken)) < 32_768 + 10_000
    assert written.rows == 100_000
    assert written.cost_usd == 50_000


def test_progress_tells_the_rows_so_far() -> None:
    told: list[int] = []
    write([batch("1")] * 3, Format.CSV, io.BytesIO(), told.append)
    assert told == [3]


def test_filters_and_period_narrow_an_export() -> None:
    question = export_question(START, END, {"alias": "smart", "provider": "openai"})
    assert question.params == ("2026-11-02 00:00:00.000000", "2026-11-04 00:00:00.000000", "smart", "openai", "openai")


def test_the_manifest_says_what_is_in_the_file(tmp_path: Path) -> None:
    with temporary([]) as home:
        position = ledger_position(open_source(home))
    written = write([batch("0.1"), batch(None, priced=False)], Format.CSV, io.BytesIO())
    facts = json.loads(manifest(written, START, END, {"alias": "smart"}, position))
    tokens = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
    assert facts == {
        "content": "calls",
        "start": "2026-11-02T00:00:00+00:00",
        "end": "2026-11-04T00:00:00+00:00",
        "filters": {"alias": "smart"},
        "rows": 2,
        "cost_usd": "0.100000000000",
        **dict.fromkeys(tokens, 0),
        "currency": "USD",
        "unpriced_calls": 1,
        "estimated_calls": 0,
        "bytes": written.size,
        "sha256": written.sha256,
        "ledger_position": {"sidecar-a": [0, 0]},
    }


def test_any_layout_is_written_and_summed() -> None:
    """Times to the second, money of 38 digits, text that is JSON, sums and counts by the layout's own names."""
    layout = Layout(
        "charges",
        {
            "ChargePeriodStart": SECONDS,
            "BilledCost": pa.decimal128(38, 12),
            "Quantity": pa.int64(),
            "Tags": pa.string(),
        },
        sums=("BilledCost", "Quantity"),
        counts={"free": pl.col("BilledCost") == 0},
        json=frozenset({"Tags"}),
    )
    rows: list[dict[str, Any]] = [
        {"ChargePeriodStart": at(ns(START)), "BilledCost": Decimal("0.5"), "Quantity": 2**60, "Tags": '{"a":"b"}'},
        {"ChargePeriodStart": at(ns(START)), "BilledCost": Decimal(0), "Quantity": None, "Tags": None},
    ]
    written = {}
    files = {}
    for form in Format:
        out = io.BytesIO()
        written[form] = write([pa.RecordBatch.from_pylist(rows, schema=layout.schema)], form, out, layout=layout)
        files[form] = out.getvalue()
        assert written[form].sums == {"BilledCost": Decimal("0.5"), "Quantity": 2**60}
        assert written[form].counts == {"free": 1}
    assert files[Format.CSV].decode().splitlines() == [
        "ChargePeriodStart,BilledCost,Quantity,Tags",
        '2026-11-02T00:00:00Z,0.500000000000,1152921504606846976,"{""a"":""b""}"',
        "2026-11-02T00:00:00Z,0.000000000000,,",
    ]
    assert [json.loads(line)["Tags"] for line in files[Format.JSON_LINES].splitlines()] == [{"a": "b"}, None]
    assert pq.read_schema(io.BytesIO(files[Format.PARQUET])).names == list(layout.columns)
