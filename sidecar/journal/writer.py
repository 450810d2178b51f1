"""The journal of one sidecar incarnation, as its event loop writes it.

What has started can always finish: an open call holds a reservation for its line in the next snapshot and for
its finish, and the *next* segment, preallocated, is always large enough for all of them. So a full disk is met
where a call begins, before money is spent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sidecar.core.call import CallRecord
from sidecar.core.clock import Clock
from sidecar.journal.frames import encode
from sidecar.journal.records import finished_payload, started_frame
from sidecar.journal.retention import backlog_bytes
from sidecar.journal.roll import Roll
from sidecar.journal.segments import JournalFailed, JournalFull, Position, sync_directory
from sidecar.journal.syncer import Sync, Syncer
from taximeter.journal.v1 import journal_pb2

RESERVE_BYTES = 8192
"""Held for a finish, beyond twice the size of its start (a finish is a start and what became of it)."""
_HEADROOM_BYTES = 4096
"""For what is no call's: a snapshot's own fields and the Closed frame."""
_RECOUNT_S = 1.0


@dataclass(frozen=True, slots=True)
class JournalPolicy:
    segment_bytes: int = 16 << 20
    keep_s: float = 7 * 86400
    backlog_max_bytes: int = 1 << 30
    """Of journal that is not ingested; beyond it no call begins."""


class Standing(Protocol):
    """What else a snapshot tells of: budgets, as all finishes before it have left them."""

    def windows(self) -> list[journal_pb2.BudgetWindow]: ...

    @property
    def clock_ns(self) -> int:
        """The latest time they have seen, UTC; 0: they say nothing."""
        ...

    @property
    def size_bytes(self) -> int:
        """No less than the windows take in a snapshot."""
        ...


class _Nothing:
    clock_ns = 0
    size_bytes = 0

    def windows(self) -> list[journal_pb2.BudgetWindow]:
        return []


@dataclass(slots=True)
class _Open:
    reserved: int
    start: journal_pb2.CallRecord | None = None
    """Its latest start; None while nothing was sent for it."""


class Journal:
    def __init__(
        self,
        directory: Path,
        sidecar_id: str,
        policy: JournalPolicy,
        clock: Clock,
        on_failure: Callable[[BaseException], None],
        *,
        standing: Standing,
    ) -> None:
        self.sidecar_id = sidecar_id
        self._standing = standing
        self._directory = directory
        self._own = directory / sidecar_id
        self._policy = policy
        self._clock = clock
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._failure: JournalFailed | None = None
        self._open: dict[int, _Open] = {}
        self._reserved = 0
        self._next_seq = 1
        self._own.mkdir(parents=True, mode=0o700)
        self._syncer = Syncer(self._loop, self._fail)
        try:
            self._roll = Roll(self._own, policy.segment_bytes, self._syncer, self._head)
        except BaseException:
            self._syncer.end()
            raise
        sync_directory(directory)
        self._count_backlog()

    @classmethod
    def open(
        cls,
        directory: Path,
        sidecar_id: str,
        policy: JournalPolicy,
        clock: Clock,
        on_failure: Callable[[BaseException], None],
        *,
        standing: Standing | None = None,
    ) -> Journal:
        """Begins `directory/sidecar_id`, which must not exist. Needs a running loop. Raises JournalFull.

        `on_failure` is called once, on the loop, when the disk has failed: the sidecar must stop serving.
        """
        return cls(directory, sidecar_id, policy, clock, on_failure, standing=standing or _Nothing())

    @property
    def healthy(self) -> bool:
        """Whether it can be written. A full disk does not make it ill: what is open can finish."""
        return self._failure is None

    @property
    def open_calls(self) -> int:
        return len(self._open)

    @property
    def position(self) -> Position:
        """Just behind what was written last."""
        return self._roll.position

    def begin(self) -> int:
        """The next call's seq, with room for its start and finish. Raises JournalFull or JournalFailed."""
        self._check()
        self._check_backlog()
        self._admit(RESERVE_BYTES)
        seq = self._next_seq
        self._next_seq += 1
        self._open[seq] = _Open(RESERVE_BYTES)
        self._reserved += RESERVE_BYTES
        return seq

    def started(self, record: CallRecord) -> None:
        """Writes what is known before an attempt leaves, into the page cache. Raises JournalFull or JournalFailed."""
        self._check()
        call = self._open[record.seq]
        frame = started_frame(record)
        data = encode(frame.SerializeToString())
        more = max(0, RESERVE_BYTES + 2 * len(data) - call.reserved)
        self._admit(more)
        self._append(data)
        call.start = frame.started
        call.reserved += more
        self._reserved += more

    def finished(self, record: CallRecord) -> asyncio.Future[None]:
        """Writes the call's one record. It is in the page cache on return, and on disk when the future is done.

        The future fails with JournalFailed. KeyError if the call is not open: nothing is written twice.
        """
        future: asyncio.Future[None] = self._loop.create_future()
        call = self._open[record.seq]
        try:
            self._check()
            fd = self._append(encode(finished_payload(record, call.reserved)))
        except JournalFailed as error:
            future.set_exception(error)
            return future
        del self._open[record.seq]
        self._reserved -= call.reserved
        self._syncer.put(Sync(fd, future))
        return future

    def state(self, state: journal_pb2.State) -> None:
        """What is live, for the bookkeeper; left out when room is short."""
        if self._roll.ready and self.healthy:
            self._append(encode(journal_pb2.Frame(state=state).SerializeToString()))

    def budget_window(self, window: journal_pb2.BudgetWindow) -> None:
        """A budget's window was opened: what it had spent by this place. Raises JournalFull or JournalFailed."""
        self._check()
        self._admit(0)
        self._append(encode(journal_pb2.Frame(budget_window=window).SerializeToString()))

    def alert(self, alert: journal_pb2.BudgetAlert) -> None:
        """For the bookkeeper; left out when room is short, or the disk fails: the fold of the finishes gives it again.

        Never raises: whoever tells of an alert is in the middle of counting.
        """
        if self._roll.ready and self.healthy:
            with contextlib.suppress(JournalFailed):
                self._append(encode(journal_pb2.Frame(budget_alert=alert).SerializeToString()))

    async def close(self) -> None:
        """Everything durable, the Closed frame last, the thread gone.

        With calls still open there is no Closed frame: the next start recovers them.
        """
        if self._failure is None:
            left_open = any(call.start is not None for call in self._open.values())
            if not left_open:
                if self._standing.clock_ns and self._roll.ready:
                    self._append(self._head(self._roll.position.segment))  # the next start reads from here
                closed = journal_pb2.Closed(at_ns=self._clock.wall_ns())
                self._append(encode(journal_pb2.Frame(closed=closed).SerializeToString()))
            self._roll.end(keep_next=left_open)
            self._failure = JournalFailed("the journal is closed")
        await self._syncer.stop()
        self._roll.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _admit(self, more: int) -> None:
        """Raises JournalFull unless all that is open, and `more`, fits into the next segment."""
        self._roll.hold(self._reserved + more + _HEADROOM_BYTES + 2 * self._standing.size_bytes)

    def _append(self, data: bytes) -> int:
        try:
            return self._roll.append(data)
        except (OSError, JournalFull) as error:
            raise self._fail(error) from error

    def _head(self, number: int) -> bytes:
        """The snapshot that lets a recovery begin at this segment."""
        snapshot = journal_pb2.Snapshot(
            sidecar_id=self.sidecar_id,
            segment=number,
            at_ns=self._clock.wall_ns(),
            next_seq=self._next_seq,
            open_calls=[call.start for call in self._open.values() if call.start is not None],
            budget_windows=self._standing.windows(),
            budget_clock_ns=self._standing.clock_ns,
        )
        return encode(journal_pb2.Frame(snapshot=snapshot).SerializeToString())

    def _check_backlog(self) -> None:
        """Between two counts the backlog can only have been smaller than this sum, so most calls count nothing."""
        if self._backlog_bound() <= self._policy.backlog_max_bytes:
            return
        if self._clock.monotonic_s() >= self._counted_at_s + _RECOUNT_S:
            self._count_backlog()
        if self._backlog_bound() > self._policy.backlog_max_bytes:
            raise JournalFull(
                f"journal backlog reached its ceiling ({self._backlog_bound() >> 20} MiB, of "
                f"{self._policy.backlog_max_bytes >> 20} MiB, not ingested): is the bookkeeper running?"
            )

    def _backlog_bound(self) -> int:
        return self._counted_bytes + self._roll.written_bytes - self._written_then

    def _count_backlog(self) -> None:
        self._counted_bytes = backlog_bytes(self._directory)
        self._counted_at_s = self._clock.monotonic_s()
        self._written_then = self._roll.written_bytes

    def _fail(self, error: Exception) -> JournalFailed:
        if self._failure is None:
            self._failure = JournalFailed(f"the journal in {self._own} cannot be written: {error}")
            self._on_failure(self._failure)
        return self._failure
