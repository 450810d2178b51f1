"""What commands of the command line share: exit codes, and the options that many of them have."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, NoReturn

import typer


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


Json = Annotated[bool, typer.Option("--json", help="Machine-readable: one JSON document, or one a line.")]
Since = Annotated[str, typer.Option(help="Period: 24h, 7d, today, 2026-11, or a date to count from.")]
Address = Annotated[
    str, typer.Option(help="The sidecar's address; else TAXIMETER_ADDRESS, else the socket of this home.")
]
Filtered = Annotated[
    list[str] | None,
    typer.Option("--filter", help="NAME=VALUE: provider, model, workspace, tag:team, ...; can be repeated."),
]
Csv = Annotated[bool, typer.Option("--csv", help="Comma-separated values, with a line of names.")]
Target = Annotated[
    str, typer.Option("--output", "-o", help="File, folder, or URL (s3://...) to write to; else standard output.")
]
Wide = Annotated[bool, typer.Option("--wide", "-w", help="Every column, however narrow the terminal is.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")]


def leave(code: int) -> NoReturn:
    raise typer.Exit(code)
