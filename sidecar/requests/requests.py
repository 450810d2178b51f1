"""Who asked what before: in flight, in memory, or only remembered."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from sidecar.core.call import Call, CallRecord, CallStatus
from sidecar.core.clock import Clock
from sidecar.core.control import Control
from sidecar.requests.files import Files
from sidecar.requests.flight import Flight, Run
from sidecar.requests.held import ANSWER_BYTES, RECORD_BYTES, Answer, Answers, Ending
from sidecar.requests.keys import key_of, packed, same, short
from sidecar.requests.past import Kept, Past
from sidecar.requests.table import Table

KEEP_S = 24 * 3600


class Reused(Exception):
    """The id stands for another request."""

    def __init__(self, call_id: str) -> None:
        super().__init__(call_id)
        self.call_id = call_id


class Requests:
    """Loop-atomic, but for `load`, which comes before anything else."""

    def __init__(
        self, folder: Path, clock: Clock, log: Any, *, remembered: int, replay_bytes: int, replay_s: float
    ) -> None:
        """`remembered`: requests, the oldest forgotten first. Answers stay for `replay_s` in up to `replay_bytes`."""
        self.answers = Answers(replay_bytes, replay_s, clock.monotonic_s)
        self._clock = clock
        self._log = log
        self._files = Files(folder, KEEP_S, clock, log)
        self._table = Table(remembered, KEEP_S * 1000)
        self._flights: dict[bytes, Flight] = {}
        self._unwritten: set[asyncio.Future[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._told = False
        self._control: Control | None = None
        """In force since its first change."""

    def __len__(self) -> int:
        """Of those remembered."""
        return len(self._table)

    def load(self) -> None:
        """What earlier incarnations have written."""
        now_ms = self._now_ms()
        for past, entry in self._files.read():
            if past.ended_ms > now_ms - KEEP_S * 1000:
                self._table.add(past, entry, now_ms)

    def remember(self, record: CallRecord) -> None:
        """A finish from the journal; twice is once. Written down, too."""
        if record.request_id and may_have_cost(record):
            past = past_of(record)
            if (known := self._table.find(past.key, self._now_ms())) is None or known.ended_ms < past.ended_ms:
                self._files.write(self._add(past))

    async def find(self, call: Call, digest: bytes) -> Flight | Answer | Past | None:
        """What there is of the call; None: it may `begin`, at once. Raises Reused if the id stands for another one."""
        key = key_of(call.workspace, call.request_id)
        while (flight := self._flights.get(key)) is not None and flight.leaving:
            await flight.over()
        found = flight or self.answers.find(key) or self._table.find(key, self._now_ms())
        if found is not None and not same(found.digest, short(digest)):
            raise Reused(found.call_id)
        return found

    def begin(self, call: Call, digest: bytes, run: Run, *, keep: bool) -> Flight:
        """`keep`: whether its answer may stay in memory."""
        key = key_of(call.workspace, call.request_id)
        flight = self._flights[key] = Flight(key, short(digest), call.call_id, run, self.answers, keep=keep)
        flight.when_over(partial(self._land, flight))
        return flight

    def finished(self, record: CallRecord, durable: asyncio.Future[None]) -> None:
        """A call of this incarnation has left its record. It is written down once the record is durable."""
        past = past_of(record)
        if (flight := self._flights.get(past.key)) is not None and flight.call_id == record.call_id:
            flight.record = record
        if may_have_cost(record):
            entry = self._add(past)
            self._unwritten.add(durable)
            durable.add_done_callback(partial(self._write, entry))

    def _write(self, entry: bytes, durable: asyncio.Future[None]) -> None:
        self._unwritten.discard(durable)
        if not durable.cancelled() and durable.exception() is None:
            self._files.write(entry)

    def follow(self, old: Control, new: Control) -> None:
        """Holds no answer of a workspace that is gone, or keeps nothing from now on; its requests stay remembered."""
        self._control = new
        for name in old.workspaces:
            if not self._may_hold(name):
                self.answers.let_go(name)

    def _may_hold(self, workspace: str) -> bool:
        if self._control is None:
            return True
        now = self._control.workspaces.get(workspace)
        return now is not None and not now.zero_retention

    async def close(self) -> None:
        """After the journal: what it made durable is written down."""
        await asyncio.gather(*self._unwritten, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self._files.close()

    def _add(self, past: Past) -> bytes:
        """The entry to be written."""
        entry = past.entry()
        if not self._table.add(past, entry, self._now_ms()) and not self._told:
            self._told = True
            self._log.warning(
                "requests_forgotten", remembered=len(self._table), setting="TAXIMETER_REMEMBERED_REQUESTS"
            )
        return entry

    def _land(self, flight: Flight) -> None:
        """The call is over: its answer is held if it may be asked for again, and fits."""
        if self._flights.get(flight.key) is flight:
            del self._flights[flight.key]
        record, broke = flight.record, flight.broke
        if flight.keep and record is not None and self._may_hold(record.workspace) and may_have_cost(record):
            self._hold(flight, record, None if broke else flight.ending)
        else:
            self.answers.release(flight.hand_over())

    def _hold(self, flight: Flight, record: CallRecord, ending: Ending | None) -> None:
        """All of it; of what is too large, or was cut short, what it came to."""
        if ending is not None:
            flight.grow(ending.size_bytes)
        whole = flight.recording and ending is not None
        recorded_bytes = flight.hand_over()
        if not whole:
            self.answers.release(recorded_bytes)
            recorded_bytes = 0
        extra_bytes = ANSWER_BYTES if whole else RECORD_BYTES
        if not self.answers.reserve(extra_bytes):
            self.answers.release(recorded_bytes)
            return
        past = past_of(record)._replace(digest=flight.digest)
        kept = {"parts": flight.parts, "ending": ending} if whole else {"record": record}
        self.answers.hold(flight.key, Answer(past, record.workspace, recorded_bytes + extra_bytes, **kept))
        self._expire_later()

    def _expire_later(self) -> None:
        if self._timer is None and (left_s := self.answers.expire()) is not None:
            self._timer = asyncio.get_running_loop().call_later(left_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._expire_later()

    def _now_ms(self) -> int:
        return self._clock.wall_ns() // 10**6


def may_have_cost(record: CallRecord) -> bool:
    """Such a call is never made again under its id; one that cost nothing may be."""
    return bool(
        record.status in (CallStatus.OK, CallStatus.ABANDONED)
        or record.maybe_billed
        or record.cost_at_risk_picodollars
        or not record.cost.priced
        or record.cost.amount_picodollars
    )


def past_of(record: CallRecord) -> Past:
    kept = {CallStatus.OK: Kept.OK, CallStatus.ABANDONED: Kept.ABANDONED}.get(record.status, Kept.MAYBE_BILLED)
    key = key_of(record.workspace, record.request_id)
    return Past(key, short(record.request_digest), packed(record.call_id), record.ended_ns // 10**6, kept)
