"""`taximeter prices rerate`: past calls at the prices of their own time."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from sidecar.arguments import Exit
from sidecar.commands.context import fail, out
from sidecar.commands.prices import prices, rate_text, told
from sidecar.commands.tables import show_table
from sidecar.core.money import usd_text

if TYPE_CHECKING:
    from taximeter.v1 import prices_pb2 as pb

TIMEOUT_S = 3600.0
"""A million calls take some minutes."""
COLUMNS = ("meter", "price", "quantity", "cost")


@dataclass(frozen=True, slots=True)
class Wish:
    since: str
    until: str
    provider: str
    model: str
    unpriced_only: bool
    dry_run: bool
    reason: str
    resume: str


def rerate(wish: Wish, *, yes: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    if not wish.dry_run and not wish.reason:
        fail("say --reason: it stands beside every value that changes; or --dry-run", Exit.USAGE)
    asked = _request(wish)
    if not wish.dry_run and not yes:
        _ask()
    with prices(address, TIMEOUT_S) as service:
        found = service.RerateCalls(asked)
    if as_json:
        told(found)
    else:
        _show(found, dry_run=wish.dry_run)
    return Exit.OK


def _request(wish: Wish) -> pb.RerateCallsRequest:
    from sidecar.commands.reading import period
    from taximeter.v1 import prices_pb2 as pb

    span = period(wish.since)
    request = pb.RerateCallsRequest(
        provider=wish.provider,
        model=wish.model,
        unpriced_only=wish.unpriced_only,
        dry_run=wish.dry_run,
        reason=wish.reason,
        rerating_id=wish.resume,
    )
    request.period.start.FromDatetime(span.start)
    request.period.end.FromDatetime(_until(wish.until) if wish.until else span.end)
    return request


def _until(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--until {text!r} is no date or time like 2026-12-01 or 2026-12-01T12:00", Exit.USAGE)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _show(found: pb.RerateCallsResponse, *, dry_run: bool) -> None:
    if found.rates:
        rows = [
            (
                line.meter,
                rate_text(line.meter, line.price_per_million_picodollars).rpartition(" ")[2],
                f"{line.quantity:,}",
                f"${usd_text(line.cost_picodollars)}",
            )
            for line in found.rates
        ]
        show_table(COLUMNS, rows, right=COLUMNS[1:])
        out.print()
    would = "would have" if dry_run else "have"
    said = f"{found.changed:,} of {found.calls:,} calls {would} another cost, {found.newly_priced:,} had none"
    out.print(f"{said}: ${found.cost_before_usd} → ${found.cost_after_usd}", markup=False)
    if found.rerating_id:
        out.print(
            f"{found.rerating_id}: the old values stand in ai_cost_revisions; budgets are as they were", markup=False
        )


def _ask() -> None:
    if not sys.stdin.isatty():
        fail("say --yes where nobody can be asked; --dry-run tells what it would come to", Exit.USAGE)
    typer.confirm("Change the cost of past calls? The old values are kept.", abort=True, err=True)
