"""Keeps processes running: starts them, tells when they are ready, restarts what dies, stops all in order.

Children write to log files, run in sessions of their own (a Ctrl-C reaches the supervisor alone, which
then stops them in order) and, on Linux, are told to end should the supervisor itself be killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROBE_EVERY_S = 0.05
FIRST_RESTART_AFTER_S = 0.5
LAST_RESTART_AFTER_S = 15.0
STEADY_AFTER_S = 30.0
"""A child that ran this long begins again with the shortest wait."""
REFUSED = 2
"""Exit code of a child that cannot run as it is configured: starting it again would not help."""


class StartFailed(Exception):
    """A child ended, or was not ready in time, before everything was up. The message is for people."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process to keep running."""

    name: str
    argv: Sequence[str]
    log: Path
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str]
    """Its whole environment."""
    cwd: Path | None = None
    ready_within_s: float = 30.0
    stop_within_s: float = 15.0
    """SIGTERM to SIGKILL."""


def die_with_parent() -> None:
    """Between fork and exec, while no other thread runs: SIGTERM when the parent ends, however that ends (prctl(2))."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def restart_after_s(deaths_in_a_row: int) -> float:
    """Doubling waits, from the first death on."""
    return float(min(FIRST_RESTART_AFTER_S * 2 ** (deaths_in_a_row - 1), LAST_RESTART_AFTER_S))


def tail(log: Path, lines: int = 12) -> str:
    """The end of a log, for a message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


class Supervisor:
    """Starts parts, in any number at once; `watch` until `stop`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._running: dict[str, tuple[Part, asyncio.subprocess.Process]] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, part: Part) -> None:
        """Returns when the part is ready. Raises StartFailed."""
        process = await self._spawn(part)
        try:
            async with asyncio.timeout(part.ready_within_s):
                await self._until_ready(part, process)
        except TimeoutError:
            said = tail(part.log)
            raise StartFailed(f"{part.name} was not ready within {part.ready_within_s:g} s; its log:\n{said}") from None
        self._keepers.append(asyncio.create_task(self._keep(part, process)))

    async def stop(self, order: Sequence[str]) -> None:
        """SIGTERM to the named parts, one after the other, then to all others; SIGKILL to what does not go."""
        self._stopping = True
        for task in self._keepers:
            task.cancel()
        others = [name for name in self._running if name not in order]
        for name in (*order, *others):
            if name in self._running:
                await end(*self._running.pop(name))

    async def _spawn(self, part: Part) -> asyncio.subprocess.Process:
        part.log.parent.mkdir(parents=True, exist_ok=True)
        with part.log.open("ab") as log:
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
        self._running[part.name] = (part, process)
        return process

    async def _until_ready(self, part: Part, process: asyncio.subprocess.Process) -> None:
        while not await part.ready():
            if process.returncode is not None:
                raise StartFailed(f"{part.name} ended with exit code {process.returncode}; its log:\n{tail(part.log)}")
            await asyncio.sleep(PROBE_EVERY_S)

    async def _keep(self, part: Part, process: asyncio.subprocess.Process) -> None:
        deaths = 0
        while True:
            began = asyncio.get_running_loop().time()
            code = await process.wait()
            steady = asyncio.get_running_loop().time() - began > STEADY_AFTER_S
            deaths = 1 if steady else deaths + 1
            if code == REFUSED:
                self._tell(f"{part.name} refuses to run and is not started again:\n{tail(part.log)}")
                return
            wait_s = restart_after_s(deaths)
            self._tell(f"{part.name} ended with exit code {code}; starting it again in {wait_s:g} s (log: {part.log})")
            await asyncio.sleep(wait_s)
            process = await self._spawn(part)


async def end(part: Part, process: asyncio.subprocess.Process) -> None:
    """SIGTERM, a while to leave, SIGKILL."""
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(part.stop_within_s):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
