"""Panel "Keep the books": copies of them, and their upkeep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sidecar.arguments import Json, leave


def backup(to: Annotated[Path, typer.Argument(help="Folder to make.")], *, json: Json = False) -> None:
    """Copy ledger and journal, while running or not."""
    from sidecar.commands import books

    leave(books.backup(to, as_json=json))


def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A folder that `backup` made.")],
    *,
    json: Json = False,
) -> None:
    """Put a backup in the place of this home's books."""
    from sidecar.commands import books

    leave(books.restore(source, as_json=json))


def rebuild(*, json: Json = False) -> None:
    """Make the ledger anew from the journal."""
    from sidecar.commands import books

    leave(books.rebuild(as_json=json))


def compact(*, json: Json = False) -> None:
    """Give the ledger file's free space back to the disk."""
    from sidecar.commands import books

    leave(books.compact(as_json=json))
