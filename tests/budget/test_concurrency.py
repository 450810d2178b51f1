"""A hard budget under ten thousand calls at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from sidecar.budget import Budgets, OverBudget
from tests.support.budgets import NEVER_S, WHO, Bench, attempt, bound, budget, record

CALLS, ADMISSIBLE = 10_000, 4_000
OUTPUT, PRICE = 100, 3


async def at_once(one: Callable[[int, Random], Awaitable[bool]], seed: int = 1) -> int:
    """How many of all calls were admitted; each has a dice of its own to say when it goes on."""
    dice = Random(seed)
    order = list(range(CALLS))
    dice.shuffle(order)
    return sum(await asyncio.gather(*(one(place, Random(dice.random())) for place in order)))


async def turns(dice: Random) -> None:
    for _ in range(dice.randrange(4)):
        await asyncio.sleep(0)


def settle_with(budgets: Budgets, hold: object, picodollars: int, tokens: int) -> None:
    budgets.settle(hold, record(attempts=[attempt(picodollars, tokens)], budget_ns=hold.budget_ns))  # type: ignore[arg-type, attr-defined]


@pytest.mark.parametrize("seed", range(3))
async def test_exactly_as_many_as_are_admissible_are_admitted(seed: int) -> None:
    """All of one size, each as dear as its bound, no cuts: 4,000 fit, and not one more."""
    bench = Bench().with_(budget(usd=ADMISSIBLE * OUTPUT * PRICE, shrink=False))
    budgets = bench.budgets

    async def one(_place: int, dice: Random) -> bool:
        await turns(dice)
        try:
            hold = budgets.reserve(WHO, [bound(output=OUTPUT, price=PRICE)], NEVER_S)
        except OverBudget:
            return False
        await turns(dice)
        settle_with(budgets, hold, OUTPUT * PRICE, OUTPUT)
        return True

    assert await at_once(one, seed) == ADMISSIBLE
    assert (bench.spent(), bench.held()) == ((ADMISSIBLE * OUTPUT * PRICE,), (0,))


async def test_by_requests_too() -> None:
    bench = Bench().with_(budget(requests=ADMISSIBLE))

    async def one(_place: int, dice: Random) -> bool:
        await turns(dice)
        try:
            hold = bench.budgets.reserve(WHO, [bound()], NEVER_S)
        except OverBudget:
            return False
        await turns(dice)
        settle_with(bench.budgets, hold, 0, 0)
        return True

    assert await at_once(one) == ADMISSIBLE


async def test_calls_that_turn_out_smaller_make_room_for_others_and_the_limit_holds_at_every_moment() -> None:
    limit = ADMISSIBLE * OUTPUT * PRICE
    bench = Bench().with_(budget(usd=limit, tokens=limit))
    cut = 0

    def within() -> bool:
        return all(spent + held <= limit for spent, held in zip(bench.spent(), bench.held(), strict=True))

    async def one(_place: int, dice: Random) -> bool:
        nonlocal cut
        await turns(dice)
        asked = dice.randrange(1, 40 * OUTPUT)
        try:
            hold = bench.budgets.reserve(WHO, [bound(dice.randrange(50), 7, asked, PRICE)], NEVER_S)
        except OverBudget:
            return False
        assert within()
        cut += hold.max_output is not None
        await turns(dice)
        granted = asked if hold.max_output is None else hold.max_output
        used = dice.randrange(granted + 1)
        settle_with(bench.budgets, hold, used * PRICE, used)
        assert within()
        return True

    assert ADMISSIBLE / 40 < await at_once(one) < CALLS
    assert cut > 0
    assert bench.held() == (0, 0)
