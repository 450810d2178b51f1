"""What is remembered, across restarts: `<home>/requests/<hour>.log`, 64 bytes a request (past.py).

The loop writes, into the page cache: that survives the process, killed or not. After a power loss the journal stands
in for what had not reached the disk, as far back as its newest snapshot. A disk that takes nothing more fails no call.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sidecar.core.clock import Clock
from sidecar.requests.past import ENTRY_BYTES, Past, entries

HOUR_NS = 3600 * 10**9
SUFFIX = ".log"


class Files:
    """One process at a time: whoever holds the lock of the home."""

    def __init__(self, folder: Path, keep_s: float, clock: Clock, log: Any) -> None:
        self._folder = folder
        self._keep_hours = -(-int(keep_s) // 3600)
        self._clock = clock
        self._log = log
        self._hour = -1
        self._fd = -1
        self._end = 0
        self._told = False
        self._ending: set[asyncio.Future[None]] = set()

    def read(self) -> Iterator[tuple[Past, bytes]]:
        """All entries of files that are not too old, the oldest first. What is too old is deleted."""
        now = self._now()
        for hour in self._hours():
            if hour < now - self._keep_hours:
                self._delete(hour)
                continue
            try:
                data = self._path(hour).read_bytes()
            except OSError as error:
                self._tell(str(error))
                continue
            yield from entries(data)

    def write(self, entry: bytes) -> None:
        """Never raises: whoever asks again after a restart would be asked to pay again, but this call is answered."""
        try:
            if (hour := self._now()) != self._hour:
                self._turn_to(hour)
            written = os.pwrite(self._fd, entry, self._end)
        except OSError as error:
            self._tell(str(error))
            return
        if written < len(entry):  # the next one is written over it
            self._tell(f"{self._path(hour)}: no room left")
        else:
            self._end += len(entry)

    async def close(self) -> None:
        """All of it on disk."""
        self._put_away()
        await asyncio.gather(*self._ending)

    def _turn_to(self, hour: int) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        fd = os.open(self._path(hour), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._put_away(*(old for old in self._hours() if old < hour - self._keep_hours))
        self._hour, self._fd = hour, fd
        self._end = os.fstat(fd).st_size // ENTRY_BYTES * ENTRY_BYTES  # a torn end is written over

    def _put_away(self, *too_old: int) -> None:
        """Syncs and closes beside the loop."""
        if self._fd < 0:
            return
        fd, self._fd, self._hour = self._fd, -1, -1
        done = asyncio.get_running_loop().run_in_executor(None, self._synced, fd, too_old)
        self._ending.add(done)
        done.add_done_callback(self._ending.discard)

    def _synced(self, fd: int, too_old: tuple[int, ...]) -> None:
        with contextlib.suppress(OSError):
            os.fsync(fd)
        os.close(fd)
        for hour in too_old:
            self._delete(hour)

    def _hours(self) -> list[int]:
        try:
            stems = [path.stem for path in self._folder.iterdir() if path.suffix == SUFFIX]
        except OSError:
            return []
        return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdecimal())

    def _delete(self, hour: int) -> None:
        with contextlib.suppress(OSError):
            self._path(hour).unlink()

    def _path(self, hour: int) -> Path:
        return self._folder / f"{hour}{SUFFIX}"

    def _now(self) -> int:
        """Hours since the epoch, UTC."""
        return self._clock.wall_ns() // HOUR_NS

    def _tell(self, error: str) -> None:
        if not self._told:
            self._told = True
            self._log.warning("requests_not_kept", error=error, effect="repeats after a restart may be sent anew")
