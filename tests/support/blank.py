"""A ledger of nothing, made once in a process and copied from then on: making one takes a hundred milliseconds."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

from sidecar.bookkeeper.ledger import Ledger


def blank(path: Path) -> Path:
    """Puts an empty ledger there, unless there is one."""
    if not path.exists():
        path.write_bytes(_empty())
    return path


@functools.cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "ledger.duckdb"
        Ledger(path).close()
        return path.read_bytes()
