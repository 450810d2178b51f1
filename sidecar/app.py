"""The sidecar process, put together: home, journal, rooms, edge; served until it is told to stop, and ended well."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from sidecar import home, logs
from sidecar.edge.budgets_watch import BudgetWatch
from sidecar.edge.door import Bound, open_door
from sidecar.edge.gate import Gate
from sidecar.edge.listen import CannotListen
from sidecar.edge.server import Server
from sidecar.edge.state import state
from sidecar.edge.watch import HealthWatch
from sidecar.engine import CANNOT_OPEN, Engine, running
from sidecar.hangup import Hangup
from sidecar.plane.book import InTurn
from sidecar.plane.listing import ProviderList
from sidecar.plane.price_tables import DailyComparison, PriceTables
from sidecar.reload import Reread
from sidecar.services import services
from sidecar.settings import Configuration, Loaded, reload_on_change, reload_on_signal

STATE_EVERY_S = 5.0
CANNOT_START = (home.AlreadyRunning, home.CannotUse, CannotListen, *CANNOT_OPEN)
"""Their messages say what to do; another start would meet the same."""
ENDING_S = 5.0
"""For calls that were cancelled to write their records, which takes milliseconds."""
OK, FAILED, REFUSED = 0, 1, 2
"""Exit codes. REFUSED: another start would meet the same."""


@dataclass(frozen=True, slots=True)
class _Sidecar:
    server: Server
    gate: Gate
    bound: Bound
    broken: asyncio.Event
    """The journal's disk has failed."""
    configuration: Configuration
    watch: HealthWatch
    budget_watch: BudgetWatch


@dataclass(frozen=True, slots=True)
class _Signals:
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hangup: asyncio.Event = field(default_factory=asyncio.Event)
    """SIGHUP: read the configuration again."""

    def listen(self) -> None:
        loop, closed = asyncio.get_running_loop(), Hangup()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)

        def hung_up() -> None:
            (self.stop if closed.means_stop() else self.hangup).set()

        loop.add_signal_handler(signal.SIGHUP, hung_up)


async def run(loaded: Loaded, reread: Reread, ready: Callable[[Bound], None] = lambda _bound: None) -> int:
    """Serves until SIGTERM, SIGINT or a failed disk; returns the exit code. `ready` is told once it serves."""
    settings = loaded.settings
    os.umask(0o077)
    logs.configure(settings.log_level, settings.log_format)
    log = structlog.get_logger("sidecar")
    signals = _Signals()
    signals.listen()
    async with AsyncExitStack() as stack:
        try:
            sidecar = await stack.enter_async_context(_built(loaded, reread, signals.hangup, log))
        except CANNOT_START as error:
            sys.stderr.write(f"sidecar: {error}\n")
            return REFUSED
        await sidecar.server.serving()
        log.info("ready", address=sidecar.bound.address, socket=str(sidecar.bound.socket))
        ready(sidecar.bound)
        await _first(signals.stop.wait(), sidecar.broken.wait())
        await _end(sidecar, sidecar.configuration.loaded.settings.grace_s, log)
    log.info("stopped")
    return FAILED if sidecar.broken.is_set() else OK


@asynccontextmanager
async def _built(loaded: Loaded, reread: Reread, hangup: asyncio.Event, log: Any) -> AsyncIterator[_Sidecar]:
    """Everything open and listening; closed in the opposite order."""
    settings = loaded.settings
    async with AsyncExitStack() as stack:
        lock = stack.enter_context(home.held(settings.home))
        engine = await stack.enter_async_context(running(loaded, reread, log))
        offered = services(engine)
        for close in offered.closing:
            stack.push_async_callback(close)
        server = Server(offered.by_name, settings.max_message_bytes)
        bound = open_door(server, settings)
        await server.start()
        stack.push_async_callback(_stop, server, offered.gate)
        lock.tell(bound.address, bound.socket)
        for work in (
            _tell_state(engine, offered.gate),
            reload_on_change(engine.configuration),
            reload_on_signal(engine.configuration, hangup),
            engine.prober.keep_probing(lambda: engine.configuration.loaded.settings.probe_interval_s),
            engine.plane.keep_fresh(),
            engine.catalogs.keep_opening(),
            engine.opening.keep_opening(),
            _provider_list(engine).keep_written(),
            _daily(engine).keep_comparing(),
        ):
            stack.callback(asyncio.create_task(work).cancel)
        yield _Sidecar(
            server, offered.gate, bound, engine.broken, engine.configuration, offered.watch, offered.budget_watch
        )


def _provider_list(engine: Engine) -> ProviderList:
    listed = ProviderList(engine.plane, engine.system, engine.clock)
    engine.configuration.follow(lambda _old, _new: listed.changed())
    return listed


def _daily(engine: Engine) -> DailyComparison:
    """Of prices."""
    return DailyComparison(
        PriceTables(engine.pricing, engine.system, engine.clock),
        lambda: engine.pricing.own,
        lambda: engine.configuration.loaded.settings.price_table,
        engine.log,
    )


async def _end(sidecar: _Sidecar, grace_s: float, log: Any) -> None:
    """No more calls; those in flight get their grace, and are then cancelled and metered as they stand."""
    log.info("stopping", in_flight=sidecar.gate.in_flight, grace_s=grace_s)
    sidecar.gate.close()
    sidecar.watch.close()
    sidecar.budget_watch.close()
    await sidecar.server.not_serving()
    if not sidecar.broken.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await sidecar.gate.idle()


async def _stop(server: Server, gate: Gate) -> None:
    """Returns once every call has been cancelled *and recorded*: the journal is closed after this."""
    await server.stop()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(ENDING_S):
            await gate.idle()


async def _tell_state(engine: Engine, gate: Gate) -> None:
    budgets = InTurn(engine.budgets, lambda: engine.plane.control.budgets)
    while True:
        await asyncio.sleep(STATE_EVERY_S)
        engine.budgets.expire()
        now_ns = engine.clock.wall_ns()
        engine.journal.state(state(now_ns, gate, engine.health.snapshot(), budgets.next()))


async def _first(*waits: Any) -> None:
    """Returns when one of them has."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
