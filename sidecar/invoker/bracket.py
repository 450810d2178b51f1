"""The bracket around one call: whichever way it is left, one record is written, and leaving waits for nothing."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

from sidecar.budget import Hold
from sidecar.core import ids
from sidecar.core.call import AttemptStatus, Call, CallRecord, CallStatus
from sidecar.core.catalog import Catalog
from sidecar.core.faults import Fault, Refusal, RefusalReason
from sidecar.invoker import refusals
from sidecar.invoker.events import CallFailed, Outcome
from sidecar.invoker.exchange import DeadlinePassed
from sidecar.invoker.live import Live
from sidecar.invoker.meter import UNMETERED, Bill, bill
from sidecar.invoker.outlay import Outlay
from sidecar.invoker.record import ANSWERED, OPEN, Course, Ending, Identity, build, failed
from sidecar.invoker.rooms import Rooms
from sidecar.journal import JournalFailed, JournalFull
from sidecar.limits import Permit
from sidecar.providers.wire import Reply
from taximeter.v1 import invocation_pb2 as pb

_DEADLINE_SLACK_S = 0.005
"""A server that cancels us at the deadline may be a little early by our clock."""


class Bracket:
    """One call under way, begun in the journal as `seq`. Leaving the `with` ends it there; then `outcome` tells of it.

    Exceptions end in the record and in `outcome`; a cancel or a closed generator is recorded and goes on its way.
    """

    record: CallRecord
    """After leaving."""
    _reply: Reply
    _durable: asyncio.Future[None]

    def __init__(self, call: Call, catalog: Catalog, rooms: Rooms, seq: int) -> None:
        self.call = call
        self.catalog = catalog
        self.course = Course(budget_ns=rooms.budgets.stamp(call.started_ns))
        self.outlay: Outlay | None = None
        """None: no budget watches the call."""
        self.place: Permit | None = None
        """At an alias that has limits of its own."""
        self._rooms = rooms
        self._known = Identity(rooms.journal.sidecar_id, seq, ids.span_id(), ids.span_id())
        self._live: Live | None = None
        self._refusal: Refusal | None = None

    def __enter__(self) -> Self:
        return self

    @property
    def payload(self) -> Any:
        """As it goes out."""
        return self.call.payload if self.outlay is None else self.outlay.payload

    def open(self, live: Live) -> None:
        """An attempt is about to leave. Raises JournalFull, JournalFailed: then it must not."""
        if self.outlay is not None:
            self._told_of_outlay(self.outlay)
        record = build(self.call, self._known, self.course, OPEN, self._now_ns(), under_way=(live.opened(),))
        self._rooms.journal.started(record)
        self._live = live

    def _told_of_outlay(self, outlay: Outlay) -> None:
        """So that a record that a kill leaves open counts in the same windows."""
        if outlay.hold is not None:
            self.course.budget_ns = outlay.hold.budget_ns or self.course.budget_ns
        self.course.max_tokens_granted = outlay.granted

    def delivers(self, live: Live) -> None:
        """Content of this attempt goes to the caller from now on."""
        live.delivered = True
        if self.course.first_content_at_ns is None:
            self.course.first_content_at_ns = self._now_ns()

    def answered(self, live: Live) -> None:
        """The attempt has brought a whole answer: the call's."""
        self._reply = live.reply
        now_ns, first = self._now_ns(), live.first_content_at_ns
        self._close(live, AttemptStatus.OK)
        first_s = None if first is None else (first - live.started_at_ns) / 1e9
        duration_s = (now_ns - live.started_at_ns) / 1e9
        self._rooms.health.succeeded(live.planned.target, live.circuit, duration_s, first_s)

    def broke(self, live: Live, fault: Fault) -> None:
        """The attempt has ended in a fault."""
        self._close(live, AttemptStatus.FAILED, fault)
        self._rooms.health.failed(live.planned.target, live.circuit, fault)

    def _cut_short(self, status: AttemptStatus, reason: RefusalReason) -> None:
        """The live attempt, if any, ends for no fault of the provider's."""
        if (live := self._live) is not None:
            self._close(live, status, error_type=reason.value.lower())
            self._rooms.health.released(live.planned.target, live.circuit)

    def _close(self, live: Live, status: AttemptStatus, fault: Fault | None = None, error_type: str = "") -> None:
        self._live = None
        now_ns, course = self._now_ns(), self.course
        live.resumes(now_ns)
        billed = self._bill(live, status, fault)
        live.permit.release(billed.tokens)
        attempt = live.ended(status, now_ns, billed, fault, error_type)
        course.attempts.append(attempt)
        course.provider_ns += live.provider_ns
        if live.delivered or status is AttemptStatus.OK:
            course.served = attempt
            course.bytes_out += live.content_bytes

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        ending = self._ending(error)
        if self.place is not None:
            self.place.release(0)
        budgets, hold = self._rooms.budgets, self._hold()
        record = build(self.call, self._known, self.course, ending, self._now_ns())
        self.record = record = budgets.noted(hold, record)
        # Written before it is counted: a snapshot that this very write begins must not have it yet.
        self._durable = self._rooms.journal.finished(record)
        budgets.settle(hold, record)
        if error is None or isinstance(error, Exception):
            return True
        self._durable.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody waits for it
        return False

    def _hold(self) -> Hold | None:
        """What budgets hold, and what the record has to tell of them."""
        outlay = self.outlay
        if outlay is None:
            return None
        self.course.budget_alerts += outlay.alerts
        return outlay.hold

    async def outcome(self) -> Outcome:
        """What the call came to, once its record is durable. Raises CallFailed."""
        try:
            await self._durable
        except JournalFailed as error:
            raise CallFailed(journal_refusal(error), self.record) from None
        if self._refusal is not None:
            raise CallFailed(self._refusal, self.record)
        reasons = enumerate(self._reply.finish_reasons)
        finishes = tuple(pb.FinishedChoice(index=index, finish_reason=reason) for index, reason in reasons)
        return Outcome(self._reply.payload, self.record, finishes, self._reply.provider_metadata)

    def _ending(self, error: BaseException | None) -> Ending:
        if error is None:
            return ANSWERED
        if not isinstance(error, Exception):
            late = self._rooms.clock.monotonic_s() >= self.call.deadline_s - _DEADLINE_SLACK_S
            reason = RefusalReason.DEADLINE_EXCEEDED if late else RefusalReason.CANCELLED
            self._cut_short(AttemptStatus.CANCELLED, reason)
            return Ending(CallStatus.CANCELLED, reason.value.lower(), reason.value)
        if isinstance(error, DeadlinePassed):
            self._cut_short(AttemptStatus.CANCELLED, RefusalReason.DEADLINE_EXCEEDED)
        refusal = self._refusal = self._refusal_of(error)
        if refusal.reason is RefusalReason.DEADLINE_EXCEEDED:
            return Ending(CallStatus.CANCELLED, refusal.reason.value.lower(), refusal.grpc_status)
        self._cut_short(AttemptStatus.FAILED, refusal.reason)
        status = CallStatus.ERROR if self.course.attempts else CallStatus.REFUSED
        return Ending(status, failed(self.course, refusal.reason.value), refusal.grpc_status)

    def _refusal_of(self, error: Exception) -> Refusal:
        match error:
            case Refusal():
                return error
            case DeadlinePassed():
                return refusals.deadline_exceeded(self.course.attempts)
            case JournalFull() | JournalFailed():
                self._rooms.log.error("journal_refused", error=type(error).__name__, detail=str(error))
                return journal_refusal(error)
        self._report("call_broke", error)
        return Refusal("INTERNAL", RefusalReason.INTERNAL, "The sidecar failed; its log says where.")

    def _bill(self, live: Live, status: AttemptStatus, fault: Fault | None) -> Bill:
        """Never fails: a record without its price is better than none."""
        try:
            received = live.received(whole=status is AttemptStatus.OK, fault=fault)
            granted = None if self.outlay is None else self.outlay.granted
            return bill(received, self.call, self._rooms.prices, self._rooms.estimate, granted)
        except Exception as error:  # noqa: BLE001 - see above
            self._report("metering_broke", error)
            return UNMETERED

    def _report(self, event: str, error: Exception) -> None:
        """Where it happened, and not what it says: a message may hold a payload."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace is not None else ""
        self._rooms.log.error(event, call_id=self.call.call_id, error=type(error).__name__, where=where)

    def _now_ns(self) -> int:
        return self._rooms.clock.monotonic_ns()


def journal_refusal(error: Exception) -> Refusal:
    """What a caller is told when the journal cannot take its call."""
    if isinstance(error, JournalFull):
        return Refusal(
            "RESOURCE_EXHAUSTED",
            RefusalReason.JOURNAL_FULL,
            "The sidecar's disk has no room for this call's journal entry, or the bookkeeper is too far behind; "
            "nothing was sent to a provider. Free disk space, or start the bookkeeper.",
        )
    return Refusal(
        "INTERNAL",
        RefusalReason.JOURNAL_FAILED,
        "The sidecar's disk failed while it wrote the journal; it is shutting down. Its log says more.",
    )
