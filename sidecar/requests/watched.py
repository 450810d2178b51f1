"""How requests learn of every finish."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from sidecar.core.call import CallRecord


class Port(Protocol):
    """The journal, as far as calls need it."""

    sidecar_id: str

    def begin(self) -> int: ...

    def started(self, record: CallRecord) -> None: ...

    def finished(self, record: CallRecord) -> asyncio.Future[None]: ...


class Watched:
    """A journal that tells of every finish, whichever way its call was left."""

    def __init__(self, journal: Port, told: Callable[[CallRecord, asyncio.Future[None]], None]) -> None:
        self.sidecar_id = journal.sidecar_id
        self.begin = journal.begin
        self.started = journal.started
        self._finished = journal.finished
        self._told = told

    def finished(self, record: CallRecord) -> asyncio.Future[None]:
        durable = self._finished(record)
        if record.request_id:
            self._told(record, durable)
        return durable
