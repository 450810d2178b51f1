"""`taximeter calls`: the latest calls, one call, or all as they end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sidecar.cli import Exit
from sidecar.commands.context import fail, out, print_json, rows_of, table
from sidecar.commands.reading import ledger, period
from sidecar.commands.show import count, ms, usd, when

if TYPE_CHECKING:
    from analytics.calls import OneCall
    from analytics.source import Source

COLUMNS = ("started", "call", "alias", "provider", "model", "status", "in", "out", "cost", "took", "note")
NUMBERS = frozenset(("in", "out", "cost", "took"))
POLL_S = 0.25


def calls(*, since: str, filters: Mapping[str, str], limit: int, follow: bool, as_json: bool) -> int:
    """Newest first; with `follow` then each as it ends. Returns an exit code."""
    from analytics.calls import calls_question

    span = period(since)
    with ledger() as source:
        question = calls_question(span.start, span.end, filters, limit=limit)
        rows = rows_of(source.table(question.sql, question.params))
        if as_json:
            for row in rows:
                print_json(row)
        elif rows:
            out.print(table(COLUMNS, [cells(row) for row in rows], right=NUMBERS))
        elif not follow:
            out.print(f"no calls between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC")
        if follow:
            _follow(source, filters, as_json=as_json)
    return Exit.OK


def _follow(source: Source, filters: Mapping[str, str], *, as_json: bool) -> None:
    """Until Ctrl-C."""
    from analytics.calls import Follower

    follower = Follower(source, datetime.now(UTC), filters)
    while True:
        for row in follower.fresh():
            if as_json:
                print_json(row)
            else:
                out.print("  ".join(cell for cell in cells(row) if cell), markup=False)
        time.sleep(POLL_S)


def cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """A call in the order of COLUMNS."""
    notes = [
        f"fallback: {row['fallback_reason'].lower()}" if row["fallback_used"] else "",
        row["error_type"] or "",
        "estimated" if row["usage_source"] == "estimated" else "",
    ]
    unpriced = row["priced"] is False
    return (
        when(row["started_at"]),
        row["call_id"],
        row["alias"] or "-",
        row["provider"] or "-",
        row["model"] or "-",
        row["status"],
        count(row["input_tokens"]),
        count(row["output_tokens"]),
        "unpriced" if unpriced else usd(row["cost_usd"]),
        ms(row["duration_ms"]),
        ", ".join(note for note in notes if note),
    )


def show(call_id: str, *, as_json: bool) -> int:
    """All that is known of one call. Returns an exit code."""
    from analytics.calls import one_call

    with ledger() as source:
        found = one_call(source, call_id)
    if found is None:
        fail(f"no call {call_id} in the ledger")
    if as_json:
        print_json({"call": found.call, "attempts": found.attempts, "costs": found.costs})
    else:
        _draw(found)
    return Exit.OK


def _draw(found: OneCall) -> None:
    shown = {name: value for name, value in found.call.items() if value not in (None, "", [], {}, False)}
    out.print(table(("field", "value"), list(shown.items())))
    out.print("\n[bold]attempts[/]")
    attempts = [
        (
            each["number"],
            f"{each['provider']}/{each['model']}",
            each["status"],
            each["error_type"] or "-",
            each["http_status"] or "-",
            ms(each["duration_ms"]),
            "unpriced" if not each["priced"] else usd(each["cost_usd"]),
        )
        for each in found.attempts
    ]
    out.print(table(("no", "target", "status", "error", "http", "took", "cost"), attempts, right=frozenset(("no",))))
    if found.costs:
        out.print("\n[bold]cost[/]")
        lines = [
            (
                each["attempt"],
                each["meter"],
                count(each["quantity"]),
                usd(each["price_per_million_usd"]),
                usd(each["cost_usd"]),
                f"{each['price_source']} {each['price_version']}",
            )
            for each in found.costs
        ]
        columns = ("attempt", "meter", "quantity", "per million", "cost", "price from")
        out.print(table(columns, lines, right=frozenset(columns[2:5])))
