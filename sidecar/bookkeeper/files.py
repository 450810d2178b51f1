"""Files that are whole or not there: written beside, synced, renamed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import BinaryIO


def copy_file(source: Path, to: Path) -> None:
    """`to` appears whole, with `source`'s bytes, or not at all; mode 0600."""
    beside = to.with_name(f".{to.name}.part")
    try:
        with source.open("rb") as reading, _private(beside) as writing:
            shutil.copyfileobj(reading, writing, 1 << 20)
            writing.flush()
            sync(writing.fileno())
        replace(beside, to)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def replace(beside: Path, to: Path) -> None:
    """Rename, and make the rename last."""
    beside.replace(to)
    folder = os.open(to.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(folder)
    finally:
        os.close(folder)


def write_file(to: Path, content: bytes) -> None:
    """`to` has `content`, or what it had before."""
    beside = to.with_name(f".{to.name}.part")
    with _private(beside) as writing:
        writing.write(content)
        writing.flush()
        sync(writing.fileno())
    replace(beside, to)


def sync(descriptor: int) -> None:
    os.fsync(descriptor)


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
