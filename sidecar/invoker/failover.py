"""The way of one call from target to target."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from sidecar.budget import OverBudget
from sidecar.core import ids
from sidecar.core.call import Skip, StreamRecovery, Target
from sidecar.core.catalog import Key
from sidecar.core.faults import FallbackReason, Fault, KeyRejected, Refusal, RefusalReason, Unsupported
from sidecar.health import Circuit
from sidecar.invoker import refusals
from sidecar.invoker.admission import Admission, Nobody
from sidecar.invoker.bracket import Bracket
from sidecar.invoker.live import Live
from sidecar.invoker.outlook import Outlook
from sidecar.invoker.rooms import Rooms
from sidecar.invoker.words import told
from sidecar.limits import Permit
from sidecar.providers.wire import Codec, HttpRequest
from sidecar.retry import Again, Next, Situation, Stop, next_move
from sidecar.routing import Blocked, Plan, Planned, timeouts_for, waited_for


class Failover:
    """Gives the next attempt, as long as there is one, and takes each fault."""

    def __init__(self, bracket: Bracket, plan: Plan, rooms: Rooms, outlook: Outlook) -> None:
        self._bracket = bracket
        self._call = bracket.call
        self._course = bracket.course
        self._catalog = bracket.catalog
        self._plan = plan
        self._rooms = rooms
        self._longest_s = self._catalog.retry.retry_after_max_s * self._catalog.time_scale
        self._admission = Admission(outlook, rooms, self._longest_s, self._paused)
        self._queue = deque(plan.targets)
        self._keys: deque[Key] = deque(plan.targets[0].keys)
        self._tries_here = 0
        self._span_id = ids.span_id()
        self._fault: Fault | None = None
        self._unsupported = ""
        self._over: OverBudget | None = None
        """Why the last key that had no room had none."""
        self._retry_after_s = plan.retry_after_s
        self._given_by: Target | None = None
        """Whose content the caller has."""
        self._moved: FallbackReason = FallbackReason.PROVIDER_ERROR
        """Why it moved on the last time."""

    @property
    def recovery(self) -> StreamRecovery:
        return self._plan.stream_recovery

    @property
    def left_s(self) -> float:
        return self._call.deadline_s - self._rooms.clock.monotonic_s()

    async def next(self) -> Live:
        """The next attempt, written down as started. Raises Refusal when there is none."""
        while self._queue:
            found = await self._admission.admit(self._choice(), max(self.left_s, 0.0))
            if self.left_s <= 0 and isinstance(found, Nobody):
                raise refusals.deadline_exceeded(self._course.attempts)
            if isinstance(found, Nobody):
                self._give_up(found.why)
                break
            self._pass_over(found.before)
            live = self._started(self._queue[0], found.permit)
            if live is not None:
                return live
        raise self._nobody_left()

    def _choice(self) -> Sequence[Planned]:
        """Who may be tried next: after a failure that no other target may mend, only the one that failed."""
        stays = bool(self._course.attempts) and not self._catalog.retry.retry_failed
        return (self._queue[0],) if stays else self._queue

    async def recover(self, live: Live, fault: Fault) -> None:
        """After an attempt's fault: ready for the next one, back-off included. Raises Refusal if the call ends."""
        fault.message = live.key.hidden_in(fault.message)
        fault.provider_code = live.key.hidden_in(fault.provider_code)
        self._bracket.broke(live, fault)
        self._fault = fault
        rejected = isinstance(fault, KeyRejected)
        if rejected and live.key.key_id:
            self._rooms.health.reject_key(live.key.key_id)
        move = next_move(
            fault,
            Situation(
                attempts=len(self._course.attempts),
                tries_here=self._tries_here,
                untried=[planned.context_tokens for planned in list(self._queue)[1:]],
                time_left_s=self.left_s,
                context_tokens=live.planned.context_tokens,
                keys_left=len(self._keys) - rejected,
                content_sent=live.delivered,
                recovery=self._plan.stream_recovery,
            ),
            self._catalog.retry,
            self._rooms.random(),
            self._catalog.time_scale,
        )
        if self._rooms.explains():
            others = [str(each) for each in list(self._queue)[1:]]
            self._rooms.log.debug("after_fault", call_id=self._call.call_id, **told(live, fault, move, others))
        match move:
            case Again(after_s, other_key):
                if other_key:
                    self._keys.popleft()
                await self._back_off(after_s)
            case Next(reason, place):
                self._moved = reason
                self._course.fallback = self._course.fallback or reason
                self._leave()
                for _ in range(place):
                    self._skip("CONTEXT_LENGTH", "its context is no larger")
            case Stop(reason):
                raise refusals.stopped(reason, fault, self._course.attempts)

    def delivers(self, live: Live) -> tuple[Target | None, FallbackReason]:
        """Content of this attempt begins to go out. Gives whose content it replaces, if any, and why."""
        before, self._given_by = self._given_by, live.planned.target
        self._bracket.delivers(live)
        return before, self._moved

    def _started(self, planned: Planned, permit: Permit) -> Live | None:
        """None: this target cannot take the request, and was passed over."""
        try:
            live = self._made(planned, permit)
            if live is not None:
                self._open(live)
                return live
        except BaseException:
            permit.unused()
            raise
        permit.unused()
        if self._bracket.outlay is not None:
            self._bracket.outlay.withdraw()
        return None

    def _made(self, planned: Planned, permit: Permit) -> Live | None:
        if self.left_s <= 0:
            raise refusals.deadline_exceeded(self._course.attempts)
        if not self._affords(planned):
            return None
        codec = self._rooms.wires(planned.account.wire_for(planned.target.model))[self._call.operation]
        request = self._encoded(planned, codec)
        if request is None:
            return None
        circuit = self._rooms.health.begin(planned.target)
        if circuit is Circuit.OPEN:
            self._pass_over_blocked(FallbackReason.CIRCUIT_OPEN, "circuit open")
            return None
        now_ns = self._rooms.clock.monotonic_ns()
        return Live(
            number=len(self._course.attempts) + 1,
            planned=planned,
            timeouts=timeouts_for(self._call, planned, self._catalog.time_scale),
            key=self._keys[0],
            codec=codec,
            request=request,
            circuit=circuit,
            permit=permit,
            span_id=self._span_id,
            started_at_ns=now_ns,
            started_ns=self._call.started_ns + now_ns - self._call.started_monotonic_ns,
            choices=self._call.parameters.choice_count or 1,
        )

    def _affords(self, planned: Planned) -> bool:
        """Leaves the keys whose budgets have no room for this attempt. False: it has none left, and was passed over.

        Raises Refusal where a budget ends the call.
        """
        outlay, over = self._bracket.outlay, None
        if outlay is None:
            return True
        while self._keys:
            over = outlay.attempt(planned, self._keys[0], self._course.attempts)
            if over is None:
                return True
            self._over = over
            self._keys.popleft()
        alias = self._plan.pool.alias
        if over is not None and (alias is None or not alias.fallback_on_budget):
            raise refusals.over_budget(over, self._call.workspace)
        self._pass_over_blocked(FallbackReason.BUDGET, "the budget of its key is used up")
        return False

    def _open(self, live: Live) -> None:
        try:
            self._bracket.open(live)
        except Exception:
            self._rooms.health.released(live.planned.target, live.circuit)
            raise
        self._tries_here += 1

    def _encoded(self, planned: Planned, codec: Codec) -> HttpRequest | None:
        call = self._call
        stream = call.streamed and codec.reader is not None
        try:
            return codec.encode(
                self._bracket.payload, planned.target.model, stream, planned.account, self._keys[0].secret
            )
        except Unsupported as fault:
            self._unsupported = fault.message
            self._skip("NOT_SUPPORTED", fault.message)
            return None
        except Fault as fault:
            raise Refusal("INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, fault.message) from None

    def _pass_over(self, before: Sequence[Blocked]) -> None:
        """On to the first of the queue that can go now. Those before it that are only rate limited stand behind the
        others from now on: a target that has not been tried may yet be the one that answers."""
        for blocked in before:
            planned, fresh = self._queue[0], not self._tries_here
            self._pass_over_blocked(blocked.reason, blocked.detail)
            if fresh and waited_for(blocked, self._longest_s):
                self._queue.append(planned)

    def _give_up(self, why: Sequence[Blocked]) -> None:
        """None of the queue can go."""
        for blocked in why:
            self._pass_over_blocked(blocked.reason, blocked.detail)
        waits = [blocked.wait_s for blocked in why if blocked.wait_s > 0]
        self._retry_after_s = min(waits, default=self._retry_after_s)

    def _pass_over_blocked(self, reason: FallbackReason, detail: str) -> None:
        self._moved = (self._fault.reason if self._fault is not None else None) or reason
        self._skip(reason.value, detail)
        if self._queue:
            self._course.fallback = self._course.fallback or self._moved

    def _skip(self, reason: str, detail: str) -> None:
        """Told once of each target and reason."""
        planned = self._queue[0]
        if not any(known.target == planned.target and known.reason == reason for known in self._course.skips):
            self._course.skips.append(Skip(planned.target, reason, detail))
        self._rooms.log.debug(
            "passed_over", call_id=self._call.call_id, target=str(planned), reason=reason, detail=detail
        )
        self._leave()

    def _leave(self) -> None:
        """On to the next in the queue."""
        self._queue.popleft()
        self._keys = deque(self._queue[0].keys) if self._queue else deque()
        self._tries_here = 0
        self._span_id = ids.span_id()

    async def _back_off(self, for_s: float) -> None:
        """Not a moment less: a timer may ring early, and a target that asked for the pause would be passed over."""
        before_ns = now_ns = self._rooms.clock.monotonic_ns()
        try:
            while (left_s := for_s - (now_ns - before_ns) / 1e9) > 0:
                await asyncio.sleep(left_s)
                now_ns = self._rooms.clock.monotonic_ns()
        finally:
            self._paused(self._rooms.clock.monotonic_ns() - before_ns)

    def _paused(self, for_ns: int) -> None:
        """Waited, but not for a provider."""
        self._course.paused_ns += for_ns
        if not self._course.attempts:
            self._course.queued_ns += for_ns

    def _nobody_left(self) -> Refusal:
        if self._fault is not None:
            return refusals.stopped(RefusalReason.ALL_ATTEMPTS_FAILED, self._fault, self._course.attempts)
        if self._over is not None:
            return refusals.over_budget(self._over, self._call.workspace)
        return refusals.nobody_left(
            self._call,
            self._catalog,
            self._plan.pool,
            self._course.skips,
            unsupported=self._unsupported,
            retry_after_s=self._retry_after_s,
        )
