"""Panel "Run": starting the processes, and seeing that they fare well."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, leave


def up(
    *,
    embedded_model: Annotated[
        bool,
        typer.Option("--embedded-model/--no-embedded-model", help="Where no provider is usable: a small real model."),
    ] = True,
) -> None:
    """Start sidecar, bookkeeper and dashboard, and keep them running until Ctrl-C."""
    from sidecar.commands import up as command

    leave(command.up(embedded_model=embedded_model))


def demo() -> None:
    """The same in a throw-away home: a dozen real calls, what they came to, and out."""
    from sidecar.commands import demo as command

    leave(command.demo())


def sidecar(*, local_model: Annotated[str, typer.Option(hidden=True)] = "") -> None:
    """Serve calls: gRPC on TCP and a unix socket."""
    from sidecar.commands import serve

    leave(serve.sidecar(local_model))


def bookkeeper() -> None:
    """Keep the ledger: journal to DuckDB, spans and metrics."""
    from sidecar.commands import serve

    leave(serve.bookkeeper())


def dashboard() -> None:
    """Show the ledger in a browser."""
    from sidecar.commands import serve

    leave(serve.dashboard())


def reload(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would change.")] = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Have the sidecar read its configuration again, as SIGHUP and a changed file do."""
    from sidecar.commands import reload as command

    leave(command.reload(dry_run=dry_run, address=address, as_json=json))


def doctor(*, json: Json = False) -> None:
    """Check configuration, processes, ledger and disk, and say what to do."""
    from sidecar.commands import doctor as command

    leave(command.doctor(as_json=json))


def health(
    part: Annotated[str, typer.Argument(help="sidecar, bookkeeper or dashboard.")] = "sidecar", *, json: Json = False
) -> None:
    """Exit 0 if that part of this home answers, 3 if not (for containers)."""
    from sidecar.commands import health as command

    leave(command.health(part, as_json=json))


def version() -> None:
    """The installed version."""
    from importlib.metadata import version as installed

    typer.echo(installed("taximeter"))
