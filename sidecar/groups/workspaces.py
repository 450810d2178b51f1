"""`taximeter workspaces`: tenants."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Wide, Yes, leave

app = typer.Typer(
    help="Tenants: each with callers, keys, aliases and budgets of its own.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(help="Lower-case letters, digits, - and _, at most 63; a number is one too.")]
Display = Annotated[str | None, typer.Option("--display-name", help="For people.")]
Keys = Annotated[str | None, typer.Option("--platform-keys", help="Whether the operator's keys serve it: never, "
                                          "fallback or always.")]  # fmt: skip
Zero = Annotated[
    bool | None, typer.Option("--zero-retention/--retention", help="Keep nothing of its calls but what they cost.")
]


@app.command("create")
def create(
    name: Name,
    *,
    display: Display = None,
    platform_keys: Keys = None,
    zero_retention: Zero = None,
    address: Address = "",
    json: Json = False,
) -> None:
    """Make a workspace, with its default aliases (for the operator)."""
    from sidecar.commands import workspaces as command

    wish = command.Wish(display, platform_keys, zero_retention)
    leave(command.create(name, wish, address=address, as_json=json))


@app.command("list")
def list_(
    *,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Archived ones too.")] = False,
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """The workspaces that you may see."""
    from sidecar.commands import workspaces as command

    leave(command.list_(everything=everything, wide=wide, address=address, as_json=json))


@app.command("update")
def update(
    name: Annotated[str, typer.Argument(help="Else your own.")] = "",
    *,
    display: Display = None,
    platform_keys: Keys = None,
    zero_retention: Zero = None,
    address: Address = "",
    json: Json = False,
) -> None:
    """Change what is said of a workspace; what is not said stays."""
    from sidecar.commands import workspaces as command

    wish = command.Wish(display, platform_keys, zero_retention)
    leave(command.update(name, wish, address=address, as_json=json))


@app.command("archive")
def archive(name: Name, *, address: Address = "", json: Json = False) -> None:
    """Refuse its callers from now on; what it has stays (for the operator)."""
    from sidecar.commands import workspaces as command

    leave(command.archive(name, restore=False, address=address, as_json=json))


@app.command("restore")
def restore(name: Name, *, address: Address = "", json: Json = False) -> None:
    """Take an archived workspace back into use (for the operator)."""
    from sidecar.commands import workspaces as command

    leave(command.archive(name, restore=True, address=address, as_json=json))


@app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="Else your own.")] = "",
    *,
    out: Annotated[str, typer.Option(help="File to write; - is standard output.")] = "-",
    address: Address = "",
) -> None:
    """All that is known of a workspace, as JSON lines: definitions without secrets, audit, calls."""
    from sidecar.commands import workspaces as command

    leave(command.export(name, out, address=address))


@app.command("delete")
def delete(name: Name, *, yes: Yes = False, address: Address = "", json: Json = False) -> None:
    """Delete an archived workspace: keys, tokens, aliases, budgets, calls (for the operator)."""
    from sidecar.commands import workspaces as command

    leave(command.delete(name, yes=yes, address=address, as_json=json))
