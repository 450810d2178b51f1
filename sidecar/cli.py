"""The command line. Commands are imported when they run, so that `taximeter --help` answers at once.

Exit codes: 0 done · 1 it was tried and failed · 2 held wrong (arguments, configuration, refused to start)
· 3 nothing answers at the other end · 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sidecar.arguments import Address, Csv, Exit, Filtered, Json, Since, Target, Wide, leave
from sidecar.groups import aliases, audit, budgets, keys, periods, prices, tokens, workspaces
from sidecar.panels import CALL, KEEP, MANAGE, READ, RUN, InPanels

__all__ = ["Exit", "app", "main"]

app = typer.Typer(
    name="taximeter",
    cls=InPanels,
    help="Routes AI calls, fails over, and meters every one to the last token.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(help="What is configured, and where each value came from.", no_args_is_help=True)
app.add_typer(config_app, name="config", rich_help_panel=RUN)
models_app = typer.Typer(help="Models that a self-hosted provider (Ollama) holds on its disk.", no_args_is_help=True)
app.add_typer(models_app, name="models", rich_help_panel=CALL)
for group in (workspaces, tokens, keys, aliases, budgets, prices, periods, audit):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2], rich_help_panel=MANAGE)


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


@app.command(rich_help_panel=RUN)
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


@app.command(rich_help_panel=RUN)
def demo() -> None:
    """The same in a throw-away home: a dozen real calls, what they came to, and out."""
    from sidecar.commands import demo as command

    leave(command.demo())


@app.command(rich_help_panel=RUN)
def sidecar(*, local_model: Annotated[str, typer.Option(hidden=True)] = "") -> None:
    """Serve calls: gRPC on TCP and a unix socket."""
    from sidecar.commands import serve

    leave(serve.sidecar(local_model))


@app.command(rich_help_panel=RUN)
def bookkeeper() -> None:
    """Keep the ledger: journal to DuckDB, spans and metrics."""
    from sidecar.commands import serve

    leave(serve.bookkeeper())


@app.command(rich_help_panel=RUN)
def dashboard() -> None:
    """Show the ledger in a browser."""
    from sidecar.commands import serve

    leave(serve.dashboard())


@app.command(rich_help_panel=CALL)
def invoke(
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads standard input.")],
    *,
    alias: Annotated[str, typer.Option(help="Where the call goes; nothing = text.")] = "",
    task: Annotated[str, typer.Option(help="smart, fast, text, agent, ...")] = "",
    model: Annotated[str, typer.Option(help="PROVIDER/MODEL or PROVIDER: exactly this one, no fallback.")] = "",
    operation: Annotated[str, typer.Option(help="chat, completion, embedding or moderation.")] = "chat",
    system: Annotated[str, typer.Option(help="System message.")] = "",
    stream: Annotated[bool, typer.Option("--stream", "-s", help="Show the answer as it comes.")] = False,
    max_tokens: Annotated[int | None, typer.Option()] = None,
    temperature: Annotated[float | None, typer.Option()] = None,
    recovery: Annotated[str, typer.Option(help="If a stream breaks: error, restart or buffer.")] = "",
    tag: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, for chargeback; can be repeated.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the whole answer.")] = 180.0,
    address: Address = "",
    json: Json = False,
) -> None:
    """Make one call and show what it cost."""
    from sidecar.commands import invoke as command

    question = command.Question(
        prompt=sys.stdin.read() if prompt == "-" else prompt,
        alias=alias,
        task=task,
        model=model,
        operation=operation,
        system=system,
        stream=stream,
        max_tokens=max_tokens,
        temperature=temperature,
        recovery=recovery,
        tags=tuple(tag or ()),
        timeout_s=timeout,
    )
    leave(command.invoke(question, address=address, as_json=json))


@app.command(rich_help_panel=CALL)
def explain(
    prompt: Annotated[str, typer.Argument(help="What would be asked; its size counts for prices and limits.")] = "Hi.",
    *,
    alias: Annotated[str, typer.Option(help="Where the call would go; nothing = text.")] = "",
    task: Annotated[str, typer.Option(help="smart, fast, text, agent, ...")] = "",
    model: Annotated[str, typer.Option(help="PROVIDER/MODEL or PROVIDER: exactly this one.")] = "",
    capability: Annotated[str, typer.Option(help="chat, embedding, moderation, ...")] = "",
    operation: Annotated[
        str, typer.Option(help="chat, completion, embedding or moderation; else by the capability, else chat.")
    ] = "",
    prefer: Annotated[
        list[str] | None, typer.Option(help="quality, speed, cost, or a provider to go first; can be repeated.")
    ] = None,
    stream: Annotated[bool, typer.Option("--stream", "-s", help="As a stream.")] = False,
    max_tokens: Annotated[int | None, typer.Option()] = None,
    cost: Annotated[bool, typer.Option("--cost", help="What it would cost there, and the most it could.")] = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Show the plan that a call would take now, and why, without calling."""
    from sidecar.commands import explain as command
    from sidecar.commands import explain_cost

    wish = command.Wish(prompt, alias, task, model, capability, operation, tuple(prefer or ()), stream, max_tokens)
    if cost:
        leave(explain_cost.estimate(wish, address=address, as_json=json))
    leave(command.explain(wish, address=address, as_json=json))


@app.command(rich_help_panel=READ)
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


@app.command(rich_help_panel=READ)
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


@app.command(rich_help_panel=READ)
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


@app.command(rich_help_panel=READ)
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


@app.command(rich_help_panel=READ)
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


@app.command(rich_help_panel=READ)
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


@app.command(rich_help_panel=READ)
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


@app.command(rich_help_panel=CALL)
def providers(
    *,
    address: Address = "",
    everything: Annotated[bool, typer.Option("--all", "-a", help="Those too that nothing was said about.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show health as it changes, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """List the providers, what they can do, and how they fare."""
    from sidecar.commands import providers as command
    from sidecar.commands import watch as watching

    if watch:
        leave(watching.watch(address=address, as_json=json))
    leave(command.providers(address=address, everything=everything, as_json=json))


@app.command(rich_help_panel=CALL)
def probe(
    provider: Annotated[list[str] | None, typer.Argument(help="Account names; none: every one that is usable.")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Those too whose key or settings lack.")] = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Ask providers whether they are there and take the key; costs nothing."""
    from sidecar.commands import probe as command

    leave(command.probe(tuple(provider or ()), everything=everything, address=address, as_json=json))


@config_app.command("show")
def config_show(*, json: Json = False) -> None:
    """Every setting, provider and alias, with where it came from; secrets masked."""
    from sidecar.commands import config as command

    leave(command.show(as_json=json))


@app.command(rich_help_panel=RUN)
def reload(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would change.")] = False,
    address: Address = "",
    json: Json = False,
) -> None:
    """Have the sidecar read its configuration again, as SIGHUP and a changed file do."""
    from sidecar.commands import reload as command

    leave(command.reload(dry_run=dry_run, address=address, as_json=json))


@models_app.command("list")
def models_list(*, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """What is there."""
    from sidecar.commands import models as command

    leave(command.models(provider=provider, address=address, as_json=json))


@models_app.command("show")
def models_show(model: str, *, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """One model: its size, what it can do, how much it reads."""
    from sidecar.commands import models as command

    leave(command.show(model, provider=provider, address=address, as_json=json))


@models_app.command("pull")
def models_pull(model: str, *, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """Get a model (names: ollama.com/library); Ctrl-C stops, and the next pull goes on from there."""
    from sidecar.commands import models as command

    leave(command.pull(model, provider=provider, address=address, as_json=json))


@models_app.command("delete")
def models_delete(model: str, *, provider: Holder = "ollama", address: Address = "", json: Json = False) -> None:
    """Take a model off the disk."""
    from sidecar.commands import models as command

    leave(command.delete(model, provider=provider, address=address, as_json=json))


@app.command(rich_help_panel=RUN)
def doctor(*, json: Json = False) -> None:
    """Check configuration, processes, ledger and disk, and say what to do."""
    from sidecar.commands import doctor as command

    leave(command.doctor(as_json=json))


@app.command(rich_help_panel=RUN)
def health(
    part: Annotated[str, typer.Argument(help="sidecar, bookkeeper or dashboard.")] = "sidecar", *, json: Json = False
) -> None:
    """Exit 0 if that part of this home answers, 3 if not (for containers)."""
    from sidecar.commands import health as command

    leave(command.health(part, as_json=json))


@app.command(rich_help_panel=KEEP)
def backup(to: Annotated[Path, typer.Argument(help="Folder to make.")], *, json: Json = False) -> None:
    """Copy ledger and journal, while running or not."""
    from sidecar.commands import books

    leave(books.backup(to, as_json=json))


@app.command(rich_help_panel=KEEP)
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A folder that `backup` made.")],
    *,
    json: Json = False,
) -> None:
    """Put a backup in the place of this home's books."""
    from sidecar.commands import books

    leave(books.restore(source, as_json=json))


@app.command(rich_help_panel=KEEP)
def rebuild(*, json: Json = False) -> None:
    """Make the ledger anew from the journal."""
    from sidecar.commands import books

    leave(books.rebuild(as_json=json))


@app.command(rich_help_panel=KEEP)
def compact(*, json: Json = False) -> None:
    """Give the ledger file's free space back to the disk."""
    from sidecar.commands import books

    leave(books.compact(as_json=json))


@app.command(hidden=True)
def version() -> None:
    """The installed version."""
    from importlib.metadata import version as installed

    typer.echo(installed("taximeter"))


def main() -> None:
    """Entry point: a Ctrl-C, a reader that went away and a wrong configuration end in one line, not a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.exit(Exit.OK)
