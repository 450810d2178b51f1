"""A rush on a budget: many calls at once over gRPC, and never one more than it admits."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from analytics.source import open_source
from taximeter import Client
from taximeter.v1 import budgets_pb2 as pb
from taximeter.v1 import invocation_pb2, invocation_pb2_grpc, payload_pb2
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub
from tests.support.stack import Stack, stack, until

DEADLINE_S = 150.0


@dataclass
class Rush:
    endings: Counter[str] = field(default_factory=Counter)


async def rush(address: str, calls: int, max_tokens: int, channels: int = 8) -> Rush:
    """All of them under way at once."""
    found = Rush()
    options = [("grpc.use_local_subchannel_pool", 1)]
    opened = [grpc.aio.insecure_channel(address, options=options) for _ in range(channels)]
    chat = payload_pb2.ChatRequest(prompt="Hi.", max_tokens=max_tokens)
    request: Any = invocation_pb2.InvokeRequest(call=invocation_pb2.CallSpec(alias="smart", chat=chat))

    async def one(number: int) -> None:
        stub: Any = invocation_pb2_grpc.InvocationServiceStub(opened[number % channels])
        try:
            await stub.Invoke(request, timeout=DEADLINE_S)
            found.endings["ok"] += 1
        except grpc.aio.AioRpcError as error:
            found.endings[error.code().name] += 1

    await asyncio.gather(*(one(number) for number in range(calls)))
    for channel in opened:
        await channel.close()
    return found


def budgeted(built: Stack, **limits: Any) -> str:
    with Client(built.address) as client:
        made = pb.Budget(scope=pb.BUDGET_SCOPE_WORKSPACE, window=pb.BUDGET_WINDOW_TOTAL, **limits)
        status = client.service(BudgetServiceStub).CreateBudget(pb.CreateBudgetRequest(budget=made)).status
        return status.budget.budget_id


def spent_and_held(built: Stack, budget_id: str) -> dict[str, tuple[int, int]]:
    with Client(built.address) as client:
        asked = pb.GetBudgetStatusRequest(budget_id=budget_id)
        (status,) = client.service(BudgetServiceStub).GetBudgetStatus(asked).statuses
        return {each.unit: (int(each.spent), int(each.held)) for each in status.measures}


def booked(built: Stack) -> dict[str, int]:
    """Status -> rows."""
    source = open_source(built.home)
    until(lambda: source.status().backlog_bytes == 0, "the bookkeeper has booked everything", 60)
    rows = source.table("SELECT status, count(*) AS calls FROM ai_call_logs GROUP BY status").to_pylist()
    return {row["status"]: row["calls"] for row in rows}


def equal_sizes(calls: int, admits: int) -> None:
    with stack(TAXIMETER_MAX_CALLS=str(2 * calls)) as built:
        built.provider()
        built.bookkeeper()
        built.sidecar()
        budget_id = budgeted(built, limit_requests=admits, shrink=False)
        found = asyncio.run(rush(built.address, calls, max_tokens=5))
        print(f"{calls} at once, {admits} admitted: {dict(found.endings)}")
        assert found.endings == {"ok": admits, "RESOURCE_EXHAUSTED": calls - admits}
        assert spent_and_held(built, budget_id) == {"requests": (admits, 0)}
        assert booked(built) == {"ok": admits, "refused": calls - admits}


def shrinking(calls: int, limit_tokens: int) -> None:
    with stack(TAXIMETER_MAX_CALLS=str(2 * calls)) as built:
        built.provider()
        built.bookkeeper()
        built.sidecar()
        budget_id = budgeted(built, limit_tokens=limit_tokens)
        found = asyncio.run(rush(built.address, calls, max_tokens=500))
        (spent, held) = spent_and_held(built, budget_id)["tokens"]
        print(f"{calls} at once, {limit_tokens} tokens: {dict(found.endings)}, {spent} spent")
        assert 0 < spent <= limit_tokens
        assert held == 0
        assert found.endings.keys() == {"ok", "RESOURCE_EXHAUSTED"}
        assert booked(built) == {"ok": found.endings["ok"], "refused": found.endings["RESOURCE_EXHAUSTED"]}


@pytest.mark.xdist_group("heavy")
def test_600_at_once_of_which_240_are_admitted() -> None:
    equal_sizes(600, 240)


@pytest.mark.xdist_group("heavy")
def test_with_shrinking_400_at_once_stay_within_the_limit() -> None:
    shrinking(400, 2_000)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_10_000_at_once_of_which_4_000_are_admitted() -> None:
    equal_sizes(10_000, 4_000)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_with_shrinking_10_000_at_once_stay_within_the_limit() -> None:
    shrinking(10_000, 50_000)
