"""Whichever way a call is left, nothing stays held: of budgets, of accounts in flight, of the alias's own places."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from google.protobuf import struct_pb2

from sidecar.core.call import RequestParameters, StreamRecovery, Target
from sidecar.core.catalog import Key, RateLimits
from sidecar.core.control import BudgetScope
from sidecar.core.faults import Refusal
from sidecar.invoker import CallFailed, Outcome
from sidecar.journal import JournalFailed
from taximeter.v1 import payload_pb2
from tests.invoker.conftest import MakeScene
from tests.support import hostile as on
from tests.support.budgets import budget
from tests.support.hostile import Act
from tests.support.rig import Rig, chat

OK = on.answer("hello there", usage={"prompt_tokens": 10, "completion_tokens": 2})
ASKED: dict[str, Any] = {
    "payload": payload_pb2.ChatRequest(prompt="hello", max_tokens=100),
    "parameters": RequestParameters(max_tokens=100),
}
ROOM = {"usd": 10**9, "tokens": 10**9, "requests": 10**6}
SCOPES = {
    BudgetScope.WORKSPACE: "",
    BudgetScope.ALIAS: "smart",
    BudgetScope.CALLER: "test",
    BudgetScope.KEY: "k1",
}
PLACES = 8


@dataclass
class Way:
    """`leave` makes calls; `a` and `b` are what the two providers do."""

    leave: Callable[[Rig], Awaitable[object]]
    a: list[Act] = field(default_factory=lambda: [OK] * 80)
    b: list[Act] = field(default_factory=lambda: [OK] * 80)
    rooms: dict[BudgetScope, dict[str, Any]] = field(default_factory=dict)
    """Of some budgets, instead of ROOM."""
    alias: dict[str, Any] = field(default_factory=dict)


def asking(**asked: Any) -> Callable[[Rig], Awaitable[object]]:
    async def ask(rig: Rig) -> object:
        return await tried(rig.ask(**(ASKED | asked)))

    return ask


def listening(**asked: Any) -> Callable[[Rig], Awaitable[object]]:
    async def listen(rig: Rig) -> object:
        return await tried(rig.listen(**(ASKED | asked)))

    return listen


async def tried(call: Awaitable[object]) -> object:
    try:
        return await call
    except Refusal as refusal:
        return refusal


async def closed_after(rig: Rig, events: int) -> None:
    async with aclosing(rig.invoker.invoke_stream(chat(**ASKED, streamed=True))) as stream:
        with suppress(CallFailed):
            while events:
                await anext(stream)
                events -= 1


async def closed(rig: Rig) -> None:
    for events in range(4):
        await closed_after(rig, events)


async def cancelled(rig: Rig, call: Callable[[Rig], Awaitable[object]]) -> None:
    """At each of its awaits."""
    for steps in range(1, 40):
        task = asyncio.ensure_future(call(rig))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def cancelled_waiting(rig: Rig) -> None:
    """For a place of an account that is full."""
    permits = [rig.limits.take(each, Target(name, f"m{name}"), lambda: 0)
               for name, each in rig.catalog.accounts.items() for _ in range(PLACES)]  # fmt: skip
    tasks = [asyncio.ensure_future(rig.ask(**ASKED)) for _ in range(3)]
    for _ in range(5):
        await asyncio.sleep(0)
    for task in tasks[:2]:
        task.cancel()
    for permit in permits:
        permit.release(0)
    await asyncio.gather(*tasks, return_exceptions=True)


async def no_alias_place(rig: Rig) -> None:
    permits = [rig.ask(**ASKED) for _ in range(3 * PLACES)]
    endings = await asyncio.gather(*permits)
    assert any(isinstance(ending, CallFailed) and "Alias" in ending.refusal.message for ending in endings)


async def with_book(rig: Rig, **broken: Any) -> None:
    for name, value in broken.items():
        setattr(rig.book, name, value)
    await tried(rig.ask(**ASKED))
    await tried(rig.listen(**ASKED))
    rig.book.full = rig.book.full_at_start = False
    rig.book.failing = None


async def with_prices(rig: Rig, name: str) -> None:
    """Prices that fail there."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    before = getattr(rig.tariff, name)
    setattr(rig.tariff, name, broken)
    await tried(rig.ask(**ASKED))
    setattr(rig.tariff, name, before)


def expressing(**fields: Any) -> dict[str, Any]:
    return {"payload": payload_pb2.ChatRequest(prompt="hello", max_tokens=100, **fields)}


def over_and_over() -> struct_pb2.Struct:
    options = struct_pb2.Struct()
    options.update({"a": {"max_tokens": 10**9, "n": 1000}})
    return options


WAYS = {
    "answered": Way(asking()),
    "streamed": Way(listening()),
    "unknown-target": Way(asking(alias="", target=Target("nobody", "m"))),
    "no-place-at-the-alias": Way(no_alias_place),
    "refused-by-the-workspaces-budget": Way(asking(), rooms={BudgetScope.WORKSPACE: {"usd": 10}}),
    "refused-by-the-callers-budget": Way(asking(), rooms={BudgetScope.CALLER: {"requests": 0}}),
    "next-target-for-the-keys-budget": Way(asking(), rooms={BudgetScope.KEY: {"tokens": 10}}),
    "refused-by-the-keys-budget": Way(
        asking(), rooms={BudgetScope.KEY: {"tokens": 10}}, alias={"fallback_on_budget": False}
    ),
    "cut": Way(asking(), rooms={BudgetScope.ALIAS: {"tokens": 40 + 60}}),
    "cut-and-silent": Way(asking(deadline_in_s=0.05), a=[on.silence], rooms={BudgetScope.ALIAS: {"tokens": 40 + 60}}),
    "far-too-much-asked-for": Way(asking(**expressing(provider_options=over_and_over()))),
    "refused-at-the-second-attempt": Way(
        listening(stream_recovery=StreamRecovery.RESTART),
        a=[on.breaking(2, on.reset)] * 3,
        rooms={BudgetScope.WORKSPACE: {"usd": 248, "shrink": False}},
    ),
    "not-to-be-expressed": Way(asking(**expressing(reasoning_max_tokens=5))),
    "refused-by-the-provider": Way(asking(), a=[on.status(400)]),
    "key-rejected": Way(asking(), a=[on.status(401)] * 2),
    "all-failed": Way(asking(), a=[on.status(500)] * 9, b=[on.reset] * 9),
    "broken-stream": Way(listening(), a=[on.breaking(2, on.reset)] * 3),
    "broken-stream-restarted": Way(listening(stream_recovery=StreamRecovery.RESTART), a=[on.breaking(2, on.reset)] * 3),
    "broken-stream-buffered": Way(listening(stream_recovery=StreamRecovery.BUFFER), a=[on.breaking(2, on.reset)] * 3),
    "deadline-before": Way(asking(deadline_in_s=0.0)),
    "deadline-under-way": Way(asking(deadline_in_s=0.05), a=[on.silence]),
    "deadline-in-the-stream": Way(listening(deadline_in_s=0.1), a=[on.breaking(2, on.silence)]),
    "journal-full": Way(lambda rig: with_book(rig, full=True)),
    "journal-full-at-an-attempt": Way(lambda rig: with_book(rig, full_at_start=True)),
    "journal-failed-at-the-end": Way(lambda rig: with_book(rig, failing=JournalFailed("gone"))),
    "prices-fail-before": Way(lambda rig: with_prices(rig, "ceiling")),
    "prices-fail-after": Way(lambda rig: with_prices(rig, "cost")),
    "generator-closed": Way(closed),
    "cancelled-anywhere": Way(lambda rig: cancelled(rig, asking())),
    "cancelled-anywhere-in-a-stream": Way(lambda rig: cancelled(rig, listening())),
    "cancelled-while-it-waits": Way(cancelled_waiting),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
async def test_nothing_stays_held(scene: MakeScene, way: Way) -> None:
    rig, _ = await scene(way.a, way.b, alias=way.alias | {"limits": RateLimits(max_concurrent=PLACES)})
    keys = tuple(Key(name, f"sk-{name}-secret-secret") for name in ("k1",))
    accounts = {
        name: replace(each, limits=RateLimits(max_concurrent=PLACES)) for name, each in rig.catalog.accounts.items()
    }
    accounts["a"] = replace(accounts["a"], keys=keys)
    rig.catalog = replace(rig.catalog, accounts=accounts)
    rig.budgets.restore([], complete=True)
    budgets = [
        budget(scope.value, scope, workspace="default", subject=subject, **way.rooms.get(scope, ROOM))
        for scope, subject in SCOPES.items()
    ]
    rig.budgets.follow({each.budget_id: each for each in budgets})

    await way.leave(rig)

    held = {
        (status.budget.budget_id, each.unit): each.held for status in rig.budgets.statuses() for each in status.measures
    }
    assert {name: amount for name, amount in held.items() if amount} == {}
    assert [each.in_flight for each in rig.limits.snapshot(rig.catalog.accounts.values())] == [0, 0]
    assert len(rig.book.records) == (rig.book.begun), "one record a call"
    rig.budgets.follow({})
    endings = await asyncio.gather(*(rig.ask(**ASKED) for _ in range(PLACES)))
    assert not [ending for ending in endings if isinstance(ending, CallFailed) and "Alias" in ending.refusal.message]
    assert all(isinstance(ending, Outcome | CallFailed) for ending in endings)
