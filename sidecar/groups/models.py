"""`taximeter models`: what a self-hosted provider holds."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, leave

app = typer.Typer(help="Models that a self-hosted provider (Ollama) holds on its disk.", no_args_is_help=True)

Holder = Annotated[str, typer.Option(help="Which account of type ollama.")]


@app.command("list")
def list_(*, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """What is there."""
    from sidecar.commands import models as command

    leave(command.models(provider=provider, address=address, as_json=json))


@app.command("show")
def show(model: str, *, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """One model: its size, what it can do, how much it reads."""
    from sidecar.commands import models as command

    leave(command.show(model, provider=provider, address=address, as_json=json))


@app.command("pull")
def pull(model: str, *, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """Get a model (names: ollama.com/library); Ctrl-C stops, and the next pull goes on from there."""
    from sidecar.commands import models as command

    leave(command.pull(model, provider=provider, address=address, as_json=json))


@app.command("delete")
def delete(model: str, *, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """Take a model off the disk."""
    from sidecar.commands import models as command

    leave(command.delete(model, provider=provider, address=address, as_json=json))
