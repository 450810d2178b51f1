"""What tests of repeats build requests, records and runs from."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sidecar.core import ids
from sidecar.core.call import NO_COST, Call, CallRecord, CallStatus, Operation
from sidecar.core.clock import Clock
from sidecar.requests import Requests
from tests.support.edge import TRACE, record
from tests.support.rig import Book, Notes

DIGEST = b"d" * 32
OTHER = b"o" * 32


@dataclass
class Times:
    """A clock of the test's own."""

    wall_ns: int = 1_760_000_000 * 10**9
    monotonic_ns: int = 5 * 10**9

    def clock(self) -> Clock:
        return Clock(lambda: self.wall_ns, lambda: self.monotonic_ns)

    def pass_s(self, seconds: float) -> None:
        self.wall_ns += int(seconds * 1e9)
        self.monotonic_ns += int(seconds * 1e9)


@dataclass
class WatchedBook(Book):
    """A journal in memory that tells of every finish, as the sidecar's does."""

    told: Callable[[CallRecord, asyncio.Future[None]], None] | None = None

    def finished(self, record: CallRecord) -> asyncio.Future[None]:
        durable = super().finished(record)
        if self.told is not None and record.request_id:
            self.told(record, durable)
        return durable


@dataclass(frozen=True)
class Said:
    """An ending."""

    last: bytes = b"last"

    @property
    def size_bytes(self) -> int:
        return len(self.last)


def requests(folder: Path, times: Times | None = None, notes: Notes | None = None, **bounds: Any) -> Requests:
    bounds = {"remembered": 1000, "replay_bytes": 1 << 20, "replay_s": 600.0} | bounds
    return Requests(folder / "requests", (times or Times()).clock(), notes or Notes(), **bounds)


def asked(request_id: str = "", **changes: Any) -> Call:
    """A call with a request id of its own."""
    call = Call(
        call_id=ids.ulid(),
        workspace="default",
        caller="",
        operation=Operation.CHAT,
        payload=None,
        streamed=False,
        started_ns=0,
        started_monotonic_ns=0,
        deadline_s=1e9,
        trace=TRACE,
        rpc_method="",
        request_id=request_id or str(uuid.uuid4()),
        request_digest=DIGEST,
    )
    return replace(call, **changes)


def ended(call: Call, times: Times | None = None, **changes: Any) -> CallRecord:
    """The record of a call that went well, changed by `changes`."""
    known = {
        "workspace": call.workspace,
        "request_id": call.request_id,
        "request_digest": call.request_digest,
        "ended_ns": (times or Times()).wall_ns,
    }
    return record(call, **(known | changes))


def costless(call: Call, **changes: Any) -> CallRecord:
    """The record of a call that failed for nothing."""
    known: dict[str, Any] = {"status": CallStatus.ERROR, "cost": NO_COST}
    return ended(call, **(known | changes))
