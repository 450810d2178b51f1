"""`taximeter aliases`: a workspace's names for chains of models."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Wide, leave

app = typer.Typer(help="Names for chains of models: changed while it runs, every version kept.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="creative-writer; or smart, text, ...: those of the configuration too.")]
File = Annotated[str, typer.Option(help="A definition as JSON; - reads standard input. Options go before it.")]
Targets = Annotated[
    list[str] | None,
    typer.Option("--target", "-t", help="openai/gpt-5.4 or openai, ,weight=N and ,priority=N behind it; in order."),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--param", "-p", help="temperature=0.7: where a call sets none. temperature= takes it away."),
]
Display = Annotated[str | None, typer.Option("--display-name", help="For people.")]
Modality = Annotated[str | None, typer.Option(help="text | image | audio | video.")]
Capability = Annotated[str | None, typer.Option(help="chat, code-generation, embedding, image-generation, ...")]
Strategy = Annotated[str | None, typer.Option(help="failover | round-robin | weighted | random.")]
Prefer = Annotated[str | None, typer.Option(help="quality | speed | cost | none.")]
Recovery = Annotated[str | None, typer.Option(help="When a stream breaks: error | restart | buffer.")]
Aggregators = Annotated[bool | None, typer.Option(help="Whether OpenRouter and its like may stand in the chain.")]
OnBudget = Annotated[
    bool | None, typer.Option("--fallback-on-budget/--stop-on-budget", help="When a key's budget is used up.")
]
MaxTokens = Annotated[str | None, typer.Option(help="The most output of a call; none: no limit.")]
PerMinute = Annotated[str | None, typer.Option(help="Calls a minute; none: no limit.")]
AtOnce = Annotated[str | None, typer.Option(help="Calls at once; none: no limit.")]


@app.command("list")
def list_(
    *,
    own: Annotated[bool, typer.Option("--own", help="Without those of the configuration.")] = False,
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Every alias that the workspace can name, and whether it can be used."""
    from sidecar.commands import aliases as command

    leave(command.list_(own=own, wide=wide, address=address, as_json=json))


@app.command("show")
def show(
    name: Name,
    *,
    version: Annotated[int, typer.Option(min=0, help="An older one; else the one in force.")] = 0,
    address: Address = "",
    json: Json = False,
) -> None:
    """One alias in full."""
    from sidecar.commands import aliases as command

    leave(command.show(name, version, address=address, as_json=json))


@app.command("create")
def create(
    name: Name,
    *,
    target: Targets = None,
    param: Parameters = None,
    display_name: Display = None,
    modality: Modality = None,
    capability: Capability = None,
    strategy: Strategy = None,
    prefer: Prefer = None,
    recovery: Recovery = None,
    aggregators: Aggregators = None,
    fallback_on_budget: OnBudget = None,
    max_tokens: MaxTokens = None,
    requests_per_minute: PerMinute = None,
    max_concurrent: AtOnce = None,
    file: File = "",
    address: Address = "",
    json: Json = False,
) -> None:
    """Make an alias; calls can name it at once."""
    from sidecar.commands import aliases as command

    wish = command.Wish(
        target or (), param or (), display_name, modality, capability, strategy, prefer, recovery, aggregators,
        fallback_on_budget, max_tokens, requests_per_minute, max_concurrent,
    )  # fmt: skip
    leave(command.create(name, file, wish, address=address, as_json=json))


@app.command("update")
def update(
    name: Name,
    *,
    target: Targets = None,
    param: Parameters = None,
    display_name: Display = None,
    modality: Modality = None,
    capability: Capability = None,
    strategy: Strategy = None,
    prefer: Prefer = None,
    recovery: Recovery = None,
    aggregators: Aggregators = None,
    fallback_on_budget: OnBudget = None,
    max_tokens: MaxTokens = None,
    requests_per_minute: PerMinute = None,
    max_concurrent: AtOnce = None,
    file: File = "",
    address: Address = "",
    json: Json = False,
) -> None:
    """Change an alias: what you do not say stays, --target sets the whole chain. A new version is in force at once."""
    from sidecar.commands import aliases as command

    wish = command.Wish(
        target or (), param or (), display_name, modality, capability, strategy, prefer, recovery, aggregators,
        fallback_on_budget, max_tokens, requests_per_minute, max_concurrent,
    )  # fmt: skip
    leave(command.update(name, file, wish, address=address, as_json=json))


@app.command("delete")
def delete(name: Name, *, address: Address = "", json: Json = False) -> None:
    """Take an alias away; what the configuration gives under its name holds again."""
    from sidecar.commands import aliases as command

    leave(command.delete(name, address=address, as_json=json))


@app.command("versions")
def versions(name: Name, *, wide: Wide = False, address: Address = "", json: Json = False) -> None:
    """Every version there was, the newest first."""
    from sidecar.commands import aliases as command

    leave(command.versions(name, wide=wide, address=address, as_json=json))
