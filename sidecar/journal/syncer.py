"""The journal's one thread. It makes durable what the loop has written, and does nothing else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import NamedTuple


class Sync(NamedTuple):
    """Something to be made durable."""

    fd: int
    done: asyncio.Future[None] | None = None
    close: bool = False
    """This is its last sync: close the descriptor after it."""


class Syncer:
    """Group commit: whatever was put before a round of `fdatasync` began is done when the round ends.

    The thread is woken once a tick of the loop: woken at each put, it would take the interpreter's lock away
    from the loop each time (measured: 20 µs a call).

    After a failed sync the kernel may have dropped the pages and would call the next one a success, so no
    descriptor is tried again: everyone who waits is failed, and the thread ends.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, fail: Callable[[OSError], BaseException]) -> None:
        """`fail` is called once, on the loop, and gives what the waiting are told."""
        self._loop = loop
        self._fail = fail
        self._tick: list[Sync] = []
        self._queue: SimpleQueue[list[Sync] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="journal-sync", daemon=True)
        self._thread.start()

    def put(self, sync: Sync) -> None:
        if not self._tick:
            self._loop.call_soon(self._flush)
        self._tick.append(sync)

    def end(self) -> None:
        """Lets the thread end when all that was put is durable."""
        self._flush()
        self._queue.put(None)

    async def stop(self) -> None:
        """Ends the thread, and waits for it."""
        self.end()
        await self._loop.run_in_executor(None, self._thread.join)

    def _flush(self) -> None:
        if self._tick:
            self._queue.put(self._tick)
            self._tick = []

    def _run(self) -> None:
        running = True
        while running:
            group, running = self._next_group()
            try:
                for fd in dict.fromkeys(sync.fd for sync in group):
                    os.fdatasync(fd)
            except OSError as error:
                self._loop.call_soon_threadsafe(self._failed, group, error)
                return
            for sync in group:
                if sync.close:
                    os.close(sync.fd)
            if waiting := [sync.done for sync in group if sync.done is not None]:
                self._loop.call_soon_threadsafe(_resolve, waiting)

    def _next_group(self) -> tuple[list[Sync], bool]:
        """Waits for something, takes all there is. False: the last group."""
        group: list[Sync] = []
        tick = self._queue.get()
        try:
            while tick is not None:
                group += tick
                tick = self._queue.get_nowait()
        except Empty:
            return group, True
        return group, False

    def _failed(self, group: list[Sync], error: OSError) -> None:
        self._flush()
        while not self._queue.empty():
            group += self._queue.get_nowait() or ()
        reason = self._fail(error)
        for sync in group:
            if sync.done is not None and not sync.done.done():
                sync.done.set_exception(reason)


def _resolve(waiting: list[asyncio.Future[None]]) -> None:
    for future in waiting:
        if not future.done():
            future.set_result(None)
