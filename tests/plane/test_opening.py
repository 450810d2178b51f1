"""Budgets made in the middle of a window: what it has spent by then is counted, once, whatever goes on meanwhile."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sidecar.budget import Amounts, Budgets, Status, fold
from sidecar.core.call import CallRecord
from sidecar.core.clock import Clock
from sidecar.core.control import NOTHING, Budget, BudgetScope, Control, ProviderKey
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.journal import Journal
from sidecar.plane.ledger import LedgerClient
from sidecar.plane.opening import Opening
from tests.support.bookkeeper import bookkeeper
from tests.support.budget_calls import NOW_NS, a_budget, a_call, an_attempt
from tests.support.journal import entries, kinds, open_journal
from tests.support.ledger_journal import Log

OURS, BEFORE = "01JZ0000000000000000000001", "01JZ0000000000000000000000"
CLOCK = replace(Clock(), wall_ns=lambda: NOW_NS)
ONE = Amounts(3_000_000, 15, 1)
"""What a call comes to."""


@dataclass
class Sidecar:
    """What of one meets budgets."""

    journal: Journal
    budgets: Budgets
    opening: Opening
    log: Log
    calls: list[CallRecord] = field(default_factory=list)

    def call(self, **told: object) -> None:
        """One that is over: journaled, then counted, as a call's bracket does it."""
        record = a_call(self.journal.begin(), [an_attempt()], sidecar_id=self.journal.sidecar_id, **told)
        self.journal.finished(record).add_done_callback(lambda done: done.exception())
        self.budgets.settle(None, record)
        self.calls.append(record)

    def put(self, *budgets: Budget, old: Control = NOTHING, **also: object) -> Control:
        new = Control(budgets={each.budget_id: each for each in budgets}, **also)  # type: ignore[arg-type]  # test shorthand
        self.opening.follow(old, new)
        return new

    def spent(self, budget: Budget) -> Amounts:
        status = self.budgets.status(budget.budget_id)
        assert status
        (state,) = [state for state in self.budgets.windows() if state.budget_id == budget.budget_id]
        return Amounts(state.spent_picodollars, state.spent_tokens, state.spent_requests)

    def folded(self, budget: Budget) -> Amounts:
        (sums,) = fold(self.calls, {budget.budget_id: budget}).values()
        return sums


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tx") as folder:
        yield Path(folder)


@asynccontextmanager
async def sidecar(home: Path, wait_s: float = 5.0, sidecar_id: str = OURS) -> AsyncIterator[Sidecar]:
    log, client = Log(), LedgerClient(home / "bookkeeper.sock")
    journal = open_journal(home / "journal", sidecar_id=sidecar_id)
    budgets = Budgets(CLOCK)
    opening = Opening(budgets, journal, home / "journal", client.budget_spent, log, wait_s=wait_s)
    try:
        yield Sidecar(journal, budgets, opening, log)
    finally:
        await opening.close()
        await client.close()
        await journal.close()


async def until(true: Callable[[], object], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()


async def test_one_made_in_mid_month_counts_what_the_month_has_spent(home: Path) -> None:
    budget = a_budget()
    with bookkeeper(home):
        async with sidecar(home) as own:
            for _ in range(5):
                own.call()
            own.call(workspace="beta")
            async with own.opening.prepared(budget):
                own.put(budget)
            assert own.spent(budget) == Amounts(*(5 * each for each in ONE))
            own.call()
            assert own.spent(budget) == own.folded(budget)


async def test_it_refuses_nobody_while_it_is_found_out(home: Path) -> None:
    """And is in force, with its limits, the moment it is put there."""
    budget = a_budget(limit_picodollars=None, limit_requests=1)
    with bookkeeper(home):
        async with sidecar(home) as own:
            own.call()
            async with own.opening.prepared(budget):
                assert (own.budgets.unknown(), status(own, budget).measures) == ((), ())
                own.put(budget)
            assert status(own, budget).state == "reached"


async def test_calls_that_end_meanwhile_are_counted_once(home: Path) -> None:
    """A load of calls before, while and after; the bookkeeper begins late, so that its place is beyond ours."""
    budgets = [a_budget(budget_id=f"b{place}") for place in range(8)]

    async def load(own: Sidecar) -> None:
        while True:
            for _ in range(5):
                own.call()
            await asyncio.sleep(0.002)

    async with sidecar(home) as own, running(load(own)):
        own.put(*budgets)
        async with running(own.opening.keep_opening()):
            await asyncio.sleep(0.3)
            with bookkeeper(home):
                await until(lambda: not own.budgets.unknown())
        for budget in budgets:
            assert own.spent(budget) == own.folded(budget)
        opened = [kind for kind in kinds(entries(home / "journal" / OURS)) if kind == "budget_window"]
        assert len(opened) == len(budgets)


async def test_what_an_earlier_incarnation_spent_counts_once_all_of_it_is_booked(home: Path) -> None:
    budget = a_budget()
    async with sidecar(home, sidecar_id=BEFORE) as before:
        for _ in range(40):
            before.call()
    async with sidecar(home) as own:
        own.call()
        with bookkeeper(home):
            async with own.opening.prepared(budget):
                own.put(budget)
        assert own.spent(budget) == Amounts(*(41 * each for each in ONE))


async def test_without_a_bookkeeper_none_is_made_and_nothing_is_left_of_it(home: Path) -> None:
    budget = a_budget()
    home.joinpath("journal").mkdir()
    async with sidecar(home, wait_s=0.2) as own:
        with pytest.raises(Refusal) as refused:
            async with own.opening.prepared(budget):
                raise AssertionError("it is not known")
        assert own.budgets.status(budget.budget_id) is None
    assert (refused.value.grpc_status, refused.value.reason) == ("UNAVAILABLE", RefusalReason.BUDGET_UNKNOWN)
    assert "taximeter bookkeeper" in refused.value.message


async def test_one_that_is_refused_after_all_leaves_nothing(home: Path) -> None:
    budget = a_budget()
    with bookkeeper(home):
        async with sidecar(home) as own:
            with pytest.raises(Refusal, match="taken"):
                async with own.opening.prepared(budget):
                    raise Refusal("ALREADY_EXISTS", RefusalReason.NAME_TAKEN, "the name is taken")
            assert own.budgets.status(budget.budget_id) is None


async def test_one_that_was_found_waits_for_the_bookkeeper_and_says_so_once(home: Path) -> None:
    budget = a_budget()
    async with sidecar(home, wait_s=0.1) as own:
        own.call()
        own.put(budget)
        async with running(own.opening.keep_opening()):
            await until(lambda: own.log.said)
            assert status(own, budget).state == "opening"
            with bookkeeper(home):
                await until(lambda: not own.budgets.unknown())
                await until(lambda: len(own.log.said) > 1)
        assert (own.log.events, own.spent(budget)) == (["budgets_unknown", "budgets_known"], ONE)


async def test_the_budget_of_a_key_that_came_with_it_needs_no_ledger(home: Path) -> None:
    key = ProviderKey("k1", "acme", "openai", "", "sk-...abcd", "d1", b"")
    budget = a_budget(BudgetScope.KEY, "k1")
    async with sidecar(home) as own:
        old = own.put()
        own.put(budget, old=old, keys={"k1": key})
        assert own.spent(budget) == Amounts()


async def test_the_budget_of_a_key_that_was_there_before_does(home: Path) -> None:
    key = ProviderKey("k1", "acme", "openai", "", "sk-...abcd", "d1", b"")
    budget = a_budget(BudgetScope.KEY, "k1")
    async with sidecar(home) as own:
        old = own.put(keys={"k1": key})
        own.put(budget, old=old, keys={"k1": key})
        assert own.budgets.unknown() == (budget.budget_id,)


async def test_other_limits_need_no_ledger(home: Path) -> None:
    budget = a_budget()
    with bookkeeper(home):
        async with sidecar(home) as own:
            own.call()
            async with own.opening.prepared(budget):
                own.put(budget)
    own.put(replace(budget, limit_picodollars=1, limit_tokens=5))
    assert (own.budgets.unknown(), own.spent(budget)) == ((), ONE)


def status(own: Sidecar, budget: Budget) -> Status:
    found = own.budgets.status(budget.budget_id)
    assert found
    return found
