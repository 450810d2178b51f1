"""Panel "Read the books": calls, their sums, reports, and SQL."""

from __future__ import annotations

from typing import Annotated

import typer

from sidecar.arguments import Csv, Filtered, Json, Since, Wide, leave


def calls(
    call_id: Annotated[str, typer.Argument(help="One call, with its attempts and prices.")] = "",
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing calls as they end.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    since: Since = "7d",
    provider: Annotated[str, typer.Option()] = "",
    alias: Annotated[str, typer.Option()] = "",
    status: Annotated[str, typer.Option(help="ok, error, cancelled, refused, abandoned.")] = "",
    wide: Wide = False,
    json: Json = False,
) -> None:
    """List the latest calls, or show one."""
    from sidecar.commands import calls as command

    filters = {"provider": provider, "alias": alias, "status": status}
    chosen = {name: value for name, value in filters.items() if value}
    if call_id:
        leave(command.show(call_id, as_json=json))
    leave(command.calls(since=since, filters=chosen, limit=limit, follow=follow, wide=wide, as_json=json))


def usage(
    *,
    by: Annotated[
        str,
        typer.Option(
            help="One or more of month, day, hour, provider, model, alias, workspace, caller, operation, status, key, "
            "tag:KEY; between commas."
        ),
    ] = "provider,alias",
    since: Since = "7d",
    provider: Annotated[str, typer.Option()] = "",
    alias: Annotated[str, typer.Option()] = "",
    wide: Wide = False,
    json: Json = False,
) -> None:
    """Calls, tokens and cost, summed."""
    from sidecar.commands import usage as command

    filters = {name: value for name, value in (("provider", provider), ("alias", alias)) if value}
    groups = tuple(part.strip() for part in by.split(",") if part.strip())
    leave(command.usage(by=groups, since=since, filters=filters, wide=wide, as_json=json))


def report(
    name: Annotated[str, typer.Argument(help="Which one; nothing lists them.")] = "",
    *,
    since: Since = "30d",
    by: Annotated[
        str, typer.Option(help="For reports that have a choice: alias, provider, model, caller, tag:KEY, ...")
    ] = "",
    filters: Filtered = None,
    wide: Wide = False,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Fallbacks, errors, cache, anomalies, suggestions to save, budgets, and others."""
    from sidecar.commands import report as command

    if not name:
        leave(command.listed(as_json=json))
    leave(command.report(name, since=since, filters=filters or [], by=by, as_csv=csv, as_json=json, wide=wide))


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT over the ledger's views; - reads it from standard input.")
    ],
    csv: Annotated[bool, typer.Option("--csv", help="All rows as CSV.")] = False,
    json: Annotated[bool, typer.Option("--json", help="All rows as JSON, a line each.")] = False,
) -> None:
    """Ask the ledger in SQL: docs/cookbook.md has queries to begin with."""
    from sidecar.commands import query as command

    leave(command.query(sql, as_csv=csv, as_json=json))
