"""`taximeter query`: one SELECT over the ledger's views, for whoever owns this home."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from sidecar.arguments import Exit
from sidecar.commands.context import err, fail, out, plain
from sidecar.commands.reading import ledger
from sidecar.commands.tables import show_table

SHOWN = 200
"""Rows of a table for the eye; CSV and JSON have them all."""


def query(sql: str, *, as_csv: bool, as_json: bool) -> int:
    """`sql`: "-" reads it from standard input. Returns an exit code."""
    asked = sys.stdin.read() if sql == "-" else sql
    with ledger() as source, _well_put():
        if as_csv:
            _csv(source.batches(asked))
        elif as_json:
            _json_lines(source.batches(asked))
        else:
            _table(source.table(asked))
    return Exit.OK


@contextmanager
def _well_put() -> Iterator[None]:
    """SQL that the ledger refuses is an argument at fault; one that it cannot finish was tried."""
    from analytics.source import QuestionRefused

    try:
        yield
    except QuestionRefused as refused:
        fail(str(refused), Exit.USAGE)


def _table(answer: Any) -> None:
    rows = answer.slice(0, SHOWN).to_pylist(maps_as_pydicts="strict")
    numbers = [name for name, kind in zip(answer.column_names, answer.schema.types, strict=True) if _is_number(kind)]
    show_table(answer.column_names, ([_cell(value) for value in row.values()] for row in rows), right=numbers)
    if answer.num_rows > SHOWN:
        err.print(f"the first {SHOWN} of {answer.num_rows:,} rows; --csv and --json give all", style="dim")
    elif not answer.num_rows:
        out.print("no rows")


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _cell(value: Any) -> object:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return json.dumps(value, default=_plain) if isinstance(value, dict | list) else value


def _csv(batches: Iterable[Any]) -> None:
    """With its head. Lists, structures and maps as JSON."""
    import csv

    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, batch in enumerate(batches):
        if not number:
            writer.writerow(batch.schema.names)
        for row in batch.to_pylist(maps_as_pydicts="strict"):
            writer.writerow([_field(value) for value in row.values()])


def _field(value: Any) -> object:
    if isinstance(value, dict | list):
        return json.dumps(value, default=_plain)
    return plain(value) if isinstance(value, datetime | Decimal) else value


def _json_lines(batches: Iterable[Any]) -> None:
    for batch in batches:
        rows: Iterable[Mapping[str, Any]] = batch.to_pylist(maps_as_pydicts="strict")
        sys.stdout.writelines(json.dumps(row, default=_plain, ensure_ascii=False) + "\n" for row in rows)


def _plain(value: Any) -> object:
    """Sums of whole numbers come as decimals without decimals."""
    return int(value) if isinstance(value, Decimal) and value.as_tuple().exponent == 0 else plain(value)
