"""What makes calls, put together: prices, control plane, budgets, journal, health, invoker; closed in reverse."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from sidecar.budget import Budgets
from sidecar.control.errors import CannotOpen
from sidecar.core import ids
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.control import NOTHING
from sidecar.health import Health
from sidecar.invoker import Invoker, abandoning
from sidecar.invoker.prober import Prober
from sidecar.journal import (
    Journal,
    JournalFull,
    JournalPolicy,
    JournalVersionError,
    Left,
    left_behind,
    recover,
    sidecars,
)
from sidecar.limits import Limits
from sidecar.plane.book import AlertDesk, BudgetStanding, restore
from sidecar.plane.catalogs import Catalogs
from sidecar.plane.ledger import LedgerClient
from sidecar.plane.opening import Opening
from sidecar.plane.plane import ControlPlane
from sidecar.plane.prices import HeldPrices
from sidecar.pricing import PriceFileError, Pricing
from sidecar.pricing.estimate import estimate
from sidecar.providers import registry
from sidecar.providers.transport import HttpxTransport
from sidecar.reload import Reread, preparing
from sidecar.requests import Requests, Watched
from sidecar.settings import Configuration, Loaded, Settings, opened, pool_slot
from sidecar.vault import Vault, open_vault
from sidecar.workspaces import Known

if TYPE_CHECKING:
    from sidecar.control.store import ControlStore

CANNOT_OPEN = (CannotOpen, PriceFileError, JournalFull, JournalVersionError, OSError)
"""Their messages say what to do; another start would meet the same."""


@dataclass(frozen=True, slots=True)
class Engine:
    settings: Settings
    """As the process was started with them."""
    clock: Clock
    log: Any
    configuration: Configuration
    pricing: Pricing
    plane: ControlPlane
    vault: Vault
    catalogs: Catalogs
    budgets: Budgets
    ledger: LedgerClient
    opening: Opening
    journal: Journal
    requests: Requests
    transport: HttpxTransport
    health: Health
    limits: Limits
    invoker: Invoker
    prober: Prober
    broken: asyncio.Event
    """The journal's disk has failed."""

    def system(self) -> Catalog:
        """The operator's configuration, as no workspace has changed it."""
        return self.configuration.catalog


@asynccontextmanager
async def running(loaded: Loaded, reread: Reread, log: Any) -> AsyncIterator[Engine]:
    """The caller holds the home's lock. Raises CANNOT_OPEN."""
    settings, clock, broken = loaded.settings, Clock(), asyncio.Event()
    async with AsyncExitStack() as stack:
        plane = ControlPlane(partial(_store, settings, clock), clock, log)
        stack.push_async_callback(plane.close)
        vault = open_vault(loaded.encryption, lambda why: log.warning("vault", why=why))
        pricing = Pricing(settings.prices_file, clock)
        configuration = Configuration(loaded, preparing(reread, pricing), clock, log)

        def system() -> Catalog:
            return configuration.catalog

        known = Known(partial(opened, wires=registry.built()), pool_slot)
        HeldPrices(plane, pricing, log)
        catalogs = Catalogs(system, plane, vault, known=known, log=log)
        # SQLAlchemy and the price data take a fifth of a second each to import: beside the loop.
        await asyncio.gather(asyncio.to_thread(pricing.preload), plane.open())
        requests = await _requests(settings, clock, log)
        stack.push_async_callback(requests.close)
        plane.follow(requests.follow)
        desk = AlertDesk(log)
        budgets = Budgets(clock, desk.told)
        left = await asyncio.to_thread(_recovered, loaded, pricing, clock, log)
        restore(left, budgets)
        for record, _ in left.records:
            requests.remember(record)  # what its own file has missed
        budgets.follow(plane.control.budgets)
        journal = _journal(settings, clock, BudgetStanding(budgets), broken, log)
        desk.opened(journal)
        stack.push_async_callback(journal.close)
        ledger = LedgerClient(settings.home / "bookkeeper.sock")
        stack.push_async_callback(ledger.close)
        opening = Opening(budgets, journal, settings.home / "journal", ledger.budget_spent, log)
        stack.push_async_callback(opening.close)
        opening.follow(NOTHING, plane.control)
        plane.follow(opening.follow)
        transport = HttpxTransport()
        stack.push_async_callback(transport.close)
        health = Health(loaded.catalog.breaker, clock, loaded.catalog.time_scale)
        limits = Limits(clock, loaded.catalog.time_scale)

        def view_changed(old: Catalog, new: Catalog) -> None:
            health.follow(old, new, new.workspace)
            limits.follow(old, new, new.workspace)

        catalogs.changed = view_changed
        invoker = Invoker(
            catalog=catalogs.of,
            wires=registry.wire,
            transport=transport,
            pricing=pricing,
            estimate=estimate,
            journal=Watched(journal, requests.finished),
            health=health,
            limits=limits,
            budgets=budgets,
            clock=clock,
            random=random.random,
            log=log,
            explains=partial(logging.getLogger("sidecar").isEnabledFor, logging.DEBUG),
        )
        prober = Prober(
            catalog=system,
            own=catalogs.own_accounts,
            wires=registry.wire,
            transport=transport,
            health=health,
            clock=clock,
            random=random.random,
            log=log,
        )
        stack.push_async_callback(prober.close)
        yield Engine(
            settings=settings,
            clock=clock,
            log=log,
            configuration=configuration,
            pricing=pricing,
            plane=plane,
            vault=vault,
            catalogs=catalogs,
            budgets=budgets,
            ledger=ledger,
            opening=opening,
            journal=journal,
            requests=requests,
            transport=transport,
            health=health,
            limits=limits,
            invoker=invoker,
            prober=prober,
            broken=broken,
        )


def _store(settings: Settings, clock: Clock) -> ControlStore:
    """In the plane's thread."""
    from sidecar.control.store import ControlStore

    return ControlStore(settings.control_url, clock)


async def _requests(settings: Settings, clock: Clock, log: Any) -> Requests:
    requests = Requests(
        settings.home / "requests",
        clock,
        log,
        remembered=settings.remembered_requests,
        replay_bytes=settings.replay_memory_bytes,
        replay_s=settings.replay_keep_s,
    )
    await asyncio.to_thread(requests.load)
    return requests


def _recovered(loaded: Loaded, pricing: Pricing, clock: Clock, log: Any) -> Left:
    """Ends what an earlier incarnation left open; gives what it left behind. Raises CANNOT_OPEN.

    Where there is a ledger, its calls were made by somebody: without a journal, then, budgets ask it."""
    home = loaded.settings.home
    directory = home / "journal"
    calls = recover(directory, clock, abandoning(loaded.catalog, pricing, estimate))
    if calls:
        log.warning("recovered", calls=calls, status="abandoned")
    left = left_behind(directory)
    return replace(left, fresh=left.fresh and not (home / "ledger.duckdb").exists())


def _journal(settings: Settings, clock: Clock, standing: BudgetStanding, broken: asyncio.Event, log: Any) -> Journal:
    directory = settings.home / "journal"

    def failed(error: BaseException) -> None:
        log.error("journal_failed", error=str(error))
        broken.set()

    policy = JournalPolicy(
        segment_bytes=settings.journal_segment_bytes,
        keep_s=settings.journal_keep_s,
        backlog_max_bytes=settings.journal_backlog_max_bytes,
    )
    sidecar_id = ids.ulid_after(max(sidecars(directory), default=""), clock.wall_ns)
    return Journal.open(directory, sidecar_id, policy, clock, failed, standing=standing)
