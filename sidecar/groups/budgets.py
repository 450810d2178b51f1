"""`taximeter budgets`: limits on what a workspace, a key, an alias or a caller may use."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sidecar.arguments import Address, Json, Since, Wide, Yes, leave

app = typer.Typer(help="Limits in dollars, tokens and requests, and how they stand.", no_args_is_help=True)


class Window(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class Unpriced(StrEnum):
    REFUSE = "refuse"
    ALLOW = "allow"


BudgetId = Annotated[str, typer.Argument(help="As `taximeter budgets list` shows it.")]
Dollars = Annotated[str | None, typer.Option("--usd", help='US dollars: "100", "99.50".')]
Tokens = Annotated[str | None, typer.Option(help="Tokens, in and out.")]
Requests = Annotated[str | None, typer.Option(help="Calls; of a key, attempts with it.")]
Name = Annotated[str | None, typer.Option(help="For people.")]
Soft = Annotated[int | None, typer.Option(min=1, max=100, help="Percent at which the soft alert is given; 80.")]
SoftOnly = Annotated[bool | None, typer.Option("--soft-only/--hard", help="Only alert, refuse nothing.")]
Shrink = Annotated[
    bool | None, typer.Option("--shrink/--no-shrink", help="Ask for less output where only that keeps a call out.")
]
NoPrice = Annotated[Unpriced | None, typer.Option(help="Models without a known price, under a limit in dollars.")]
AtRisk = Annotated[
    bool | None, typer.Option("--at-risk/--no-at-risk", help="Count what a provider may have billed without saying so.")
]
Of = Annotated[str, typer.Option(help="The operator: another workspace. Auditors may look.")]


@app.command("create")
def create(
    *,
    usd: Dollars = None,
    tokens: Tokens = None,
    requests: Requests = None,
    window: Annotated[Window, typer.Option(help="When it begins anew.")] = Window.MONTH,
    zone: Annotated[str, typer.Option(help="Whose days those are: Europe/Berlin.")] = "UTC",
    key: Annotated[str, typer.Option(help="Of this key.")] = "",
    alias: Annotated[str, typer.Option(help="Of this alias.")] = "",
    caller: Annotated[str, typer.Option(help="Of this token's calls.")] = "",
    name: Name = None,
    soft: Soft = None,
    soft_only: SoftOnly = None,
    shrink: Shrink = None,
    unpriced: NoPrice = None,
    at_risk: AtRisk = None,
    workspace: Of = "",
    address: Address = "",
    json: Json = False,
) -> None:
    """Limit the workspace, or a key, an alias or a caller of it. What the window has already spent counts."""
    from sidecar.commands import budgets as command

    wish = command.Wish(usd, tokens, requests, name, soft, soft_only, shrink, unpriced, at_risk)
    subjects = {"key": key, "alias": alias, "caller": caller}
    leave(command.create(wish, subjects, window=window, zone=zone, workspace=workspace, address=address, as_json=json))


@app.command("list")
def list_(*, workspace: Of = "", wide: Wide = False, address: Address = "", json: Json = False) -> None:
    """The budgets of the workspace."""
    from sidecar.commands import budgets as command

    leave(command.list_(workspace=workspace, wide=wide, address=address, as_json=json))


@app.command("status")
def status(
    budget_id: Annotated[str, typer.Argument(help="One of them; else all.")] = "",
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Go on as they change.")] = False,
    workspace: Of = "",
    wide: Wide = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """What is spent, held and left, and what the window will come to at this rate."""
    from sidecar.commands import budgets as command

    if watch:
        leave(command.watch(budget_id, workspace=workspace, address=address, as_json=json))
    leave(command.status(budget_id, workspace=workspace, wide=wide, address=address, as_json=json))


@app.command("update")
def update(
    budget_id: BudgetId,
    *,
    usd: Dollars = None,
    tokens: Tokens = None,
    requests: Requests = None,
    name: Name = None,
    soft: Soft = None,
    soft_only: SoftOnly = None,
    shrink: Shrink = None,
    unpriced: NoPrice = None,
    at_risk: AtRisk = None,
    address: Address = "",
    json: Json = False,
) -> None:
    """Change what is said, and nothing else; a limit of "none" goes. What is spent stays spent."""
    from sidecar.commands import budgets as command

    wish = command.Wish(usd, tokens, requests, name, soft, soft_only, shrink, unpriced, at_risk)
    leave(command.update(budget_id, wish, address=address, as_json=json))


@app.command("delete")
def delete(budget_id: BudgetId, *, yes: Yes = False, address: Address = "") -> None:
    """Take a limit away."""
    from sidecar.commands import budgets as command

    leave(command.delete(budget_id, yes=yes, address=address))


@app.command("alerts")
def alerts(
    *,
    since: Since = "30d",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, the newest.")] = 100,
    wide: Wide = False,
    json: Json = False,
) -> None:
    """The alerts that budgets gave, and whether the webhook took them: from the ledger of this home."""
    from sidecar.commands import budget_alerts as command

    leave(command.alerts(since=since, limit=limit, wide=wide, as_json=json))
