"""What the invoker is handed, as far as one call needs it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sidecar.budget import Budgets
from sidecar.core.call import CallRecord
from sidecar.core.clock import Clock
from sidecar.health import Health
from sidecar.invoker.meter import Estimate, Prices
from sidecar.limits import Limits
from sidecar.providers.wire import Wire


class JournalPort(Protocol):
    """`sidecar.journal.Journal`, as far as calls need it."""

    sidecar_id: str

    def begin(self) -> int: ...

    def started(self, record: CallRecord) -> None: ...

    def finished(self, record: CallRecord) -> asyncio.Future[None]: ...


@dataclass(frozen=True, slots=True)
class Rooms:
    wires: Callable[[str], Wire]
    prices: Prices
    estimate: Estimate
    journal: JournalPort
    health: Health
    limits: Limits
    budgets: Budgets
    clock: Clock
    random: Callable[[], float]
    """Numbers in [0, 1)."""
    log: Any
    """structlog's: no payload, key or provider's text goes there."""
    explains: Callable[[], bool]
    """Whether it takes what explains each choice."""
