"""Whether the files that a configuration was read from are still as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

Stamp = tuple[int, int, int] | None
"""Time of change in ns, size, inode; None: there is no such file."""
Stamps = Mapping[Path, Stamp]


def stamps(paths: Iterable[Path]) -> Stamps:
    """A few system calls. Links are followed, so that a mounted ConfigMap that is swapped is seen to change."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
