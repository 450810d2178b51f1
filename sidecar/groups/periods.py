"""`taximeter periods`: billing periods, and closing them."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Wide, Yes, leave

app = typer.Typer(
    help="Billing periods: calendar months, UTC; closed for good, one after the other.", no_args_is_help=True
)


@app.command("list")
def list_(
    *,
    workspace: Annotated[str, typer.Option(help="Auditors and the operator: one workspace's costs only.")] = "",
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Months that are closed, and those with costs; the newest first."""
    from sidecar.commands import periods as command

    leave(command.list_(workspace, wide=wide, address=address, as_json=json))


@app.command("close")
def close(
    month: Annotated[str, typer.Argument(help="2026-10")],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what it would come to.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although calls of the month are open, or not in the ledger yet.")
    ] = False,
    yes: Yes = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Freeze a month that is over: its export stays as it is, and what comes later is a correction in the next one."""
    from sidecar.commands import periods as command

    leave(command.close(month, dry_run=dry_run, force=force, yes=yes, address=address, as_json=json))
