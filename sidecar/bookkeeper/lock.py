"""One bookkeeper a home: `bookkeeper.lock`, held with flock(2) for as long as the process lives."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WAIT_S = 1.0
"""Readers hold the lock for an instant to see whether it is free."""


class AlreadyRunning(Exception):
    """Somebody holds the lock. The message names the pid."""


@contextmanager
def held(home: Path, doing: str = "keeps the books") -> Iterator[None]:
    """Within, no other bookkeeper and no maintenance runs on `home`. Raises AlreadyRunning."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(home / "bookkeeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(descriptor, home)
        told = {"pid": os.getpid(), "socket": str(home / "bookkeeper.sock"), "doing": doing}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(told).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, home: Path) -> None:
    until = time.monotonic() + _WAIT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise AlreadyRunning(_who(descriptor, home)) from None
            time.sleep(0.02)
        else:
            return


def _who(descriptor: int, home: Path) -> str:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        who = f"pid {told['pid']}, which {told['doing']}"
    except (ValueError, KeyError, TypeError):
        who = "another process"
    return f"the books in {home} are held by {who}: stop it first (`taximeter up` or `taximeter bookkeeper` runs it)"
