"""`taximeter prices`: what models cost, prices of your own, and past calls priced anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Wide, Yes, leave

app = typer.Typer(help="What models cost, prices of your own, and past calls priced anew.", no_args_is_help=True)

Provider = Annotated[str, typer.Argument(help="An account's name, or a provider type.")]
Model = Annotated[str, typer.Argument(help="A trailing * stands for any rest.")]


@app.command("list")
def list_(
    provider: Annotated[str, typer.Argument(help="Of this account alone.")] = "",
    model: Annotated[str, typer.Argument(help="Of this model, configured or not.")] = "",
    *,
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """What the models cost that are configured, in dollars, and where the price is from."""
    from sidecar.commands import prices as command

    leave(command.list_(provider, model, wide=wide, address=address, as_json=json))


@app.command("set")
def set_(
    provider: Provider,
    model: Model,
    rates: Annotated[
        list[str],
        typer.Argument(help="input=0.12 output=0.48: a million tokens; output@200000=0.9: with more tokens in."),
    ],
    *,
    effective: Annotated[str, typer.Option(help="2026-01-31: from 00:00 UTC; else always.")] = "",
    source: Annotated[str, typer.Option(help="Where it is from: a contract, a page.")] = "",
    address: Address = "",
    json: Json = False,
) -> None:
    """Set a price; it is in force at once, and goes before that of any file or table. Of one day there is one."""
    from sidecar.commands import prices as command

    leave(command.set_(provider, model, rates, effective, source, address=address, as_json=json))


@app.command("overrides")
def overrides(*, wide: Wide = False, address: Address = "", json: Json = False) -> None:
    """The prices that were set."""
    from sidecar.commands import prices as command

    leave(command.overrides(wide=wide, address=address, as_json=json))


@app.command("remove")
def remove(
    price_id: Annotated[str, typer.Argument(help="As `taximeter prices overrides` shows it.")],
    *,
    address: Address = "",
) -> None:
    """Take a price away that was set; calls of the past keep what they cost."""
    from sidecar.commands import prices as command

    leave(command.remove(price_id, address=address))


@app.command("compare")
def compare(
    *,
    table: Annotated[
        Path | None, typer.Option(help="TOML like TAXIMETER_PRICES_FILE, or LiteLLM's JSON; else your own prices.")
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Percent that does not count.")] = 1.0,
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Where genai-prices and another source differ."""
    from sidecar.commands import prices_compare as command

    leave(command.compare(table, tolerance, wide=wide, address=address, as_json=json))


@app.command("rerate")
def rerate(
    *,
    since: Annotated[str, typer.Option(help="Calls that began then or later: 24h, 7d, 2026-11, or a date.")],
    until: Annotated[str, typer.Option(help="And before: 2026-12-01T12:00; else up to now.")] = "",
    provider: Annotated[str, typer.Option(help="Of this account alone.")] = "",
    model: Annotated[str, typer.Option(help="Of this model alone, as asked for or reported.")] = "",
    unpriced_only: Annotated[bool, typer.Option("--unpriced-only", help="Only what has no price.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what it would come to.")] = False,
    reason: Annotated[str, typer.Option(help="Stands beside every value that changes.")] = "",
    resume: Annotated[str, typer.Option(help="Goes on with one that was cut short, by its id.")] = "",
    yes: Yes = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Price past calls anew, each with the prices of its own time. The old values are kept; budgets do not change."""
    from sidecar.commands import prices_rerate as command

    wish = command.Wish(since, until, provider, model, unpriced_only, dry_run, reason, resume)
    leave(command.rerate(wish, yes=yes, address=address, as_json=json))
