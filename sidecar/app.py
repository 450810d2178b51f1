"""The sidecar process, put together: home, journal, rooms, edge; served until it is told to stop, and ended well."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from sidecar import home, logs
from sidecar.budget import PassThrough
from sidecar.control.errors import CannotOpen
from sidecar.core import ids
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import Role
from sidecar.edge import catalog as catalog_service
from sidecar.edge import config, invocation, models, usage
from sidecar.edge.auth import Callers, Tokenless
from sidecar.edge.choosing import Choosing
from sidecar.edge.door import Bound, open_door
from sidecar.edge.gate import Gate
from sidecar.edge.health import HealthView
from sidecar.edge.listen import CannotListen
from sidecar.edge.rpc import Border
from sidecar.edge.server import Server
from sidecar.edge.state import state
from sidecar.edge.watch import HealthWatch
from sidecar.hangup import Hangup
from sidecar.health import Health
from sidecar.invoker import Invoker, abandoning
from sidecar.invoker.prober import Prober
from sidecar.journal import Journal, JournalFull, JournalPolicy, JournalVersionError, recover
from sidecar.limits import Limits
from sidecar.plane.plane import ControlPlane
from sidecar.pricing import PriceFileError, Pricing
from sidecar.pricing.estimate import estimate
from sidecar.providers import registry
from sidecar.providers.transport import HttpxTransport
from sidecar.reload import Reread, followed, preparing
from sidecar.settings import Configuration, Loaded, Settings, reload_on_change, reload_on_signal

if TYPE_CHECKING:
    from sidecar.control.store import ControlStore

STATE_EVERY_S = 5.0
CANNOT_START = (
    home.AlreadyRunning,
    home.CannotUse,
    CannotListen,
    CannotOpen,
    PriceFileError,
    JournalFull,
    JournalVersionError,
    OSError,
)
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
    settings, clock, broken = loaded.settings, Clock(), asyncio.Event()
    async with AsyncExitStack() as stack:
        lock = stack.enter_context(home.held(settings.home))
        plane = ControlPlane(partial(_store, settings, clock), clock, log)
        stack.push_async_callback(plane.close)
        pricing, _ = await asyncio.gather(_pricing(settings, clock), plane.open())
        configuration = Configuration(loaded, preparing(reread, pricing), clock, log)

        def catalog() -> Catalog:
            return configuration.catalog

        journal = _journal(loaded, pricing, clock, broken, log)
        stack.push_async_callback(journal.close)
        transport = HttpxTransport()
        stack.push_async_callback(transport.close)
        health = Health(loaded.catalog.breaker, clock, loaded.catalog.time_scale)
        limits = Limits(clock, loaded.catalog.time_scale)
        invoker = Invoker(
            catalog=catalog,
            wires=registry.wire,
            transport=transport,
            pricing=pricing,
            estimate=estimate,
            journal=journal,
            health=health,
            limits=limits,
            budgets=PassThrough(),
            clock=clock,
            random=random.random,
            log=log,
            explains=partial(logging.getLogger("sidecar").isEnabledFor, logging.DEBUG),
        )
        prober = Prober(
            catalog=catalog,
            wires=registry.wire,
            transport=transport,
            health=health,
            clock=clock,
            random=random.random,
            log=log,
        )
        stack.push_async_callback(prober.close)
        view = HealthView(catalog, health, prober, limits.snapshot)
        watch = HealthWatch(view)
        health.changed = watch.changed
        gate = Gate(settings.max_calls)
        followed(configuration, health, limits, gate)
        relay = usage.UsageRelay(settings.home / "bookkeeper.sock")
        stack.push_async_callback(relay.close)
        tokenless = Tokenless(Role(settings.local_role), settings.require_token)
        callers = Callers(lambda: plane.control, clock, tokenless)
        border = Border(callers, gate, log, settings.max_message_bytes)
        calls = invocation.InvocationService(invoker, catalog, gate, clock, settings.max_tags)
        known = catalog_service.CatalogService(catalog, pricing, view, watch, prober)
        choosing = Choosing(invoker.explain, catalog, pricing, clock, settings.max_tags)
        services = {
            invocation.SERVICE: calls.handlers(border),
            catalog_service.SERVICE: {**known.handlers(border), **choosing.handlers(border)},
            config.SERVICE: config.ConfigService(configuration).handlers(border),
            models.SERVICE: models.ModelService(catalog, transport).handlers(border),
            usage.SERVICE.full_name: relay.handlers(border),
        }
        server = Server(services, settings.max_message_bytes)
        bound = open_door(server, settings)
        await server.start()
        stack.push_async_callback(_stop, server, gate)
        lock.tell(bound.address, bound.socket)
        for work in (
            _tell_state(journal, health, gate, clock),
            reload_on_change(configuration),
            reload_on_signal(configuration, hangup),
            prober.keep_probing(lambda: configuration.loaded.settings.probe_interval_s),
            plane.keep_fresh(),
        ):
            stack.callback(asyncio.create_task(work).cancel)
        yield _Sidecar(server, gate, bound, broken, configuration, watch)


async def _pricing(settings: Settings, clock: Clock) -> Pricing:
    """The price data is read beside the loop: it takes a fifth of a second. Raises PriceFileError."""
    pricing = Pricing(settings.prices_file, clock)
    await asyncio.to_thread(pricing.preload)
    return pricing


def _store(settings: Settings, clock: Clock) -> ControlStore:
    """In the plane's thread, which imports SQLAlchemy meanwhile: that takes a fifth of a second too."""
    from sidecar.control.store import ControlStore

    return ControlStore(settings.control_url, clock)


def _journal(loaded: Loaded, pricing: Pricing, clock: Clock, broken: asyncio.Event, log: Any) -> Journal:
    """Ends what an earlier incarnation left open, then begins a journal of its own. Raises CANNOT_START."""
    settings = loaded.settings
    directory = settings.home / "journal"
    recovered = recover(directory, clock, abandoning(loaded.catalog, pricing, estimate))
    if recovered:
        log.warning("recovered", calls=recovered, status="abandoned")

    def failed(error: BaseException) -> None:
        log.error("journal_failed", error=str(error))
        broken.set()

    policy = JournalPolicy(
        segment_bytes=settings.journal_segment_bytes,
        keep_s=settings.journal_keep_s,
        backlog_max_bytes=settings.journal_backlog_max_bytes,
    )
    return Journal.open(directory, ids.ulid(), policy, clock, failed)


async def _end(sidecar: _Sidecar, grace_s: float, log: Any) -> None:
    """No more calls; those in flight get their grace, and are then cancelled and metered as they stand."""
    log.info("stopping", in_flight=sidecar.gate.in_flight, grace_s=grace_s)
    sidecar.gate.close()
    sidecar.watch.close()
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


async def _tell_state(journal: Journal, health: Health, gate: Gate, clock: Clock) -> None:
    while True:
        await asyncio.sleep(STATE_EVERY_S)
        journal.state(state(clock.wall_ns(), gate, health.snapshot()))


async def _first(*waits: Any) -> None:
    """Returns when one of them has."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
