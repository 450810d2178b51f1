"""The one timer of a stream."""

from __future__ import annotations

import asyncio


class Watch:
    """Interrupts its task when the provider is silent for too long, and only while the provider is waited for.

    Re-arming moves a number; the loop's timer is set anew only when it rings. While the caller holds the stream
    (`rest`) nothing can ring: a slow reader is no silent provider. Times are the loop's.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._at: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._rang = False

    def arm(self, in_s: float) -> None:
        """From now on the current task is interrupted after `in_s`, unless told otherwise before."""
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self._at = self._loop.time() + in_s
        if self._timer is not None and self._timer_at > self._at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._set(self._at)

    def rest(self) -> None:
        self._at = None

    def close(self) -> None:
        self._at = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def caught(self) -> bool:
        """Of a CancelledError: whether this watch has raised it, and nobody else."""
        if not self._rang or self._task is None:
            return False
        self._rang = False
        return self._task.uncancel() <= self._cancelling

    def _set(self, at: float) -> None:
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._at is None or self._task is None:
            return
        if self._loop.time() < self._at:
            self._set(self._at)
            return
        self._at = None
        self._rang = True
        self._task.cancel()
