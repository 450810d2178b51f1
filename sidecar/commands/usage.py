"""`taximeter usage`: sums by any dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sidecar.cli import Exit
from sidecar.commands.context import err, out, print_json, rows_of
from sidecar.commands.reading import ledger, period
from sidecar.commands.show import count, ms, share, usd
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from analytics.period import Period
    from analytics.source import Source

Row = dict[str, Any]
NUMBERS = ("calls", "errors", "fallbacks", "in", "cached", "out", "cost", "p50", "p95")
SPARE = ("cached", "fallbacks", "p50", "p95", "errors")


def usage(*, by: Sequence[str], since: str, filters: Mapping[str, str], wide: bool = False, as_json: bool) -> int:
    """One row a group and the total. Returns an exit code."""
    span = period(since)
    with ledger() as source:
        if not as_json:
            draw(source, span, by, filters, wide=wide)
            return Exit.OK
        rows, total = summed(source, span, by, filters)
    unsure = approximate_anywhere(span, by, filters)
    print_json({
        "start": span.start, "end": span.end, "by": list(by), "rows": rows, "total": total, "approximate": unsure,
    })  # fmt: skip
    return Exit.OK


def summed(source: Source, span: Period, by: Sequence[str], filters: Mapping[str, str]) -> tuple[list[Row], Row]:
    """(rows, total) of a period."""
    from analytics.usage import label, usage_question

    grouped = usage_question(span.start, span.end, by, filters)
    whole = usage_question(span.start, span.end, (), filters)
    rows = rows_of(source.table(grouped.sql, grouped.params))
    for row in rows:
        row.update({name: label(row[name]) for name in by})
    return rows, rows_of(source.table(whole.sql, whole.params))[0]


def draw(source: Source, span: Period, by: Sequence[str], filters: Mapping[str, str], *, wide: bool = False) -> None:
    """The table, with what is to be doubted about it below."""
    rows, total = summed(source, span, by, filters)
    if not rows or not total["calls"]:
        out.print(f"no calls between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC")
        return
    lines = [[*(row[name] or "-" for name in by), *numbers(row)] for row in rows]
    last = ["total", *[""] * (len(by) - 1), *numbers(total)] if by else ()
    show_table((*by, *NUMBERS), lines, right=NUMBERS, spare=SPARE, whole=by, wide=wide, total=last)
    if total["unpriced_calls"] or total["estimated_calls"]:
        things = "attempts" if by_target(filters) else "calls"
        doubts = f"{total['unpriced_calls']} {things} have no known price and are not in the cost"
        err.print(f"{doubts}; {total['estimated_calls']} have estimated usage", style="yellow")
    if approximate_anywhere(span, by, filters):
        err.print("p50 and p95: ±2 % (of periods up to 2 days they are exact)", style="dim")


def by_target(filters: Mapping[str, str]) -> bool:
    """Whether the total is summed over attempts."""
    from analytics.dimensions import OF_TARGET

    return bool(OF_TARGET.keys() & filters.keys())


def approximate_anywhere(span: Period, by: Sequence[str], filters: Mapping[str, str]) -> bool:
    """Whether percentiles of the rows or of the total are within 2 %."""
    from analytics.usage import approximate

    return any(approximate(span.start, span.end, names, filters) for names in (by, ()))


def numbers(row: Mapping[str, Any]) -> list[str]:
    """A row's figures in the order of NUMBERS."""
    return [
        count(row["calls"]),
        share(row["errors"], row["calls"]),
        count(row["fallbacks"]),
        count(row["input_tokens"]),
        count(row["cache_read_tokens"]),
        count(row["output_tokens"]),
        usd(row["cost_usd"]),
        ms(row["p50_ms"]),
        ms(row["p95_ms"]),
    ]
