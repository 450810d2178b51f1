"""`taximeter report`: the reports that analytics knows by name."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sidecar.cli import Exit
from sidecar.commands.context import out, plain, print_json
from sidecar.commands.reading import ledger, narrowed, period
from sidecar.commands.show import about, count, ms, share, usd
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from analytics.report import Column, Report

Row = Mapping[str, Any]


def listed(*, as_json: bool) -> int:
    """Names and meanings. Returns an exit code."""
    from analytics.reports import REPORTS

    known = [(each.name, each.by or None, each.means) for each in REPORTS.values()]
    if as_json:
        print_json({"reports": [dict(zip(("name", "by", "means"), each, strict=True)) for each in known]})
    else:
        show_table(("report", "by", "means"), known, whole=("report", "by"))
    return Exit.OK


def report(
    name: str, *, since: str, filters: Sequence[str], by: str, as_csv: bool, as_json: bool, wide: bool = False
) -> int:
    """One of them. Returns an exit code."""
    from analytics.reports import report as named

    span, chosen = period(since), narrowed(filters)
    with ledger() as source:
        asked = named(name)
        rows = asked.asked(source, span, chosen, by).to_dicts()
    if as_json:
        print_json({"report": name, "start": span.start, "end": span.end, "by": by or asked.by or None, "rows": rows})
    elif as_csv:
        _csv(rows)
    elif not rows:
        none = f"nothing between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC"
        out.print(asked.empty or none, markup=False)
    elif asked.told:
        _tell(asked, rows)
    else:
        _table(asked.titled(by), rows, wide=wide)
    return Exit.OK


def _csv(rows: Sequence[Row]) -> None:
    """Every column; money exact, unknown values empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerows([list(rows[0])] if rows else [])
    writer.writerows([plain(value) if isinstance(value, datetime | Decimal) else value for value in row.values()]
                     for row in rows)  # fmt: skip


def _table(columns: Sequence[Column], rows: Iterable[Row], *, wide: bool) -> None:
    titles = [each.title for each in columns]
    numbers = [each.title for each in columns if each.kind not in WORDS]
    show_table(titles, [[cell(each, row) for each in columns] for row in rows], right=numbers, wide=wide)


def _tell(asked: Report, rows: Iterable[Row]) -> None:
    """A line a row, its sentences below."""
    for row in rows:
        first, *others = (f"{cell(each, row)}" for each in asked.titled())
        titles = (each.title for each in asked.titled()[1:])
        out.print(first, style="bold", markup=False, end="  ")
        out.print("  ".join(f"{title} {text}" for title, text in zip(titles, others, strict=True)), markup=False)
        for line in (line for name in asked.told for line in row[name].splitlines()):
            out.print(f"  {line}", markup=False)


WORDS = frozenset({"text", "day", "time"})
"""Kinds that stand flush left."""


def cell(column: Column, row: Row) -> str | None:
    """A value as its kind is shown; None for an unknown one."""
    value = row[column.name]
    if value is None:
        return None
    if column.kind == "amount":
        return _amount(value, row["unit"])
    return SHOWN[column.kind](value)


def _lasting(time_ms: float) -> str:
    from analytics.words import lasting

    return lasting(time_ms)


SHOWN: Mapping[str, Callable[[Any], str]] = {
    "text": lambda value: str(value) or "-",
    "count": count,
    "usd": lambda value: about(Decimal(value)),
    "ms": ms,
    "lasting": _lasting,
    "share": lambda value: share(value, 1),
    "change": lambda value: f"{100 * value:+.0f} %",
    "number": lambda value: f"{value:.1f}",
    "day": lambda value: f"{value:%Y-%m-%d}",
    "time": lambda value: f"{value:%Y-%m-%d %H:%M}",
}


def _amount(value: Decimal | float, unit: str) -> str:
    """A budget's: exact as stated, an estimate for reading."""
    if unit != "usd":
        return count(float(value))
    return usd(value) if isinstance(value, Decimal) else about(Decimal(value))
