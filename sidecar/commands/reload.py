"""`taximeter reload`: the running sidecar reads its configuration again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.cli import Exit
from sidecar.commands.calling import client
from sidecar.commands.context import err, out, print_json, warn

if TYPE_CHECKING:
    from taximeter.errors import InvalidConfiguration


def reload(*, dry_run: bool, address: str, as_json: bool) -> int:
    """Exit code 2 if the configuration is refused: every error is told, and nothing has changed."""
    from google.protobuf.json_format import MessageToDict

    from taximeter.errors import InvalidConfiguration

    with client(address) as connected:
        try:
            done = connected.reload(dry_run=dry_run)
        except InvalidConfiguration as refused:
            _tell_refusal(refused, as_json=as_json)
            return Exit.USAGE
    if as_json:
        print_json(MessageToDict(done))
        return Exit.OK
    for line in done.changes:
        out.print(f"  {line}", markup=False)
    for line in done.needs_restart:
        err.print(f"takes effect at the next start only: {line}", markup=False, style="yellow")
    warn(done.warnings)
    out.print(_summary(len(done.changes), done.generation, dry_run=dry_run))
    return Exit.OK


def _summary(changes: int, generation: int, *, dry_run: bool) -> str:
    what = f"{changes} change{'s' * (changes != 1)}" if changes else "nothing is different"
    if dry_run:
        return f"{what}; nothing was done"
    return f"{what}; configuration {generation} is in force"


def _tell_refusal(refused: InvalidConfiguration, *, as_json: bool) -> None:
    errors = [f"{where}: {what}" for where, what in refused.violations]
    if as_json:
        print_json({"reason": refused.reason, "errors": errors, "count": int(refused.metadata.get("errors", 0))})
        return
    for error in errors:
        err.print("[red]configuration:[/] ", end="")
        err.print(error, markup=False)
    untold = int(refused.metadata.get("errors", len(errors))) - len(errors)
    if untold > 0:
        err.print(f"and {untold} more", style="dim")
    err.print("the configuration in force stays as it was")
