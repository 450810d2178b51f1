"""`taximeter --help` has the commands in panels, in the order in which they are needed."""

from itertools import groupby

import typer
from typer.core import TyperGroup

from sidecar.cli import app
from sidecar.panels import PANELS


def test_each_command_stands_in_a_panel_and_the_panels_in_order() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    shown = [
        group.commands[name] for name in group.list_commands(typer.Context(group)) if not group.commands[name].hidden
    ]
    assert tuple(panel for panel, _ in groupby(getattr(each, "rich_help_panel", None) for each in shown)) == PANELS
