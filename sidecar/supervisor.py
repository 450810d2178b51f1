"""Keeps processes running: starts them, tells when they are ready, restarts what dies, stops all in order.

Children write to log files, run in sessions of their own (a Ctrl-C reaches the supervisor alone, which
then stops them in order) and, on Linux, are told to end should the supervisor itself be killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROBE_EVERY_S = 0.05
FIRST_RESTART_AFTER_S = 0.5
LAST_RESTART_AFTER_S = 15.0
STEADY_AFTER_S = 30.0
"""A child that ran this long begins again with the shortest wait."""
REFUSED = 2
"""Exit code of a child that cannot run as it is configured: starting it again would not help."""


_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
"""Loaded here, since little may be done between fork and exec."""
LOG_BYTES = 10 << 20
"""A log that is larger when its child is started is set aside, over the one set aside before."""
TAIL_BYTES = 16 << 10


class StartFailed(Exception):
    """A child ended, or was not ready in time, before everything was up. The message is for people."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused
        """It cannot run as it is configured."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep running."""

    name: str
    argv: Sequence[str]
    log: Path
    ready: Callable[[int], Awaitable[bool]]
    """Asked with the pid of the process, so that nobody else's answer counts for it."""
    env: Mapping[str, str]
    """Its whole environment."""
    cwd: Path | None = None
    ready_within_s: float = 30.0
    stop_within_s: float = 15.0
    """SIGTERM to SIGKILL."""


def die_with_parent() -> None:
    """Between fork and exec, while no other thread runs: SIGTERM when the parent ends, however that ends (prctl(2))."""
    if _LIBC is not None:
        pr_set_pdeathsig = 1
        _LIBC.prctl(pr_set_pdeathsig, signal.SIGTERM)


def restart_after_s(deaths_in_a_row: int) -> float:
    """Doubling waits, from the first death on."""
    return float(min(FIRST_RESTART_AFTER_S * 2 ** (deaths_in_a_row - 1), LAST_RESTART_AFTER_S))


@dataclass(frozen=True, slots=True)
class Child:
    """A child, and where its own part of the log begins."""

    part: Part
    process: asyncio.subprocess.Process
    log_from: int

    def said(self, lines: int = 12) -> str:
        """The end of what it wrote, for a message; no line of an earlier child."""
        try:
            with self.part.log.open("rb") as log:
                log.seek(max(self.log_from, log.seek(0, os.SEEK_END) - TAIL_BYTES))
                return "\n".join(log.read().decode(errors="replace").rstrip().splitlines()[-lines:])
        except OSError:
            return ""

    def why_refused(self) -> str:
        """A child that cannot run says why in its last line."""
        return self.said(1) or f"{self.part.name} refuses to run"


class Supervisor:
    """Starts parts, any number at once, and keeps them running until `stop`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._running: dict[str, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, part: Part) -> None:
        """Returns when the part is ready. Raises StartFailed."""
        child = await self._spawn(part)
        try:
            async with asyncio.timeout(part.ready_within_s):
                await self._until_ready(child)
        except TimeoutError:
            message = f"{part.name} was not ready within {part.ready_within_s:g} s; {part.log} ends:\n{child.said()}"
            raise StartFailed(message) from None
        self._keepers.append(asyncio.create_task(self._keep(child)))

    def tell(self, name: str, number: signal.Signals) -> None:
        """Passes a signal on to a part, if it runs just now."""
        child = self._running.get(name)
        if child is not None and child.process.returncode is None:
            child.process.send_signal(number)

    async def stop(self, order: Sequence[str]) -> None:
        """SIGTERM to the named parts, one after the other, then to all others; SIGKILL to what does not go."""
        for task in self._keepers:
            task.cancel()
        others = [name for name in self._running if name not in order]
        for name in (*order, *others):
            if name in self._running:
                await end(self._running.pop(name))

    async def _spawn(self, part: Part) -> Child:
        part.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            if part.log.stat().st_size > LOG_BYTES:
                part.log.replace(part.log.with_suffix(".log.1"))
        with part.log.open("ab") as log:
            log_from = log.tell()
            process = await asyncio.create_subprocess_exec(
                *part.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(part.env),
                cwd=part.cwd,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        child = Child(part, process, log_from)
        self._running[part.name] = child
        return child

    async def _until_ready(self, child: Child) -> None:
        while not await child.part.ready(child.process.pid):
            code = child.process.returncode
            if code == REFUSED:
                raise StartFailed(child.why_refused(), refused=True)
            if code is not None:
                part = child.part
                raise StartFailed(f"{part.name} ended with {ending(code)}; {part.log} ends:\n{child.said()}")
            await asyncio.sleep(PROBE_EVERY_S)

    async def _keep(self, child: Child) -> None:
        deaths = 0
        part = child.part
        while True:
            began = asyncio.get_running_loop().time()
            code = await child.process.wait()
            steady = asyncio.get_running_loop().time() - began > STEADY_AFTER_S
            deaths = 1 if steady else deaths + 1
            if code == REFUSED:
                self._tell(f"{part.name} is not started again: {child.why_refused()}")
                return
            wait_s = restart_after_s(deaths)
            self._tell(f"{part.name} ended with {ending(code)}; starting it again in {wait_s:g} s (log: {part.log})")
            await asyncio.sleep(wait_s)
            child = await self._spawn(part)


def ending(code: int) -> str:
    """How a process ended, for a message: asyncio gives signals as negative codes."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


async def end(child: Child) -> None:
    """SIGTERM, a while to leave, SIGKILL."""
    process = child.process
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(child.part.stop_within_s):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
