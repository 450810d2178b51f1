"""Panel "Read the books", for who pays: files, chargeback, and providers' bills."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sidecar.arguments import Csv, Filtered, Json, Since, Target, Wide, leave


class Every(StrEnum):
    HOURLY = "hourly"
    DAILY = "daily"
    MONTHLY = "monthly"


class FocusVersion(StrEnum):
    V1_2 = "1.2"
    V1_4 = "1.4"


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    JSONL = "jsonl"


Holder = Annotated[str, typer.Option(help="Which account of type ollama.")]


def export(
    *,
    format: Annotated[Format, typer.Option(help="csv, parquet or jsonl.")] = Format.CSV,  # noqa: A002 - the option's name
    since: Since = "30d",
    filters: Filtered = None,
    output: Annotated[
        str, typer.Option("--output", "-o", help="File, folder, or URL (s3://...); - writes to standard output.")
    ] = "",
    focus: Annotated[
        bool, typer.Option("--focus", help="Billing rows of whole months (--since 2026-11), as FOCUS has them.")
    ] = False,
    focus_version: Annotated[FocusVersion, typer.Option(help="1.2; 1.4 has some columns more.")] = FocusVersion.V1_2,
    schedule: Annotated[
        Every | None, typer.Option(help="Go on: a file for each one that has ended, in the folder or URL of --output.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="With --schedule: what is due now, and out (for cron).")] = False,
    json: Json = False,
) -> None:
    """Write every call of a period to a file, with a manifest beside it; or its billing rows (--focus)."""
    from sidecar.commands import export as command
    from sidecar.commands import export_focus, export_schedule

    if schedule:
        version = focus_version.value if focus else ""
        leave(
            export_schedule.keep_exporting(
                format.value,
                every=schedule.value,
                focus=version,
                since=since,
                filters=filters or [],
                output=output,
                once=once,
            )
        )
    if focus:
        leave(
            export_focus.export(
                format.value, focus_version.value, since=since, filters=filters or [], output=output, as_json=json
            )
        )
    leave(command.export(format.value, since=since, filters=filters or [], output=output, as_json=json))


def chargeback(
    *,
    by: Annotated[
        list[str] | None, typer.Option(help="tag:KEY, workspace, caller, alias, provider, model, ...; can be repeated.")
    ] = None,
    since: Since = "30d",
    filters: Filtered = None,
    output: Target = "",
    csv: Csv = False,
    wide: Wide = False,
    json: Json = False,
) -> None:
    """What is to be charged to whom: exact cost by tag, with what has none."""
    from sidecar.commands import chargeback as command

    leave(
        command.chargeback(
            by or ["workspace"], since=since, filters=filters or [], output=output, as_csv=csv, as_json=json, wide=wide
        )
    )


def reconcile(
    *,
    provider: Annotated[str, typer.Option(help="Whose bill it is: openai, anthropic or openrouter.")],
    file: Annotated[
        Path, typer.Option(help="Costs, usage or activity, as their API or their page gives it: JSON or CSV.")
    ],
    account: Annotated[
        list[str] | None, typer.Option(help="The account in the ledger, if named otherwise; can be repeated.")
    ] = None,
    since: Annotated[str, typer.Option(help="Period; else all days that the file covers.")] = "",
    tolerance: Annotated[str, typer.Option(help="Percent that may be between the two.")] = "1",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Those too that agree.")] = False,
    csv: Csv = False,
    json: Json = False,
) -> None:
    """Compare a provider's bill with the ledger; exit 0 if they agree, 1 if not."""
    from sidecar.commands import reconcile as command

    form = "json" if json else "csv" if csv else "table"
    leave(
        command.reconcile(
            provider,
            file,
            accounts=account or [],
            since=since,
            tolerance=tolerance,
            everything=everything,
            form=form,
        )
    )
