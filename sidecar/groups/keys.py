"""`taximeter keys`: a workspace's own provider keys."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Wide, Yes, leave

app = typer.Typer(help="Provider keys of your own: kept encrypted, never shown again.", no_args_is_help=True)

KeyId = Annotated[str, typer.Argument(help="As `taximeter keys list` shows it.")]
Secret = Annotated[str, typer.Argument(help="- reads the key from standard input; without it you are asked for it.")]
Label = Annotated[str | None, typer.Option(help="For people.")]
Scopes = Annotated[str | None, typer.Option(help="What it may be used for, between commas: text,image,audio,video.")]
Dollars = Annotated[str | None, typer.Option(help='US dollars a calendar month ("100", "99.50"); none: no limit.')]
Tokens = Annotated[str | None, typer.Option(help="Tokens, in and out, a calendar month; none: no limit.")]
Requests = Annotated[str | None, typer.Option(help="Requests a calendar month; none: no limit.")]
NoVerify = Annotated[bool, typer.Option("--no-verify", help="Keep it without asking the provider.")]


@app.command("add")
def add(
    provider: Annotated[str, typer.Argument(help="openai, anthropic, groq, ...: `taximeter providers --all`.")],
    secret: Secret = "",
    *,
    label: Label = None,
    scopes: Scopes = None,
    monthly_budget: Dollars = None,
    monthly_tokens: Tokens = None,
    monthly_requests: Requests = None,
    base_url: Annotated[str, typer.Option(help="Where the provider has no address of its own, or another.")] = "",
    no_verify: NoVerify = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Ask the provider whether it takes a key, and keep it if so."""
    from sidecar.commands import keys as command

    limits = command.Limits(monthly_budget, monthly_tokens, monthly_requests)
    wish = command.Wish(label, scopes, limits)
    leave(
        command.add(
            provider, command.read_secret(secret), wish, base_url, verify=not no_verify, address=address, as_json=json
        )
    )


@app.command("list")
def list_(
    *,
    provider: Annotated[str, typer.Option()] = "",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Revoked ones too.")] = False,
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """The keys of the workspace, masked, and how each fares."""
    from sidecar.commands import keys as command

    leave(command.list_(provider, everything=everything, wide=wide, address=address, as_json=json))


@app.command("update")
def update(
    key_id: KeyId,
    *,
    label: Label = None,
    scopes: Scopes = None,
    monthly_budget: Dollars = None,
    monthly_tokens: Tokens = None,
    monthly_requests: Requests = None,
    enable: Annotated[bool | None, typer.Option("--enable/--disable", help="Whether calls may use it.")] = None,
    address: Address = "",
    json: Json = False,
) -> None:
    """Change label, scopes, monthly limits, or whether it is used."""
    from sidecar.commands import keys as command

    limits = command.Limits(monthly_budget, monthly_tokens, monthly_requests)
    wish = command.Wish(label, scopes, limits)
    leave(command.update(key_id, wish, enable, address=address, as_json=json))


@app.command("verify")
def verify(key_id: KeyId, *, address: Address = "", json: Json = False) -> None:
    """Ask the provider again; a key that was put aside is used again if it is taken."""
    from sidecar.commands import keys as command

    leave(command.verify(key_id, address=address, as_json=json))


@app.command("rotate")
def rotate(
    key_id: KeyId, secret: Secret = "", *, no_verify: NoVerify = False, address: Address = "", json: Json = False
) -> None:
    """Put another secret in the place of the old one: id, label, scopes and limits stay."""
    from sidecar.commands import keys as command

    leave(command.rotate(key_id, command.read_secret(secret), verify=not no_verify, address=address, as_json=json))


@app.command("revoke")
def revoke(key_id: KeyId, *, yes: Yes = False, address: Address = "", json: Json = False) -> None:
    """Erase a key's secret. Its id stays in the books."""
    from sidecar.commands import keys as command

    leave(command.revoke(key_id, yes=yes, address=address, as_json=json))


@app.command("rewrap")
def rewrap(*, address: Address = "", json: Json = False) -> None:
    """After a change of AI_ENCRYPTION_KEY: wrap all with the new one, and open every secret once (for the operator)."""
    from sidecar.commands import keys as command

    leave(command.rewrap(address=address, as_json=json))
