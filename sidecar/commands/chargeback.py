"""`taximeter chargeback`: what is to be charged to whom."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sidecar.cli import Exit
from sidecar.commands.context import err, out, plain, print_json
from sidecar.commands.export import places, target
from sidecar.commands.reading import ledger, narrowed, period
from sidecar.commands.show import count, usd
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from analytics.chargeback import Chargeback, Line
    from analytics.period import Period

NUMBERS = ("calls", "in", "out", "cost", "share", "unpriced", "estimated")


def chargeback(
    by: Sequence[str], *, since: str, filters: list[str], output: str, as_csv: bool, as_json: bool, wide: bool
) -> int:
    """A table, CSV or JSON, on standard output or in a file (CSV, if nothing else is said). Returns an exit code."""
    from analytics import chargeback as charging

    span = period(since)
    with ledger() as source:
        told = charging.chargeback(source, span, by, narrowed(filters))
    if output:
        ending = "json" if as_json else "csv"
        document = json.dumps(charging.as_document(told, span), default=plain, ensure_ascii=False, indent=2) + "\n"
        with places():
            where = target(output, f"chargeback-{span.start:%Y%m%d}-{span.end:%Y%m%d}.{ending}")
            where.put((document if as_json else charging.as_csv(told)).encode())
        err.print(f"{where.url}: {len(told.lines)} lines, {usd(told.total.cost_usd)}", markup=False)
    elif as_json:
        print_json(charging.as_document(told, span))
    elif as_csv:
        sys.stdout.write(charging.as_csv(told))
    else:
        _table(told, span, wide=wide)
    return Exit.OK


def _table(told: Chargeback, span: Period, *, wide: bool) -> None:
    from analytics.chargeback import shown

    if not told.lines:
        out.print(f"no calls between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC")
        return
    lines = [[*shown(told.by, line.values), *_numbers(line)] for line in told.lines]
    last = ["total", *[""] * (len(told.by) - 1), *_numbers(told.total)]
    show_table((*told.by, *NUMBERS), lines, right=NUMBERS, spare=("estimated",), whole=told.by, wide=wide, total=last)
    if told.total.unpriced_calls:
        err.print(f"{told.total.unpriced_calls:,} calls used something without a known price, which is in no cost")


def _numbers(line: Line) -> list[str]:
    return [
        count(line.calls),
        count(line.input_tokens),
        count(line.output_tokens),
        usd(line.cost_usd),
        "-" if line.share is None else f"{100 * line.share:.1f} %",
        count(line.unpriced_calls),
        count(line.estimated_calls),
    ]
