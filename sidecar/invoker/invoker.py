"""Invoker: takes a call, gives its outcome, leaves its record."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from sidecar.budget import Budgets, Who
from sidecar.core.call import Call, StreamRecovery
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.faults import Fault, Refusal
from sidecar.health import Health
from sidecar.invoker.asked import as_alias_has_it
from sidecar.invoker.bracket import Bracket, journal_refusal
from sidecar.invoker.doors import let_in
from sidecar.invoker.events import CallFailed, Outcome, StreamEvent, StreamRestarted, StreamStarted
from sidecar.invoker.exchange import Exchange
from sidecar.invoker.failover import Failover
from sidecar.invoker.live import Live
from sidecar.invoker.meter import Estimate, Prices
from sidecar.invoker.outlay import Outlay
from sidecar.invoker.planner import Explanation, Planner
from sidecar.invoker.rooms import JournalPort, Rooms
from sidecar.invoker.whole import in_parts, parts_of
from sidecar.journal import JournalFailed, JournalFull
from sidecar.limits import Limits
from sidecar.providers.transport import Transport
from sidecar.providers.wire import Wire
from sidecar.routing import Plan, nothing_left


class Invoker:
    """Every call leaves exactly one record; only one that the journal has no room for leaves none, and is counted."""

    def __init__(
        self,
        *,
        catalog: Callable[[str], Catalog],
        wires: Callable[[str], Wire],
        transport: Transport,
        pricing: Prices,
        estimate: Estimate,
        journal: JournalPort,
        health: Health,
        limits: Limits,
        budgets: Budgets,
        clock: Clock,
        random: Callable[[], float],
        log: Any,
        explains: Callable[[], bool] = lambda: True,
    ) -> None:
        """`catalog`: a workspace's, by name; may raise Refusal. `explains`: whether the log takes what explains each
        choice (LOG_LEVEL=debug)."""
        self._catalog = catalog
        self._rooms = Rooms(wires, pricing, estimate, journal, health, limits, budgets, clock, random, log, explains)
        self._exchange = Exchange(transport, clock, limits)
        self._planner = Planner(
            wires=wires, prices=pricing, estimate=estimate, health=health, limits=limits, random=random
        )
        self.unrecorded = 0
        """Calls refused because the journal took no entry for them."""

    async def invoke(self, call: Call) -> Outcome:
        """The whole answer, durable. Raises CallFailed; Refusal if the journal takes no call."""
        with self._bracket(call) as bracket:
            failover = self._planned(bracket)
            while True:
                live = await failover.next()
                try:
                    await self._exchange.ask(live, failover.left_s, bracket.catalog)
                except Fault as fault:
                    await failover.recover(live, fault)
                else:
                    bracket.answered(live)
                    break
        return await bracket.outcome()

    async def invoke_stream(self, call: Call) -> AsyncGenerator[StreamEvent, None]:
        """Events as they come, the Outcome last. Raises as `invoke` does.

        Close it (`aclosing`) when the caller hangs up: that cancels upstream and writes the record.
        """
        with self._bracket(call) as bracket:
            failover = self._planned(bracket)
            buffered = failover.recovery is StreamRecovery.BUFFER
            held: list[Any] = []
            while True:
                live = await failover.next()
                try:
                    async with aclosing(self._parts(live, failover.left_s, bracket.catalog)) as parts:
                        async for part in parts:
                            if buffered:
                                held.append(part)
                                continue
                            if not live.delivered:
                                yield _opening(failover, live)
                            yield part
                except Fault as fault:
                    held.clear()
                    await failover.recover(live, fault)
                else:
                    break
            opening = None if live.delivered else _opening(failover, live)
            bracket.answered(live)
            if opening is not None:
                yield opening
            for part in held:
                yield part
        yield await bracket.outcome()

    def refuse(self, call: Call, refusal: Refusal) -> CallFailed:
        """Journals a call that the edge refuses, and gives what to raise. Raises Refusal if the journal takes none."""
        with self._bracket(call) as bracket:
            raise refusal
        return CallFailed(refusal, bracket.record)

    def explain(self, call: Call) -> Explanation:
        """What the call would do now. Nothing is sent, nothing written, no turn taken."""
        return self._planner.explain(call, self._catalog(call.workspace))

    def _bracket(self, call: Call) -> Bracket:
        """Raises Refusal if the journal takes no call: that one cannot be recorded."""
        catalog = self._catalog(call.workspace)
        try:
            seq = self._rooms.journal.begin()
        except (JournalFull, JournalFailed) as error:
            self.unrecorded += 1
            self._rooms.log.warning("call_unrecorded", error=type(error).__name__, detail=str(error))
            raise journal_refusal(error) from None
        return Bracket(call, catalog, self._rooms, seq)

    def _planned(self, bracket: Bracket) -> Failover:
        """Raises Refusal when nobody can take the call."""
        call, catalog, rooms = bracket.call, bracket.catalog, self._rooms
        made, outlook = self._planner.plan(call, catalog)
        course = bracket.course
        course.plan, course.fallback = made, made.moved_on
        course.skips.extend(made.skips)
        if rooms.explains():
            rooms.log.debug(
                "planned", call_id=call.call_id, alias=call.alias, **self._planner.told(made, call, outlook)
            )
        if not made.targets:
            raise nothing_left(call, catalog, made.pool, made.skips, made.retry_after_s)
        bracket.call = call = as_alias_has_it(call, made.pool.alias, zero_retention=catalog.zero_retention)
        bracket.place = let_in(call, made.pool.alias, rooms.limits)
        return Failover(bracket, self._reserved(bracket, made), rooms, outlook)

    def _reserved(self, bracket: Bracket, made: Plan) -> Plan:
        """The plan as far as budgets let it go. Raises Refusal."""
        call, budgets = bracket.call, self._rooms.budgets
        who = Who(call.workspace, call.alias, call.caller)
        if not budgets.watches(who):
            return made
        bracket.outlay = outlay = Outlay(call, who, budgets, self._rooms.prices)
        targets, skips = outlay.open(made.targets)
        if not skips:
            return made
        bracket.course.skips.extend(skips)
        return replace(made, targets=tuple(targets))

    async def _parts(self, live: Live, left_s: float, catalog: Catalog) -> AsyncGenerator[Any, None]:
        """Nothing, if the operation's answer does not come in parts. A codec that does not stream gives all at once."""
        if live.codec.reader is None:
            await self._exchange.ask(live, left_s, catalog)
            whole = live.reply.payload
            if in_parts(whole):
                live.reply, live.content_bytes = replace(live.reply, payload=None), 0
                parts = list(parts_of(whole))
                live.gave(parts, self._rooms.clock.monotonic_ns())
                for part in parts:
                    yield part
            return
        reader = live.codec.reader()
        async with aclosing(self._exchange.stream(live, reader, left_s, catalog)) as chunks:
            async for chunk in chunks:
                yield chunk


def _opening(failover: Failover, live: Live) -> StreamStarted | StreamRestarted:
    """The event before an attempt's first content."""
    before, reason = failover.delivers(live)
    to = live.planned.target
    return StreamStarted(to) if before is None else StreamRestarted(before, to, reason)
