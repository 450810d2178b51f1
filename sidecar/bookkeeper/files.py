"""Files that are whole or not there: written beside, synced, renamed. Also a program: `files.py FROM TO` copies.

A program, because a process that closes any descriptor of a file gives up its own locks on it (fcntl(2)): a
ledger that this process has open must be copied by another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def copy_open_file(source: Path, to: Path) -> None:
    """`copy_file` of a file that this process holds open and locked. Raises OSError."""
    done = subprocess.run(
        [sys.executable, "-I", __file__, str(source), str(to)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise OSError(f"could not copy {source} to {to}: {done.stderr.strip().splitlines()[-1]}")


def copy_file(source: Path, to: Path) -> None:
    """`to` appears whole, with `source`'s bytes, or not at all; mode 0600."""
    with source.open("rb") as reading:
        _write_beside(to, lambda writing: shutil.copyfileobj(reading, writing, 1 << 20))


def write_file(to: Path, content: bytes) -> None:
    """`to` has `content`, or what it had before."""
    _write_beside(to, lambda writing: writing.write(content))


def replace(beside: Path, to: Path) -> None:
    """Rename, and make the rename last."""
    beside.replace(to)
    sync_folder(to.parent)


def size_of(path: Path) -> int:
    """Bytes; 0 if it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def sync_file(path: Path) -> None:
    _sync(path, os.O_RDONLY)


def sync_folder(path: Path) -> None:
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(to: Path, write: Callable[[BinaryIO], object]) -> None:
    beside = to.with_name(f".{to.name}.part")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as writing:
            write(writing)
            writing.flush()
            os.fsync(writing.fileno())
        replace(beside, to)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


if __name__ == "__main__":
    copy_file(Path(sys.argv[1]), Path(sys.argv[2]))
