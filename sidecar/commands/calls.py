"""`taximeter calls`: the latest calls, one call, or all as they end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sidecar.cli import Exit
from sidecar.commands.context import PIPED_WIDTH, fail, out, print_json, rows_of
from sidecar.commands.reading import ledger, period
from sidecar.commands.show import count, ms, plain, usd, when
from sidecar.commands.tables import GAP, fitting, show_table

if TYPE_CHECKING:
    from analytics.calls import OneCall
    from analytics.source import Source

COLUMNS = ("started", "call", "alias", "provider", "model", "status", "in", "out", "cost", "took", "note")
NUMBERS = ("in", "out", "cost", "took")
SPARE = ("model", "in", "out", "note", "alias", "provider")
POLL_S = 0.25
LOOK_BACK = timedelta(seconds=2)
"""A call is booked a moment after its end."""


def calls(
    *, since: str, filters: Mapping[str, str], limit: int, follow: bool, wide: bool = False, as_json: bool = False
) -> int:
    """Newest first; with `follow` the newest last, and then each as it ends. Returns an exit code."""
    from analytics.calls import newest

    span = period(since)
    with ledger() as source:
        began = datetime.now(UTC)
        rows = rows_of(newest(source, span, filters, limit=limit))
        if follow:
            _follow(source, began, filters, Lines(as_json=as_json, wide=wide), rows[::-1])
        elif as_json:
            for row in rows:
                print_json(row)
        elif rows:
            drawn = [cells(row, full=wide) for row in rows]
            show_table(COLUMNS, drawn, right=NUMBERS, spare=SPARE, whole=("started", "call", "status"), wide=wide)
        else:
            out.print(f"no calls between {span.start:%Y-%m-%d %H:%M} and {span.end:%Y-%m-%d %H:%M} UTC")
    return Exit.OK


class Lines:
    """Calls one by one, in columns that are as wide as what has come so far needs."""

    def __init__(self, *, as_json: bool, wide: bool) -> None:
        self._as_json = as_json
        self._wide = wide
        # A header alone would make columns that the first call moves.
        self._needed = {"started": 11, "call": 26, "alias": 10, "provider": 10, "model": 20, "status": 9}
        self._needed |= {"in": 6, "out": 6, "cost": 9, "took": 7, "note": 20}
        width = max(out.width, PIPED_WIDTH) if wide else out.width
        self._kept = fitting(self._needed, SPARE, width)
        if not as_json:
            out.print(self._line(COLUMNS), markup=False, style="bold")

    def show(self, row: Mapping[str, Any]) -> None:
        if self._as_json:
            print_json(row)
        else:
            out.print(self._line(cells(row, full=self._wide)), markup=False)

    def _line(self, texts: Sequence[str]) -> str:
        shown = {name: cell for name, cell in zip(COLUMNS, texts, strict=True) if name in self._kept}
        self._needed |= {name: max(self._needed[name], len(cell)) for name, cell in shown.items() if name != "note"}
        padded = (
            cell.rjust(self._needed[name]) if name in NUMBERS else cell.ljust(self._needed[name])
            for name, cell in shown.items()
        )
        return (" " * GAP).join(padded).rstrip()


def _follow(
    source: Source, began: datetime, filters: Mapping[str, str], lines: Lines, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Until Ctrl-C. A bookkeeper that is away is waited for."""
    from analytics.calls import Follower
    from analytics.source import LedgerBusy, QuestionFailed

    shown = {row["call_id"] for row in rows}
    for row in rows:
        lines.show(row)
    follower = Follower(source, began - LOOK_BACK, filters)
    while True:
        try:
            fresh = follower.fresh()
        except (LedgerBusy, QuestionFailed):
            fresh = []
        for row in fresh:
            if row["call_id"] not in shown:
                lines.show(row)
        time.sleep(POLL_S)


def cells(row: Mapping[str, Any], *, full: bool = True) -> tuple[str, ...]:
    """A call in the order of COLUMNS; `full`: with the whole date."""
    notes = [
        f"fallback: {row['fallback_reason'].lower()}" if row["fallback_used"] else "",
        row["error_type"] or "",
        "estimated" if row["usage_source"] == "estimated" else "",
    ]
    unpriced = row["priced"] is False
    return (
        when(row["started_at"], full=full),
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
        # Arrow gives a map as pairs.
        call: dict[str, Any] = dict(found.call, tags=dict(found.call["tags"] or ()))
        print_json({"call": call, "attempts": found.attempts, "costs": found.costs})
    else:
        _draw(found)
    return Exit.OK


def _draw(found: OneCall) -> None:
    known = [(name, plain(value)) for name, value in found.call.items() if value not in (None, "", [], {}, False)]
    show_table(("field", "value"), known, whole=("field",))
    if found.attempts:
        out.print("\n[bold]attempts[/]")
        show_table(
            ATTEMPT, [_attempt(each) for each in found.attempts], right=("no", "took", "cost"), whole=("status",)
        )
    if found.costs:
        out.print("\n[bold]cost[/]")
        show_table(COST, [_cost(each) for each in found.costs], right=("no", "quantity", "per million", "cost"))


ATTEMPT = ("no", "target", "status", "error", "http", "took", "cost")
COST = ("no", "meter", "quantity", "per million", "cost", "price from")


def _attempt(each: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        each["number"],
        f"{each['provider']}/{each['model']}",
        each["status"],
        each["error_type"] or None,
        each["http_status"] or None,
        ms(each["duration_ms"]),
        usd(each["cost_usd"]) if each["priced"] else "unpriced",
    )


def _cost(each: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        each["attempt"],
        each["meter"],
        count(each["quantity"]),
        usd(each["price_per_million_usd"]),
        usd(each["cost_usd"]),
        f"{each['price_source']} {each['price_version']}",
    )
