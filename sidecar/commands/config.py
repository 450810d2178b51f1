"""`taximeter config show`: what is in force, and where it came from."""

from __future__ import annotations

from itertools import groupby

from sidecar.cli import Exit
from sidecar.commands.context import configuration, out, print_json, warn
from sidecar.commands.tables import show_table


def show(*, as_json: bool) -> int:
    """Every value with its origin; secrets masked. Returns an exit code."""
    from sidecar.settings.describe import describe

    loaded = configuration()
    lines = describe(loaded)
    if as_json:
        print_json({"lines": [line._asdict() for line in lines], "warnings": loaded.warnings})
        return Exit.OK
    for section, group in groupby(lines, key=lambda line: line.section):
        out.print(f"[bold]{section}[/]")
        rows = [(line.name, line.value, line.origin) for line in group]
        show_table(("name", "value", "from"), rows)
        out.print()
    warn(loaded.warnings)
    return Exit.OK
