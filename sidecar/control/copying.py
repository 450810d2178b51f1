"""Copies of a control store in a file. Imports no SQLAlchemy: `taximeter backup` has no use for it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

SQLITE = "sqlite:///"


def path_of(url: str) -> Path | None:
    """The file of a control URL; None: it is in PostgreSQL."""
    return Path(url.removeprefix(SQLITE)) if url.startswith(SQLITE) else None


def copy(source: Path, to: Path) -> int:
    """A whole copy of a store in use, mode 0600; its bytes. Raises OSError, which tells of a damaged store too."""
    to.unlink(missing_ok=True)
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(to)) as writing:
            reading.backup(writing)
    except sqlite3.Error as error:
        to.unlink()
        raise OSError(f"the control store {source} could not be copied: {error}") from None
    return to.stat().st_size
