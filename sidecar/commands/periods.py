"""`taximeter periods`: listed and closed through the sidecar, which keeps the audit."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from sidecar.arguments import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import fail, out, print_json
from sidecar.commands.show import many
from sidecar.commands.tables import show_table

if TYPE_CHECKING:
    from taximeter.v1 import billing_pb2 as pb
    from taximeter.v1.billing_pb2_grpc import BillingServiceStub

COLUMNS = ("month", "state", "cost", "corrections", "rows", "closed", "by", "sha256")
TIMEOUT_S = 600.0
"""A month of ten million calls takes some seconds."""


def list_(workspace: str, *, wide: bool, address: str, as_json: bool) -> int:
    """Returns an exit code."""
    from taximeter.v1 import billing_pb2 as pb

    with _billing(address) as billing:
        found = billing.ListPeriods(pb.ListPeriodsRequest(workspace_id=workspace)).periods
    if as_json:
        for each in found:
            _told(each)
    elif found:
        show_table(
            COLUMNS, map(_row, found), right=("cost", "corrections", "rows"), whole=("month",),
            spare=("sha256", "by", "closed"), wide=wide,
        )  # fmt: skip
    else:
        out.print("no costs yet, and no month is closed")
    return Exit.OK


def close(month: str, *, dry_run: bool, force: bool, yes: bool, address: str, as_json: bool) -> int:
    """Says what it comes to before it asks. Returns an exit code."""
    from taximeter.v1 import billing_pb2 as pb

    if not dry_run and not yes and not sys.stdin.isatty():
        fail("say --yes where nobody can be asked; --dry-run tells what it would come to", Exit.USAGE)
    with _billing(address) as billing:
        if dry_run or not yes:
            expected = billing.ClosePeriod(pb.ClosePeriodRequest(month=month, force=force, dry_run=True)).period
            if dry_run:
                return _said(expected, as_json=as_json)
            typer.confirm(f"Close {_came_to(expected)}? It is not opened again.", abort=True, err=True)
        return _said(billing.ClosePeriod(pb.ClosePeriodRequest(month=month, force=force)).period, as_json=as_json)


def _said(period: pb.BillingPeriod, *, as_json: bool) -> int:
    if as_json:
        _told(period)
    elif period.closed:
        out.print(
            f"closed {_came_to(period)}, {many(period.rows, 'rows')}; SHA-256 of its CSV: {period.sha256}", markup=False
        )
    else:
        out.print(f"would close {_came_to(period)}", markup=False)
    return Exit.OK


def _came_to(period: pb.BillingPeriod) -> str:
    corrections = _dollars(period.corrections_usd)
    return f"{period.month}: {_dollars(period.cost_usd)}" + (
        "" if corrections == "$0" else f", of it {corrections} of months before"
    )


def _row(period: pb.BillingPeriod) -> tuple[object, ...]:
    """Its cells, in the order of COLUMNS."""
    closed_at = f"{period.closed_at.ToDatetime():%Y-%m-%d %H:%M}" if period.closed else ""
    return (
        period.month, "closed" if period.closed else "open", _dollars(period.cost_usd),
        _dollars(period.corrections_usd), f"{period.rows:,}" if period.rows else "", closed_at, period.closed_by,
        period.sha256,
    )  # fmt: skip


def _dollars(text: str) -> str:
    """Exact, without needless zeros."""
    return f"-${_plain(text[1:])}" if text.startswith("-") else f"${_plain(text)}"


def _plain(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def _told(period: pb.BillingPeriod) -> None:
    from google.protobuf.json_format import MessageToDict

    print_json(MessageToDict(period, always_print_fields_with_no_presence=True))


@contextmanager
def _billing(address: str) -> Iterator[BillingServiceStub]:
    from taximeter.v1.billing_pb2_grpc import BillingServiceStub

    with client(address, TIMEOUT_S) as connected:
        yield connected.service(BillingServiceStub)
