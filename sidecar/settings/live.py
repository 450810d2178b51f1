"""The configuration in force: one reference, swapped as a whole by a reload that found nothing wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.settings.changes import changes, needs_restart
from sidecar.settings.files import stamps
from sidecar.settings.load import Loaded
from sidecar.settings.sources import ConfigErrors, Mistake

IDLE_S = 1.0
"""How often a watch that is switched off looks whether it still is."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that was read and found good, not yet in force."""

    loaded: Loaded
    changes: tuple[str, ...] = ()
    """What is different beside `loaded` (prices)."""
    swap: Callable[[], None] = lambda: None
    """Puts that into force. Cannot fail."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload did, or would do."""

    generation: int
    """Counts configurations that were different, from 1."""
    changes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    """What differs from the configuration that the process was started with, and has to wait."""


class Configuration:
    """Calls take `catalog` once and keep it, so a swap never reaches one that is under way."""

    def __init__(self, started: Loaded, prepare: Callable[[], Prepared], clock: Clock, log: Any) -> None:
        """`prepare` reads all sources anew, in a thread; raises ConfigErrors with everything that is wrong."""
        self.loaded = started
        self.generation = 1
        self.loaded_at_ns = clock.wall_ns()
        """UTC."""
        self.refused: tuple[Mistake, ...] = ()
        """Of the last reload, if it was refused."""
        self.refused_at_ns: int | None = None
        self.seen = started.files
        """The files as they were when they were last read, for good or for bad."""
        self._started = started
        self._prepare = prepare
        self._clock = clock
        self._log = log
        self._followers: list[Callable[[Loaded, Loaded], None]] = []
        self._one_at_a_time = asyncio.Lock()

    @property
    def catalog(self) -> Catalog:
        return self.loaded.catalog

    def follow(self, follower: Callable[[Loaded, Loaded], None]) -> None:
        """`follower(old, new)` is called in the moment of each swap. It must not fail."""
        self._followers.append(follower)

    async def reload(self, why: str, *, dry_run: bool = False) -> Reloaded:
        """Reads all sources again. Raises ConfigErrors: then nothing has changed."""
        async with self._one_at_a_time:
            seen = stamps(self.seen)
            try:
                prepared = await asyncio.to_thread(self._prepare)
            except Exception as wrong:
                if not dry_run:
                    self.seen = {**seen, **wrong.files} if isinstance(wrong, ConfigErrors) else seen
                    self._refuse(why, wrong)
                raise
            found = self._compared(prepared)
            if dry_run:
                return found
            return self._swapped(why, prepared, found)

    async def try_reload(self, why: str) -> None:
        """What is wrong is told by the log and by GetConfigStatus alone."""
        with contextlib.suppress(Exception):
            await self.reload(why)

    def _compared(self, prepared: Prepared) -> Reloaded:
        new = prepared.loaded
        lines = (*changes(self.loaded, new), *prepared.changes)
        return Reloaded(self.generation, lines, new.warnings, needs_restart(self._started, new))

    def _refuse(self, why: str, wrong: Exception) -> None:
        broke = (Mistake("reload", f"failed: {type(wrong).__name__}"),)
        self.refused = wrong.mistakes if isinstance(wrong, ConfigErrors) else broke
        self.refused_at_ns = self._clock.wall_ns()
        self._log.error("reload_refused", why=why, generation=self.generation, errors=list(map(str, self.refused)))

    def _swapped(self, why: str, prepared: Prepared, found: Reloaded) -> Reloaded:
        old, new = self.loaded, prepared.loaded
        self.seen = new.files
        self.refused, self.refused_at_ns = (), None
        if not prepared.changes and new == old:
            self._log.info("reloaded", why=why, generation=self.generation, changes=[])
            return found
        self.loaded = new
        prepared.swap()
        for follower in self._followers:
            follower(old, new)
        self.generation += 1
        self.loaded_at_ns = self._clock.wall_ns()
        self._log.info(
            "reloaded", why=why, generation=self.generation, changes=found.changes, needs_restart=found.needs_restart
        )
        for warning in new.warnings:
            if warning not in old.warnings:
                self._log.warning("configuration", warning=warning)
        return Reloaded(self.generation, found.changes, found.warnings, found.needs_restart)


async def reload_on_change(configuration: Configuration) -> None:
    """Looks at the files every TAXIMETER_RELOAD_INTERVAL (0: never); reloads when a change is there and over."""
    before = configuration.seen
    while True:
        every_s = configuration.loaded.settings.reload_interval_s
        await asyncio.sleep(every_s or IDLE_S)
        if not every_s:
            continue
        now = await asyncio.to_thread(stamps, configuration.seen)
        if now == before and now != configuration.seen:
            await configuration.try_reload("files")
        before = now


async def reload_on_signal(configuration: Configuration, hangup: asyncio.Event) -> None:
    """Each time that `hangup` is set."""
    while True:
        await hangup.wait()
        hangup.clear()
        await configuration.try_reload("SIGHUP")
