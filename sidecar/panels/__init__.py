"""The panels in which `taximeter --help` lists the commands: by what somebody is about to do. A module a panel."""

from __future__ import annotations

import typer
from typer.core import TyperGroup

RUN, CALL, MANAGE, READ, KEEP = PANELS = ("Run", "Call", "Manage", "Read the books", "Keep the books")


class InPanels(TyperGroup):
    """Panel by panel, the commands of each as they were registered, groups of commands behind them."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # typer's own context
        def place(name: str) -> tuple[int, bool]:
            command = self.commands[name]
            panel = getattr(command, "rich_help_panel", None)
            return PANELS.index(panel) if panel in PANELS else len(PANELS), isinstance(command, TyperGroup)

        return sorted(super().list_commands(ctx), key=place)
