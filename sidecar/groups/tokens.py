"""`taximeter tokens`: who may call, and as what."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Wide, leave

app = typer.Typer(help="Callers' tokens: shown once, named, expiring, revocable.", no_args_is_help=True)

Workspace = Annotated[str, typer.Option(help="Another workspace than your own (for the operator).")]


@app.command("bootstrap")
def bootstrap(
    *, name: Annotated[str, typer.Option(help="For people.")] = "bootstrap", address: Address = "", json: Json = False
) -> None:
    """Make the first administrator's token: once, on the sidecar's own machine."""
    from sidecar.commands import tokens as command

    leave(command.bootstrap(name, address=address, as_json=json))


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who or what will use it.")],
    *,
    role: Annotated[str, typer.Option(help="viewer, member, admin, or auditor (by the operator).")] = "member",
    workspace: Workspace = "",
    expires: Annotated[str, typer.Option(help="90d, 12h, or a date (2027-01-31, UTC); else never.")] = "",
    address: Address = "",
    json: Json = False,
) -> None:
    """Make a token. It goes to standard output, and is not shown again."""
    from sidecar.commands import tokens as command

    leave(command.create(name, role=role, workspace=workspace, expires=expires, address=address, as_json=json))


@app.command("list")
def list_(
    *,
    workspace: Workspace = "",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Revoked ones too.")] = False,
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """The tokens of the workspace."""
    from sidecar.commands import tokens as command

    leave(command.list_(workspace, everything=everything, wide=wide, address=address, as_json=json))


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(help="As `taximeter tokens list` shows it.")],
    *,
    address: Address = "",
    json: Json = False,
) -> None:
    """Refuse a token from now on."""
    from sidecar.commands import tokens as command

    leave(command.revoke(token_id, address=address, as_json=json))


@app.command("whoami")
def whoami(*, address: Address = "", json: Json = False) -> None:
    """Who the sidecar takes you for."""
    from sidecar.commands import tokens as command

    leave(command.whoami(address=address, as_json=json))
