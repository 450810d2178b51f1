"""BudgetService: made whole or not at all, changed by whom it is theirs to change, and how they stand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from sidecar.control.query import AuditQuery
from sidecar.core.control import Budget, BudgetScope, DataKey, ProviderKey
from sidecar.edge.budgets_messages import forecast
from taximeter import errors
from taximeter.v1 import budgets_pb2 as pb
from tests.support.bank import Bank, bank

KEY, ALIAS, CALLER = pb.BUDGET_SCOPE_KEY, pb.BUDGET_SCOPE_ALIAS, pb.BUDGET_SCOPE_CALLER
HOUR_NS = 3600 * 10**9


@pytest.fixture
async def at() -> AsyncIterator[Bank]:
    async with bank() as made:
        yield made


def measure(status: pb.BudgetStatus, unit: str) -> Any:
    (found,) = [each for each in status.measures if each.unit == unit]
    return found


async def status_of(at: Bank, budget_id: str) -> pb.BudgetStatus:
    found = await (await at.ask()).GetBudgetStatus(pb.GetBudgetStatusRequest(budget_id=budget_id))
    status: pb.BudgetStatus
    (status,) = found.statuses
    return status


async def test_what_is_not_said_has_a_good_default(at: Bank) -> None:
    made = (await at.create(limit_usd="100")).budget
    assert (made.name, made.time_zone, made.soft_percent, made.shrink) == ("workspace, month", "UTC", 80, True)
    assert (made.count_at_risk, made.unpriced, made.soft_only, made.imposed) == (True, pb.UNPRICED_REFUSE, False, False)
    assert (made.limit_usd, made.limit_requests, made.created_by) == ("100", 100, "local")
    assert not made.HasField("limit_tokens")


async def test_all_that_is_said_is_kept(at: Bank) -> None:
    said: dict[str, Any] = {
        "name": "of the week",
        "window": pb.BUDGET_WINDOW_WEEK,
        "time_zone": "Asia/Kathmandu",
        "limit_usd": "0.000000000001",
        "limit_tokens": 5,
        "soft_percent": 50,
        "soft_only": True,
        "shrink": False,
        "unpriced": pb.UNPRICED_ALLOW,
        "count_at_risk": False,
        "scope": ALIAS,
        "subject": "smart",
    }
    made = (await at.create(**said)).budget
    (listed,) = (await (await at.ask()).ListBudgets(pb.ListBudgetsRequest())).budgets
    assert {field: getattr(listed, field) for field in said} == said
    assert listed == made


async def test_nothing_is_a_limit_too(at: Bank) -> None:
    made = (await at.create(limit_usd="0", limit_requests=0)).budget
    assert (made.limit_usd, made.limit_requests, made.HasField("limit_tokens")) == ("0", 0, False)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        pytest.param({"scope": 0}, "budget.scope", id="no scope"),
        pytest.param({"scope": 99}, "budget.scope", id="a scope there is not"),
        pytest.param({"window": 0}, "budget.window", id="no window"),
        pytest.param({"time_zone": "Mars/Olympus"}, "budget.time_zone", id="no such zone"),
        pytest.param({"time_zone": "../../etc/passwd"}, "budget.time_zone", id="no zone at all"),
        pytest.param({"limit_requests": -1}, "budget.limit_requests", id="less than no call"),
        pytest.param({"limit_tokens": -5}, "budget.limit_tokens", id="less than nothing"),
        pytest.param({"limit_tokens": 10**15 + 1}, "budget.limit_tokens", id="more than there is"),
        pytest.param({"limit_usd": "-5"}, "budget.limit_usd", id="debts"),
        pytest.param({"limit_usd": "1e3"}, "budget.limit_usd", id="an exponent"),
        pytest.param({"limit_usd": "0.0000000000001"}, "budget.limit_usd", id="less than a picodollar"),
        pytest.param({"limit_usd": "9000000.01"}, "budget.limit_usd", id="more than the journal holds"),
        pytest.param({"limit_usd": "a lot"}, "budget.limit_usd", id="words"),
        pytest.param({"soft_percent": 0}, "budget.soft_percent", id="an alert at once"),
        pytest.param({"soft_percent": 101}, "budget.soft_percent", id="an alert never"),
        pytest.param({"name": "x" * 129}, "budget.name", id="a long name"),
        pytest.param({"name": "a\nb"}, "budget.name", id="a name of two lines"),
        pytest.param({"subject": "x"}, "budget.subject", id="a workspace has no subject"),
        pytest.param({"scope": KEY, "subject": "k9"}, "budget.subject", id="no such key"),
        pytest.param({"scope": KEY}, "budget.subject", id="no key"),
        pytest.param({"scope": ALIAS, "subject": "x"}, "budget.subject", id="no such alias"),
        pytest.param({"scope": CALLER, "subject": "x"}, "budget.subject", id="no such token"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_said_where(at: Bank, said: dict[str, Any], field: str) -> None:
    with pytest.raises(errors.InvalidRequest) as refused:
        await at.create(**said)
    assert [where for where, _ in refused.value.violations] == [field]
    assert at.plane.control.budgets == {}


async def test_it_needs_a_limit(at: Bank) -> None:
    asked = pb.Budget(scope=pb.BUDGET_SCOPE_WORKSPACE, window=pb.BUDGET_WINDOW_DAY)
    with pytest.raises(errors.InvalidRequest, match="at least one limit"):
        await (await at.ask()).CreateBudget(pb.CreateBudgetRequest(budget=asked))


async def test_all_that_is_wrong_is_said_at_once(at: Bank) -> None:
    with pytest.raises(errors.InvalidRequest) as refused:
        await at.create(scope=0, time_zone="x", limit_usd="x", limit_tokens=-1)
    assert len(refused.value.violations) == 4


async def test_subjects_are_the_workspaces_own(at: Bank) -> None:
    token_id, secret = await at.token("acme")
    _, other = await at.token("beta")
    await at.put(DataKey("d1", "acme", "kek", b""))
    await at.put(ProviderKey("k1", "acme", "openai", "", "sk-...abcd", "d1", b""))
    for scope, subject in ((KEY, "k1"), (CALLER, token_id)):
        assert (await at.create(secret, scope=scope, subject=subject)).budget.subject == subject
        with pytest.raises(errors.InvalidRequest, match="has no"):
            await at.create(other, scope=scope, subject=subject)
    assert (await at.create(secret, scope=CALLER, subject="jwt:somebody")).budget.subject == "jwt:somebody"


async def test_the_operators_own_keys_have_budgets_of_the_operator(at: Bank) -> None:
    _, secret = await at.token("acme")
    said: dict[str, Any] = {"scope": KEY, "subject": "env:OPENAI_API_KEY"}
    assert (await at.create(**said)).budget.workspace_id == "default"
    with pytest.raises(errors.InvalidRequest, match="has no key"):
        await at.create(secret, **said)


async def test_only_the_operator_changes_what_the_operator_has_imposed(at: Bank) -> None:
    _, secret = await at.token("acme")
    imposed = (await at.create(workspace_id="acme")).budget
    own, stub = (await at.create(secret)).budget, await at.ask(secret)
    assert (imposed.imposed, imposed.workspace_id, own.imposed) == (True, "acme", False)
    with pytest.raises(errors.PermissionDenied, match="imposed"):
        await stub.UpdateBudget(pb.UpdateBudgetRequest(budget=imposed))
    with pytest.raises(errors.PermissionDenied, match="imposed"):
        await stub.DeleteBudget(pb.DeleteBudgetRequest(budget_id=imposed.budget_id))
    await stub.DeleteBudget(pb.DeleteBudgetRequest(budget_id=own.budget_id))
    await (await at.ask()).DeleteBudget(pb.DeleteBudgetRequest(budget_id=imposed.budget_id))
    assert at.plane.control.budgets == {}


async def test_another_workspaces_is_as_unknown_as_one_that_never_was(at: Bank) -> None:
    made = (await at.create()).budget
    _, secret = await at.token("acme")
    stub = await at.ask(secret)
    for budget_id in (made.budget_id, "bud_none"):
        asked: list[Any] = [
            stub.GetBudgetStatus(pb.GetBudgetStatusRequest(budget_id=budget_id)),
            stub.DeleteBudget(pb.DeleteBudgetRequest(budget_id=budget_id)),
            stub.UpdateBudget(pb.UpdateBudgetRequest(budget=pb.Budget(budget_id=budget_id, limit_requests=1))),
        ]
        for each in asked:
            with pytest.raises(errors.NotFound, match="has no budget"):
                await each
    assert (await stub.ListBudgets(pb.ListBudgetsRequest())).budgets == []


async def test_an_update_changes_limits_and_keeps_what_is_spent(at: Bank) -> None:
    made = (await at.create(limit_requests=2, limit_tokens=1000)).budget
    at.call()
    at.call()
    assert (await status_of(at, made.budget_id)).state == "reached"
    changed = pb.Budget(budget_id=made.budget_id, limit_requests=10)
    done = (await (await at.ask()).UpdateBudget(pb.UpdateBudgetRequest(budget=changed))).status
    assert (done.state, measure(done, "requests").spent, done.budget.name) == ("soft", "2", made.name)
    assert [each.unit for each in done.measures] == ["requests"]


@pytest.mark.parametrize(
    "other",
    [
        {"scope": ALIAS},
        {"subject": "smart"},
        {"window": pb.BUDGET_WINDOW_DAY},
        {"time_zone": "Europe/Berlin"},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_what_would_be_another_budget_cannot_change(at: Bank, other: dict[str, Any]) -> None:
    made = (await at.create()).budget
    said = pb.Budget(budget_id=made.budget_id, limit_requests=5, **other)
    with pytest.raises(errors.InvalidRequest, match="cannot change"):
        await (await at.ask()).UpdateBudget(pb.UpdateBudgetRequest(budget=said))


async def test_another_rule_of_counting_needs_the_ledger(at: Bank) -> None:
    made = (await at.create()).budget
    said = pb.Budget(budget_id=made.budget_id, limit_requests=5, count_at_risk=False)
    with pytest.raises(errors.TaximeterError, match="taximeter bookkeeper") as refused:
        await (await at.ask()).UpdateBudget(pb.UpdateBudgetRequest(budget=said))
    assert (refused.value.reason, (await status_of(at, made.budget_id)).state) == ("BUDGET_UNKNOWN", "ok")


async def test_a_status_says_what_is_spent_and_left(at: Bank) -> None:
    made = (await at.create(limit_usd="1", limit_tokens=60, soft_percent=50)).budget
    for _ in range(3):
        at.call()
    status = await status_of(at, made.budget_id)
    usd, tokens = measure(status, "usd"), measure(status, "tokens")
    assert (usd.limit, usd.spent, usd.held, usd.remaining) == ("1", "0.000009", "0", "0.999991")
    assert (tokens.limit, tokens.spent, tokens.remaining, tokens.used_percent) == ("60", "45", "15", 75.0)
    assert (status.state, status.HasField("soft_alert_at"), status.HasField("hard_alert_at")) == ("soft", True, False)
    assert status.window_start.ToJsonString() == "2026-01-01T00:00:00Z"
    assert status.window_end.ToJsonString() == "2026-02-01T00:00:00Z"


async def test_a_total_has_no_end_and_no_forecast(at: Bank) -> None:
    status = await at.create(window=pb.BUDGET_WINDOW_TOTAL)
    assert not status.HasField("window_end")
    assert not measure(status, "requests").HasField("forecast")


@pytest.mark.parametrize(
    ("spent", "over_h", "ahead"),
    [
        pytest.param(10, 50, 20, id="half of it is over"),
        pytest.param(10, 99, 10, id="nearly all of it"),
        pytest.param(1, 3, 33, id="rounded down"),
        pytest.param(0, 50, 0, id="nothing was spent"),
        pytest.param(10, 1, 1000, id="a hundredth of it"),
        pytest.param(10, 0, None, id="it has just begun"),
        pytest.param(10, 120, 10, id="it is over"),
    ],
)
def test_a_forecast_goes_on_as_so_far(spent: int, over_h: int, ahead: int | None) -> None:
    assert forecast(spent, 7 * HOUR_NS, 107 * HOUR_NS, (7 + over_h) * HOUR_NS) == ahead


async def test_there_can_be_ten_for_one_subject_and_no_more(at: Bank) -> None:
    for _ in range(10):
        await at.create()
    with pytest.raises(errors.TaximeterError, match="10 budgets"):
        await at.create()
    await at.create(scope=ALIAS, subject="smart")


async def test_each_change_is_in_the_audit(at: Bank) -> None:
    _, secret = await at.token("acme")
    made, stub = (await at.create(secret)).budget, await at.ask(secret)
    made.limit_requests = 7
    await stub.UpdateBudget(pb.UpdateBudgetRequest(budget=made))
    await stub.DeleteBudget(pb.DeleteBudgetRequest(budget_id=made.budget_id))
    entries = list(await at.plane.ask(lambda store: store.audit(AuditQuery(subject=made.budget_id))))
    assert [entry.action for entry in entries] == ["budget.delete", "budget.update", "budget.create"]
    assert (entries[1].before or {})["limit_requests"] == 100
    assert (entries[1].after or {})["limit_requests"] == 7
    assert entries[0].actor == made.created_by


class TestWatch:
    async def test_all_at_first_then_each_that_has_changed(self, at: Bank) -> None:
        one, two = (await at.create()).budget, (await at.create(scope=ALIAS, subject="smart")).budget
        call = (await at.ask()).WatchBudgets(pb.WatchBudgetsRequest())
        first = await anext(call)
        assert [each.budget.budget_id for each in first.statuses] == [one.budget_id, two.budget_id]
        at.call(alias="fast")
        news = await anext(call)
        assert [(each.budget.budget_id, measure(each, "requests").spent) for each in news.statuses] == [
            (one.budget_id, "1")
        ]
        await call.aclose()

    async def test_many_changes_are_one_message_a_tick(self, at: Bank) -> None:
        await at.create()
        call = (await at.ask()).WatchBudgets(pb.WatchBudgetsRequest())
        await anext(call)
        for _ in range(50):
            at.call()
        (status,) = (await anext(call)).statuses
        assert measure(status, "requests").spent == "50"
        await call.aclose()

    async def test_one_that_is_deleted_is_said_to_be(self, at: Bank) -> None:
        made, stub = (await at.create()).budget, await at.ask()
        call = stub.WatchBudgets(pb.WatchBudgetsRequest())
        await anext(call)
        await stub.DeleteBudget(pb.DeleteBudgetRequest(budget_id=made.budget_id))
        assert (await anext(call)).deleted == [made.budget_id]
        await call.aclose()

    async def test_others_see_their_own_only(self, at: Bank) -> None:
        _, secret = await at.token("acme")
        await at.create()
        call = (await at.ask(secret)).WatchBudgets(pb.WatchBudgetsRequest())
        assert (await anext(call)).statuses == []
        await call.aclose()

    async def test_the_end_of_the_sidecar_is_the_end_of_it(self, at: Bank) -> None:
        call = (await at.ask()).WatchBudgets(pb.WatchBudgetsRequest())
        await anext(call)
        at.watch.close()
        with pytest.raises((errors.TaximeterError, grpc.aio.AioRpcError), match="shutting down"):
            async with asyncio.timeout(10):
                await anext(call)


async def test_one_made_beside_the_service_is_opened_all_the_same(at: Bank) -> None:
    """As `taximeter keys add --monthly-budget` does."""
    await at.put(Budget("bud_k1", "default", "limits of k1", BudgetScope.WORKSPACE, limit_requests=5))
    assert (await status_of(at, "bud_k1")).state == "ok"
