"""`taximeter usage`: sums by any dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.cli import Exit
from sidecar.commands.context import out, print_json, rows_of, table
from sidecar.commands.reading import ledger, period
from sidecar.commands.show import count, ms, share, usd

NUMBERS = ("calls", "errors", "fallbacks", "input", "cached", "output", "cost", "p50", "p95")


def usage(*, by: Sequence[str], since: str, filters: Mapping[str, str], as_json: bool) -> int:
    """One row a group and the total. Returns an exit code."""
    from analytics.usage import label, usage_question

    span = period(since)
    with ledger() as source:
        grouped = usage_question(span.start, span.end, by, filters)
        whole = usage_question(span.start, span.end, (), filters)
        rows = rows_of(source.table(grouped.sql, grouped.params))
        total = rows_of(source.table(whole.sql, whole.params))[0]
    for row in rows:
        row.update({name: label(row[name]) for name in by})
    if as_json:
        print_json({"start": span.start, "end": span.end, "by": list(by), "rows": rows, "total": total})
        return Exit.OK
    if not rows:
        out.print(f"no calls between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC")
        return Exit.OK
    drawn = table(
        (*by, *NUMBERS),
        [[*(row[name] or "(none)" for name in by), *numbers(row)] for row in rows],
        right=frozenset(NUMBERS),
    )
    drawn.add_section()
    drawn.add_row(*(["total", *[""] * (len(by) - 1)] if by else []), *numbers(total), style="bold")
    out.print(drawn)
    if total["unpriced_calls"] or total["estimated_calls"]:
        out.print(
            f"of these {total['unpriced_calls']} without a known price (not in the cost), "
            f"{total['estimated_calls']} with estimated usage",
            style="yellow",
        )
    return Exit.OK


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
