"""The command line: which commands there are, and in which order they are shown. Each imports what it runs when it
runs, so that `taximeter --help` answers at once.

Exit codes: 0 done · 1 it was tried and failed · 2 held wrong (arguments, configuration, refused to start)
· 3 nothing answers at the other end · 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys

import typer

from sidecar.arguments import Exit
from sidecar.groups import aliases, audit, budgets, config, keys, models, periods, prices, tokens, workspaces
from sidecar.panels import CALL, KEEP, MANAGE, READ, RUN, InPanels, bill, call, keep, read, run

__all__ = ["Exit", "app", "main"]

COMMANDS = {
    RUN: (run.up, run.demo, run.sidecar, run.bookkeeper, run.dashboard, run.reload, run.doctor, run.health),
    CALL: (call.invoke, call.explain, call.providers, call.probe),
    READ: (read.calls, read.usage, read.report, read.query, bill.export, bill.chargeback, bill.reconcile),
    KEEP: (keep.backup, keep.restore, keep.rebuild, keep.compact),
}
GROUPS = {
    RUN: (config,),
    CALL: (models,),
    MANAGE: (workspaces, tokens, keys, aliases, budgets, prices, periods, audit),
}

app = typer.Typer(
    name="taximeter",
    cls=InPanels,
    help="Routes AI calls, fails over, and meters every one to the last token.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
for panel, commands in COMMANDS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)
for panel, groups in GROUPS.items():
    for group in groups:
        app.add_typer(group.app, name=group.__name__.rpartition(".")[2], rich_help_panel=panel)
app.command(hidden=True)(run.version)


def main() -> None:
    """Entry point: a Ctrl-C, a reader that went away and a wrong configuration end in one line, not a traceback."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:
        sys.exit(Exit.OK)
