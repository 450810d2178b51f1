"""`taximeter reconcile`: a provider's bill beside the ledger."""

from __future__ import annotations

import csv
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sidecar.cli import Exit
from sidecar.commands.context import fail, out, print_json
from sidecar.commands.reading import ledger, period
from sidecar.commands.show import count, usd
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from analytics.reconcile import Reconciled
    from analytics.reconcile_lines import Statement
    from analytics.reconcile_verdicts import Measure, Row

NUMBERS = ("calls", "calls billed", "tokens", "tokens billed", "cost", "cost billed", "difference", "%")
SPARE = NUMBERS[:4]


def reconcile(
    provider: str, file: Path, *, accounts: list[str], since: str, tolerance: str, everything: bool, form: str
) -> int:
    """`form`: table, csv or json. Returns an exit code: 0 where all agree, 1 where something differs."""
    from analytics.reconcile import reconcile as compare
    from analytics.reconcile_lines import BadStatement

    span = period(since) if since else None
    percent = _percent(tolerance)
    try:
        statement = _statement(provider, file)
        with ledger() as source:
            told = compare(source, statement, accounts or [provider], span, percent)
    except BadStatement as wrong:
        fail(f"{file}: {wrong}", Exit.USAGE)
    {"table": lambda: _table(told, everything=everything), "csv": lambda: _csv(told), "json": lambda: _json(told)}[
        form
    ]()
    return Exit.OK if told.agrees else Exit.FAILED


def _statement(provider: str, file: Path) -> Statement:
    """Raises BadStatement."""
    from analytics.reconcile_files import PROVIDERS, read

    if provider not in PROVIDERS:
        fail(f"no bill of {provider!r} can be read; there are {', '.join(PROVIDERS)}", Exit.USAGE)
    try:
        statement = read(file.read_bytes())
    except OSError as failed:
        fail(f"{file} cannot be read: {failed.strerror}", Exit.USAGE)
    if statement.provider != provider:
        fail(f"{file} is of {statement.provider} ({statement.name}), not of {provider}", Exit.USAGE)
    return statement


def _percent(text: str) -> Decimal:
    try:
        percent = Decimal(text)
    except InvalidOperation:
        percent = Decimal(-1)
    if not percent.is_finite() or percent < 0:
        fail(f"not a tolerance in percent: {text!r}", Exit.USAGE)
    return percent


def _table(told: Reconciled, *, everything: bool) -> None:
    from analytics.reconcile_verdicts import FINE

    span = f"{told.span.start:%Y-%m-%d} to {told.span.end:%Y-%m-%d} (not included)"
    out.print(f"{told.statement.name}, {span}, against {', '.join(told.accounts)} in the ledger", markup=False)
    for note in told.notes:
        out.print(f"note: {note}", markup=False)
    shown = [row for row in told.rows if everything or row.verdict not in FINE]
    columns = ("day", "model", "verdict", "sure", *_told_columns(told))
    lines = [[row.day, row.model or "(all)", row.verdict, row.sure, *_cells(row)] for row in shown]
    last = ["total", "", told.total.verdict, told.total.sure, *_cells(told.total)]
    show_table(columns, lines, right=NUMBERS, spare=SPARE, whole=("day", "model", "verdict"), total=last)
    _reasons(shown)
    fine = sum(row.verdict in FINE for row in told.rows)
    out.print(f"{fine} of {len(told.rows)} agree or are within tolerance{'' if everything else ' (--all shows them)'}")


def _reasons(rows: list[Row]) -> None:
    """Each once, with where it may hold."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for reason in row.reasons:
            found.setdefault(reason, []).append(f"{row.day} {row.model}".strip())
    for reason, places in found.items():
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        out.print(f"- {reason} ({', '.join(places[:3])}{more})", markup=False)


def _told_columns(told: Reconciled) -> list[str]:
    tells = told.statement.tells
    pairs = {"calls": NUMBERS[:2], "input_tokens": NUMBERS[2:4], "cost_usd": NUMBERS[4:]}
    return [column for name, columns in pairs.items() if name in tells for column in columns]


def _cells(row: Row) -> list[str]:
    """Tokens are input and output together; the figures for themselves stand in CSV and JSON."""
    cells: list[str] = []
    if calls := row.measure("calls"):
        cells += [count(_float(calls.ledger)), count(_float(calls.billed))]
    tokens = [each for each in row.measures if each.name.endswith("_tokens")]
    if tokens:
        cells += [count(float(sum(each.ledger or 0 for each in tokens)))]
        cells += [count(float(sum(each.billed or 0 for each in tokens)))]
    if money := row.measure("cost_usd"):
        cells += [usd(_decimal(money.ledger)), usd(_decimal(money.billed)), _signed(money), _share(money)]
    return cells


def _signed(money: Measure) -> str:
    if money.difference is None:
        return "-"
    return f"{'-' if money.difference < 0 else '+' if money.difference else ''}{usd(abs(money.difference))}"


def _share(money: Measure) -> str:
    return "-" if money.percent is None else f"{money.percent:+.2f}"


def _float(value: Decimal | int | None) -> float | None:
    return None if value is None else float(value)


def _decimal(value: Decimal | int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _fields(row: Row) -> dict[str, Any]:
    told: dict[str, Any] = {"day": row.day, "model": row.model, "verdict": row.verdict.value, "sure": row.sure.value}
    for each in row.measures:
        told |= {
            f"{each.name}_ledger": each.ledger,
            f"{each.name}_billed": each.billed,
            f"{each.name}_difference": each.difference,
            f"{each.name}_percent": each.percent,
        }
    return told


def _csv(told: Reconciled) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    rows = [{**_fields(row), "reasons": "; ".join(row.reasons)} for row in told.rows]
    writer.writerow(list({**_fields(told.total), "reasons": ""}))
    for row in rows:
        writer.writerow([f"{value:f}" if isinstance(value, Decimal) else value for value in row.values()])


def _json(told: Reconciled) -> None:
    total = {name: value for name, value in _fields(told.total).items() if name not in {"day", "model"}}
    print_json(
        {
            "statement": told.statement.name,
            "accounts": told.accounts,
            "start": told.span.start,
            "end": told.span.end,
            "agrees": told.agrees,
            "notes": told.notes,
            "rows": [{**_fields(row), "reasons": row.reasons} for row in told.rows],
            "total": {**total, "reasons": told.total.reasons},
        }
    )
