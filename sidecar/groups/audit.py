"""`taximeter audit`: who changed what in the control plane."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Since, Wide, leave

app = typer.Typer(help="Who changed what: workspaces, tokens, keys, aliases, budgets, prices.")

Of = Annotated[str, typer.Option(help="Auditors and the operator: one workspace only.")]


@app.callback(invoke_without_command=True)
def audit(
    context: typer.Context,
    *,
    since: Since = "30d",
    action: Annotated[str, typer.Option(help="key.add; or key, for all that was done to keys.")] = "",
    actor: Annotated[str, typer.Option(help="Who did it: a token id, local, ...")] = "",
    subject: Annotated[str, typer.Option(help="What it was done to: a key id, an alias' name, ...")] = "",
    workspace: Of = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, the newest.")] = 100,
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Who changed what, the newest first. `audit export` gives all of it, for a SIEM."""
    if context.invoked_subcommand:
        return
    from sidecar.commands import audit as command

    question = command.Question(since, action, actor, subject, workspace, limit)
    leave(command.list_(question, wide=wide, address=address, as_json=json))


@app.command("export")
def export(
    *,
    after: Annotated[int, typer.Option(min=0, help="Begin behind this sequence: the last that was taken.")] = 0,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as changes come.")] = False,
    workspace: Of = "",
    address: Address = "",
) -> None:
    """JSON lines on standard output, the oldest first."""
    from sidecar.commands import audit as command

    leave(command.export(after=after, follow=follow, workspace=workspace, address=address))
