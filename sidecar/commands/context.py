"""What commands share: the configuration, two consoles, JSON, and how an error is told."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
from rich.console import Console

from sidecar.cli import Exit

if TYPE_CHECKING:
    from sidecar.settings import Loaded, Settings

PIPED_WIDTH = 240
"""Columns where nobody's terminal says otherwise: a table in a file is not to be folded."""
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def configuration() -> Loaded:
    """The configuration of this process; all its errors told at once, exit 2."""
    from sidecar import settings
    from sidecar.providers import registry

    try:
        loaded = settings.load(os.environ, Path.cwd(), registry.built())
    except settings.ConfigErrors as failed:
        for error in failed.errors:
            err.print("[red]configuration:[/] ", end="")
            err.print(error, markup=False)
        raise typer.Exit(Exit.USAGE) from None
    return loaded


def whereabouts() -> Settings:
    """Where running processes are found. For asking them; whoever works on files needs the `configuration`."""
    from sidecar import settings

    return settings.whereabouts(os.environ, Path.cwd())


def fail(message: str, code: Exit = Exit.FAILED) -> NoReturn:
    """Tells the message on standard error and ends."""
    err.print("[red]error:[/] ", end="")
    err.print(message, markup=False)
    raise typer.Exit(code)


def warn(warnings: Iterable[str]) -> None:
    """What is odd about the configuration, a line each."""
    for warning in warnings:
        err.print("[yellow]warning:[/] ", end="")
        err.print(warning, markup=False)


def print_json(document: object) -> None:
    """One JSON document on one line: exact decimals as text, times in ISO 8601, UTC."""
    sys.stdout.write(json.dumps(document, default=plain, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(value: object) -> str:
    """What JSON has no type for."""
    if isinstance(value, datetime):
        # The ledger's times carry no zone and are UTC.
        return value.astimezone(UTC).isoformat() if value.tzinfo else value.replace(tzinfo=UTC).isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value)


def environment(**changes: str) -> Mapping[str, str]:
    """This process's environment with changes, for a child."""
    return {**os.environ, **changes}


def rows_of(arrow_table: Any) -> list[dict[str, Any]]:
    """Arrow -> list of dictionaries."""
    rows: list[dict[str, Any]] = arrow_table.to_pylist(maps_as_pydicts="strict")
    return rows
