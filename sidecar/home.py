"""The home directory: one sidecar in it, for as long as that process lives."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = "sidecar.lock"


class AlreadyRunning(Exception):
    """A sidecar works in this home. The message names its address and pid."""


class CannotUse(Exception):
    """The home cannot be made or written. The message says what to do about it."""


class Lock:
    """`sidecar.lock`, held with flock(2): it ends with the process, whatever ends that. Its text is for people."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def tell(self, address: str, socket: Path) -> None:
        """Where this sidecar is, for the message to a second one and for `taximeter up`."""
        told = json.dumps({"pid": os.getpid(), "address": address, "socket": str(socket)}).encode()
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, told, 0)


@contextmanager
def held(home: Path) -> Iterator[Lock]:
    """Makes the home (mode 0700) if need be, and holds its lock. Raises AlreadyRunning, CannotUse."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotUse(
            f"Cannot work in the home {home}: {error.strerror}. Set TAXIMETER_HOME to a folder that can be written."
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(_who(descriptor, home)) from None
        os.ftruncate(descriptor, 0)
        yield Lock(descriptor)
    finally:
        os.close(descriptor)


def _who(descriptor: int, home: Path) -> str:
    try:
        told = json.loads(os.pread(descriptor, 4096, 0))
        where = f"pid {told['pid']} serves {told['address'] or told['socket']}"
    except (ValueError, KeyError):
        where = "it is just starting"
    return f"A sidecar already runs in {home}: {where}. Stop it first, or set TAXIMETER_HOME to another folder."
