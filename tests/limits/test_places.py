"""Places in flight: waited for in order, handed over, never lost, never more than there are."""

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.call import Target
from sidecar.core.catalog import Account
from sidecar.core.clock import Clock
from sidecar.limits import Limits, Permit
from tests.support.limits import TARGET, limited, need
from tests.support.routes import catalog

LONG_S = 5.0


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def waiting(limits: Limits, account: Account, within_s: float = LONG_S) -> tuple[int, Permit] | None:
    return await limits.place([(account, TARGET)], need(), within_s)


async def test_a_place_passes_to_whoever_waits_longest() -> None:
    limits, account = Limits(Clock()), limited(max_concurrent=1)
    held = limits.take(account, TARGET, need())
    waits = [asyncio.create_task(waiting(limits, account)) for _ in range(3)]
    for served in range(3):
        await settled()
        held.release(None)
        assert limits.blocked(account, TARGET, need()) is not None, "nobody pushes in"
        await settled()
        assert [task.done() for task in waits] == [place <= served for place in range(3)]
        got = waits[served].result()
        assert got is not None
        held = got[1]
    held.release(None)
    assert limits.blocked(account, TARGET, need()) is None


async def test_who_gives_up_gets_nothing_and_takes_nothing() -> None:
    limits, account = Limits(Clock()), limited(max_concurrent=1)
    held = limits.take(account, TARGET, need())
    assert await waiting(limits, account, 0.001) is None
    held.release(None)
    assert limits.snapshot([account])[0].in_flight == 0


@pytest.mark.parametrize("order", ["cancel-then-free", "free-then-cancel"])
async def test_a_place_of_one_who_hangs_up_goes_to_the_next(order: str) -> None:
    limits, account = Limits(Clock()), limited(max_concurrent=1)
    held = limits.take(account, TARGET, need())
    first, second = (asyncio.create_task(waiting(limits, account)) for _ in range(2))
    await settled()
    steps: list[Callable[[], object]] = [first.cancel, lambda: held.release(None)]
    for step in steps if order == "cancel-then-free" else reversed(steps):
        step()
    await settled()
    assert first.cancelled()
    assert second.done()
    assert limits.snapshot([account])[0].in_flight == 1


async def test_one_who_waits_for_several_takes_one_place() -> None:
    limits = Limits(Clock())
    a, b = limited("a", max_concurrent=1), limited("b", max_concurrent=1)
    held = [limits.take(account, Target(account.name, "m"), need()) for account in (a, b)]
    wait = asyncio.create_task(limits.place([(a, TARGET), (b, Target("b", "m"))], need(), LONG_S))
    await settled()
    for permit in reversed(held):
        permit.release(None)
    got = await wait
    assert got is not None
    assert got[0] == 1, "the one that came first"
    assert [shown.in_flight for shown in limits.snapshot([a, b])] == [0, 1]


async def test_places_that_a_reload_brings_go_to_those_who_wait() -> None:
    limits, account = Limits(Clock()), limited(max_concurrent=1)
    limits.take(account, TARGET, need())
    waits = [asyncio.create_task(waiting(limits, account)) for _ in range(3)]
    await settled()
    limits.follow(catalog([account]), catalog([limited(max_concurrent=3)]))
    await settled()
    assert [task.done() for task in waits] == [True, True, False]
    limits.follow(catalog([account]), catalog([limited()]))
    await asyncio.gather(*waits)
    assert limits.snapshot([account])[0].in_flight == 4


async def test_places_that_a_reload_takes_away_are_not_passed_on() -> None:
    limits, account = Limits(Clock()), limited(max_concurrent=3)
    held = [limits.take(account, TARGET, need()) for _ in range(3)]
    limits.follow(catalog([account]), catalog([limited(max_concurrent=1)]))
    wait = asyncio.create_task(waiting(limits, account))
    await settled()
    for left, permit in zip((2, 1, 1), held, strict=True):
        permit.release(None)
        await settled()
        assert limits.snapshot([account])[0].in_flight == left
    assert wait.done()


class Traffic:
    """Calls that come, wait, work, fail and are cancelled at any moment, over two accounts."""

    def __init__(self, a: int, b: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.limits = Limits(Clock())
        self.accounts = [limited("a", max_concurrent=a, tokens_per_minute=10**9), limited("b", max_concurrent=b)]
        self.flying = {"a": 0, "b": 0}
        self.most = {"a": a, "b": b}

    async def run(self, calls: int) -> list[BaseException | None]:
        tasks = []
        for _ in range(calls):
            tasks.append(asyncio.create_task(self.one()))
            if self.chance.random() < 0.3:
                await asyncio.sleep(0)
            if self.chance.random() < 0.3:
                self.chance.choice(tasks).cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def one(self) -> None:
        got = await self.permit(self.chance.sample(self.accounts, self.chance.randint(1, 2)))
        if got is not None:
            await self.fly(*got)

    async def permit(self, choice: list[Account]) -> tuple[str, Permit] | None:
        among = [(account, Target(account.name, "m")) for account in choice]
        for account, target in among:
            if self.limits.blocked(account, target, need()) is None:
                return account.name, self.limits.take(account, target, need())
        got = await self.limits.place(among, need(), self.chance.choice([0.0, 0.001, LONG_S]))
        return None if got is None else (choice[got[0]].name, got[1])

    async def fly(self, name: str, permit: Permit) -> None:
        self.flying[name] += 1
        try:
            assert self.flying[name] <= self.most[name]
            for _ in range(self.chance.randint(0, 5)):
                await asyncio.sleep(0)
        finally:
            self.flying[name] -= 1
            if self.chance.random() < 0.8:
                permit.release(self.chance.choice([None, 0, 500]))
            else:
                permit.unused()


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 40), st.integers(0, 2**32))
def test_no_more_are_ever_in_flight_than_may_be_and_no_permit_leaks(a: int, b: int, calls: int, seed: int) -> None:
    traffic = Traffic(a, b, seed)
    ended = asyncio.run(traffic.run(calls))
    assert not [error for error in ended if isinstance(error, Exception)]
    assert [shown.in_flight for shown in traffic.limits.snapshot(traffic.accounts)] == [0, 0]
    for account in traffic.accounts:
        assert traffic.limits.blocked(account, Target(account.name, "m"), need()) is None
