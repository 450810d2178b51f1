"""RerateCalls: past calls priced anew, from the RPC to the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from taximeter.v1 import prices_pb2 as pb
from tests.support.ledger import T0_NS, rows
from tests.support.shop import DOLLAR, Shop, open_shop

param = pytest.param


@pytest.fixture
async def shop() -> AsyncIterator[Shop]:
    async with open_shop() as made:
        yield made


def rerate(**asked: Any) -> pb.RerateCallsRequest:
    request = pb.RerateCallsRequest(reason="the contract came late")
    request.period.start.FromNanoseconds(T0_NS - 10**9)
    request.MergeFrom(pb.RerateCallsRequest(**asked))
    return request


def period(*, start: int = 0, end: int = 0, reason: str = "x") -> pb.RerateCallsRequest:
    """Seconds; 0: as in `rerate`."""
    request = rerate()
    request.reason = reason
    if start:
        request.period.start.seconds = start
    if end:
        request.period.end.seconds = end
    return request


async def test_past_calls_are_priced_by_what_holds_at_their_time(shop: Shop) -> None:
    for provider in ("openai", "groq", "local"):
        await shop.set("model-*", provider=provider, input="1", output="1")
        await shop.set("model-*", provider=provider, input="2", output="2", effective="2026-02-01")
    with shop.books(700) as ledger:
        found = await shop.stub.RerateCalls(rerate())
        worth = sum(10 + seq + (0 if seq % 5 == 0 else seq) for seq in range(700)) * 10**6
        assert (found.calls, found.changed, found.newly_priced) == (700, 700, 100), "more than a page"
        assert rows(ledger, "SELECT sum(cost_usd) * 1000000000000, bool_and(priced) FROM ai_call_logs") == [
            (worth, True)
        ]
        assert [(line.meter, line.price_per_million_picodollars) for line in found.rates] == [
            ("input", DOLLAR), ("output", DOLLAR),
        ]  # fmt: skip
        assert sum(line.cost_picodollars for line in found.rates) == worth
        again = await shop.stub.RerateCalls(rerate())
        assert (again.changed, again.cost_before_usd, again.cost_after_usd) == (0, *[found.cost_after_usd] * 2)
        assert rows(ledger, "SELECT count(*), count(DISTINCT rerating_id) FROM ai_cost_revisions") == [(700, 1)]
    assert (await shop.actions())[-2:] == ["price.rerate", "price.rerate"]


async def test_a_dry_run_changes_nothing_and_needs_no_reason(shop: Shop) -> None:
    await shop.set("model-*", provider="groq", input="1", output="1")
    with shop.books(30) as ledger:
        before = rows(ledger, "FROM calls ORDER BY seq")
        asked = rerate(dry_run=True)
        asked.reason = ""
        found = await shop.stub.RerateCalls(asked)
        assert (found.changed, found.rerating_id) == (10, "")
        assert rows(ledger, "FROM calls ORDER BY seq") == before
        assert rows(ledger, "FROM cost_revisions") == []
    assert await shop.actions() == ["price.set"]


async def test_what_nobody_knows_a_price_of_keeps_what_it_has(shop: Shop) -> None:
    with shop.books(30) as ledger:
        before = rows(ledger, "FROM calls ORDER BY seq")
        found = await shop.stub.RerateCalls(rerate())
        assert (found.calls, found.changed) == (30, 0)
        assert rows(ledger, "FROM calls ORDER BY seq") == before


async def test_one_that_was_cut_short_goes_on_under_its_id(shop: Shop) -> None:
    await shop.set("model-*", provider="groq", input="1", output="1")
    with shop.books(30) as ledger:
        first = rerate()
        first.period.end.FromNanoseconds(T0_NS + 10 * 10**9)
        done = await shop.stub.RerateCalls(first)
        rest = await shop.stub.RerateCalls(rerate(rerating_id=done.rerating_id))
        assert (done.changed, rest.changed) == (4, 6)
        assert rows(ledger, "SELECT count(*), count(DISTINCT rerating_id) FROM cost_revisions") == [(10, 1)]


async def test_without_a_bookkeeper_it_is_told_how_to_go_on(shop: Shop) -> None:
    away = await shop.refused("RerateCalls", rerate())
    assert (away.code, away.reason) == ("UNAVAILABLE", "LEDGER_UNAVAILABLE")
    assert "--resume rer_" in away.message


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        param(pb.RerateCallsRequest(reason="x"), "period.start", id="no-beginning"),
        param(period(start=1, reason=""), "reason", id="no-reason"),
        param(period(end=1), "period.end", id="ends-before-it-begins"),
        param(rerate(rerating_id="mine"), "rerating_id", id="an-id-of-ones-own"),
        param(rerate(reason="a\nb"), "reason", id="a-reason-of-two-lines"),
        param(period(start=2**60), "period.start", id="no-time"),
    ],
)
async def test_what_cannot_be_rerated(shop: Shop, asked: pb.RerateCallsRequest, field: str) -> None:
    wrong = await shop.refused("RerateCalls", asked)
    assert (wrong.code, [field for field, _ in wrong.violations]) == ("INVALID_ARGUMENT", [field])
    assert await shop.actions() == []
