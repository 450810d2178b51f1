"""Opens budgets of which nobody knows yet what they have spent: one made in mid-month counts what the month has spent.

Only the ledger knows that, and it is a little behind. So a budget counts from now on by itself; the ledger is asked
until it has our journal up to here, and all of those before ours; and what it has beyond, which was counted twice, is
read from the journal and taken off. The sum is the window as if it had been counted from its beginning.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sidecar.budget import Amounts, Budgets, WindowState, counted, counted_at_ns, window_at
from sidecar.core.control import NOTHING, Budget, BudgetScope, Control
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.journal import Journal, JournalFailed, JournalFull, Position, Tail
from sidecar.journal.records import from_proto
from sidecar.journal.segments import path_of
from sidecar.plane.book import window_message
from sidecar.plane.ledger import LedgerAway
from taximeter.ledger.v1 import ledger_pb2

WAIT_S = 5.0
"""For the ledger to be up to date; it usually is within 0.2 s."""
_ASK_AGAIN_S = 0.1
_RETRY_S = 1.0
_AT_ONCE = 8
"""Budgets opened side by side."""
Ask = Callable[[ledger_pb2.BudgetSpentRequest], Awaitable[ledger_pb2.BudgetSpentResponse]]


class NotNow(Exception):
    """The ledger does not answer, or does not catch up."""


class Opening:
    """Definitions come to `budgets` through here: `follow` the control plane, and run `keep_opening`."""

    def __init__(
        self, budgets: Budgets, journal: Journal, folder: Path, ask: Ask, log: Any, *, wait_s: float = WAIT_S
    ) -> None:
        """`folder`: `<home>/journal`. `ask`: of the ledger; raises LedgerAway."""
        self._budgets = budgets
        self._journal = journal
        self._own = folder / journal.sidecar_id
        self._ask = ask
        self._log = log
        self._wait_s = wait_s
        self._in_force: Mapping[str, Budget] = {}
        self._provisional: dict[str, Budget] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._wanted = asyncio.Event()
        self._places = asyncio.Semaphore(_AT_ONCE)

    def follow(self, old: Control, new: Control) -> None:
        """The control plane's budgets are in force from now on."""
        self._in_force = new.budgets
        self._define()
        for budget_id in self._budgets.unknown():
            budget = new.budgets.get(budget_id)
            if budget is not None and _unused(budget, old, new):
                self._open_empty(budget_id)
        self._wanted.set()

    @asynccontextmanager
    async def prepared(self, budget: Budget) -> AsyncIterator[None]:
        """Within, what `budget` has spent is known; to be put in force there. Until then it counts and limits nothing.

        Raises Refusal (BUDGET_UNKNOWN).
        """
        self._provisional[budget.budget_id] = replace(
            budget, limit_picodollars=None, limit_tokens=None, limit_requests=None, soft_only=True
        )
        self._define()
        try:
            await self._now(self._opened(budget.budget_id))
            yield
        finally:
            del self._provisional[budget.budget_id]
            self._define()

    async def check(self, budget: Budget) -> None:
        """That what `budget` has spent can be found out. Raises Refusal (BUDGET_UNKNOWN)."""
        start_ns, end_ns = window_at(budget.window, budget.time_zone, self._budgets.now_ns())
        await self._now(self._told(budget, start_ns, end_ns, self._journal.position))

    async def keep_opening(self) -> None:
        """For as long as the sidecar runs: a budget that is unknown refuses calls, so it is asked about until it is
        known."""
        self._wanted.set()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            failing = False
            while unknown := self._budgets.unknown():
                failing = await self._open_all(unknown, said=failing)
                await asyncio.sleep(_RETRY_S if failing else _ASK_AGAIN_S)

    async def close(self) -> None:
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _open_all(self, unknown: tuple[str, ...], *, said: bool) -> bool:
        """Gives whether any could not be opened; says so unless it was said."""
        done = await asyncio.gather(*map(self._opened, unknown), return_exceptions=True)
        failed = [error for error in done if isinstance(error, Exception)]
        if failed and not said:
            why = str(failed[0]) if isinstance(failed[0], NotNow) else type(failed[0]).__name__
            self._log.warning("budgets_unknown", budgets=len(failed), why=why, meanwhile="calls under them are refused")
        if said and not failed:
            self._log.info("budgets_known", budgets=len(unknown))
        return bool(failed)

    def _define(self) -> None:
        self._budgets.follow({**self._provisional, **self._in_force})

    async def _opened(self, budget_id: str) -> None:
        """Whoever asks, a budget is opened once at a time: beginning anew forgets what it has counted."""
        task = self._under_way.get(budget_id)
        if task is None:
            task = self._under_way[budget_id] = asyncio.create_task(self._open(budget_id))
            task.add_done_callback(lambda done: self._ended(budget_id, done))
        await asyncio.shield(task)

    def _ended(self, budget_id: str, task: asyncio.Task[None]) -> None:
        del self._under_way[budget_id]
        if not task.cancelled():
            task.exception()  # whoever waits is told; it may be nobody

    async def _open(self, budget_id: str) -> None:
        async with self._places:
            state = self._budgets.begin_opening(budget_id)
            if state is None:
                self._note(budget_id)
                return
            here, budget = self._journal.position, state.budget
            answer = await self._told(budget, state.start_ns, state.end_ns, here)
            there = answer.positions[self._journal.sidecar_id]
            twice = await asyncio.to_thread(self._between, here, Position(there.segment, there.offset), state)
        spent = (answer.picodollars, answer.tokens, answer.requests)
        self._open_with(state, Amounts(*(max(told - own, 0) for told, own in zip(spent, twice, strict=True))))

    def _open_empty(self, budget_id: str) -> None:
        state = self._budgets.begin_opening(budget_id)
        if state is not None:
            self._open_with(state, Amounts())

    def _open_with(self, state: WindowState, spent: Amounts) -> None:
        found = replace(
            state, spent_picodollars=spent.picodollars, spent_tokens=spent.tokens, spent_requests=spent.requests
        )
        opened = self._budgets.open_window(state.budget_id, found)
        if opened is not None:
            self._write(opened)

    def _note(self, budget_id: str) -> None:
        """A budget that was known from its beginning is told to the journal too."""
        for state in self._budgets.windows():
            if state.budget_id == budget_id:
                self._write(state)

    def _write(self, state: WindowState) -> None:
        try:
            self._journal.budget_window(window_message(state))
        except (JournalFull, JournalFailed) as error:  # it is known here; after a restart the ledger is asked again
            self._log.warning("budget_window_not_written", budget=state.budget_id, why=str(error))

    async def _told(self, budget: Budget, start_ns: int, end_ns: int, here: Position) -> ledger_pb2.BudgetSpentResponse:
        """By a ledger that has our journal up to `here`, and all that came before it. Raises NotNow."""
        asked = ledger_pb2.BudgetSpentRequest(
            workspace=budget.workspace,
            scope=budget.scope.value,
            subject=budget.subject,
            start_ns=start_ns,
            end_ns=end_ns,
            count_at_risk=budget.count_at_risk,
            at_least={
                self._journal.sidecar_id: ledger_pb2.Position(segment=here.segment, offset=here.offset),
            },
        )
        why = "the bookkeeper does not answer"
        try:
            async with asyncio.timeout(self._wait_s):
                while True:
                    try:
                        answer = await self._ask(asked)
                    except LedgerAway as error:
                        why = f"the bookkeeper does not answer ({error})"
                    else:
                        if answer.caught_up:
                            return answer
                        why = "the bookkeeper has not booked all that was journaled"
                    await asyncio.sleep(_ASK_AGAIN_S)
        except TimeoutError:
            raise NotNow(why) from None

    def _between(self, here: Position, there: Position, state: WindowState) -> Amounts:
        """What our journal has from `here` to `there` for the budget's window: read in a thread. Raises NotNow."""
        found, budget, tail = Amounts(), state.budget, Tail(self._own, here)
        while tail.position < there and (entries := tail.read()):
            for entry in entries:
                if entry.position <= there and entry.frame.HasField("finished"):
                    record = from_proto(entry.frame.finished)
                    if window_at(budget.window, budget.time_zone, counted_at_ns(record))[0] == state.start_ns:
                        found = Amounts(*map(sum, zip(found, counted(record, budget), strict=True)))
        if not path_of(self._own, here.segment).exists():
            raise NotNow("the journal went on too fast")  # what stood there was retired: begin again from where it is
        return found

    @staticmethod
    async def _now(work: Awaitable[object]) -> None:
        try:
            await work
        except NotNow as why:
            raise Refusal(
                "UNAVAILABLE",
                RefusalReason.BUDGET_UNKNOWN,
                f"What the window has already spent stands in the ledger, and {why}. Start it (`taximeter bookkeeper`) "
                "or wait for it, and try again.",
                retry_after_s=_RETRY_S,
            ) from None


def _unused(budget: Budget, old: Control, new: Control) -> bool:
    """Whether its key came with this very change: nothing can have been spent by it."""
    made = budget.scope is BudgetScope.KEY and budget.subject in new.keys and budget.subject not in old.keys
    return made and old is not NOTHING
