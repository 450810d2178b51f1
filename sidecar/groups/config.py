"""`taximeter config`: what is configured."""

from __future__ import annotations

import typer

from sidecar.arguments import Json, leave

app = typer.Typer(help="What is configured, and where each value came from.", no_args_is_help=True)


@app.command("show")
def show(*, json: Json = False) -> None:
    """Every setting, provider and alias, with where it came from; secrets masked."""
    from sidecar.commands import config as command

    leave(command.show(as_json=json))
