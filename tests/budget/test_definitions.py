"""Budgets that are made, changed and deleted while calls are under way; and those of which nothing is known yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.budget import Budgets, BudgetUnknown, OverBudget, WindowState
from sidecar.core.control import Budget, BudgetScope, Window
from tests.support.budgets import DAY_NS, NEVER_S, WHO, Bench, Hand, attempt, bound, budget, record


def refuses(budgets: Budgets, picodollars: int = 1) -> bool:
    try:
        hold = budgets.reserve(WHO, [bound(picodollars)], NEVER_S)
    except OverBudget:
        return True
    budgets.settle(hold, record(budget_ns=hold.budget_ns))
    return False


def test_a_raised_limit_admits_again_at_once() -> None:
    bench = Bench().with_(budget(usd=100))
    bench.spend(100)
    assert refuses(bench.budgets)
    bench.with_(budget(usd=101))
    assert not refuses(bench.budgets)


def test_a_lowered_limit_refuses_at_once_and_open_calls_settle_in_peace() -> None:
    bench = Bench().with_(budget(usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    bench.with_(budget(usd=50))
    assert refuses(bench.budgets)
    bench.budgets.settle(hold, record(attempts=[attempt(20)], budget_ns=hold.budget_ns))
    assert (bench.spent(), bench.held()) == ((20,), (0,))
    assert not refuses(bench.budgets, 30)


def test_a_measure_that_was_not_limited_was_counted() -> None:
    bench = Bench().with_(budget(usd=100))
    bench.spend(10, 70)
    bench.with_(budget(tokens=80))
    assert bench.spent() == (70,)


def test_soft_only_on_and_off() -> None:
    bench = Bench().with_(budget(usd=10))
    hold = bench.budgets.reserve(WHO, [bound(10)], NEVER_S)
    bench.with_(budget(usd=10, soft_only=True))
    assert (refuses(bench.budgets), bench.held()) == (False, (10,))
    bench.with_(budget(usd=10))
    assert (refuses(bench.budgets), bench.held()) == (True, (10,))
    bench.budgets.settle(hold, record(budget_ns=hold.budget_ns))
    assert bench.held() == (0,)


def test_a_deleted_one_holds_nobody_back() -> None:
    bench = Bench().with_(budget(usd=100))
    hold = bench.budgets.reserve(WHO, [bound(100)], NEVER_S)
    bench.with_()
    assert not refuses(bench.budgets)
    bench.budgets.settle(hold, record(attempts=[attempt(20)], budget_ns=hold.budget_ns))
    assert bench.budgets.status("b") is None


def test_a_call_under_way_counts_for_a_budget_made_meanwhile() -> None:
    bench = Bench().with_(budget(usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    bench.with_(budget(usd=100), budget("c", BudgetScope.CALLER, usd=100))
    bench.budgets.settle(hold, record(attempts=[attempt(20)], budget_ns=hold.budget_ns))
    assert (bench.spent("b"), bench.spent("c"), bench.held("b")) == ((20,), (20,), (0,))


@pytest.mark.parametrize(
    "other",
    [
        budget(usd=100, window=Window.DAY),
        budget(usd=100, time_zone="Asia/Kathmandu"),
        budget(scope=BudgetScope.ALIAS, usd=100),
        budget(usd=100, workspace="other"),
    ],
    ids=["window", "time zone", "scope", "workspace"],
)
def test_one_that_counts_other_things_is_another_and_unknown(other: Budget) -> None:
    bench = Bench().with_(budget(usd=100))
    bench.spend(10)
    bench.with_(other)
    assert bench.budgets.unknown() == ("b",)


# What has been spent is known where nothing ever was; otherwise somebody has to tell.


def late(**values: Any) -> Bench:
    """A budget made after calls were made."""
    bench = Bench()
    bench.spend(5)
    return bench.with_(budget(**({"usd": 100} | values)))


def test_nothing_passes_while_a_budget_is_being_opened() -> None:
    bench = late()
    with pytest.raises(BudgetUnknown):
        bench.budgets.reserve(WHO, [bound(1)], NEVER_S)
    assert bench.budgets.status("b").state == "opening"  # type: ignore[union-attr]
    assert bench.budgets.windows() == []


def test_a_soft_one_refuses_nothing_then_either() -> None:
    bench = late(soft_only=True)
    bench.budgets.reserve(WHO, [bound(1)], NEVER_S)
    assert bench.budgets.unknown() == ("b",)


def opened(bench: Bench, spent: int) -> WindowState | None:
    state = bench.budgets.begin_opening("b")
    assert state is not None
    bench.spend(7)  # settled while somebody finds out
    return bench.budgets.open_window("b", replace(state, spent_picodollars=spent))


def test_what_was_spent_before_and_meanwhile_makes_what_is_spent() -> None:
    bench = late()
    state = opened(bench, 5)
    assert state is not None
    assert (bench.spent(), state.spent_picodollars) == ((12,), 12)
    assert bench.budgets.unknown() == ()


def test_opening_may_begin_again() -> None:
    bench = late()
    bench.budgets.begin_opening("b")
    bench.spend(3)
    opened(bench, 5 + 3)
    assert bench.spent() == (15,)


def test_alerts_come_with_the_opening() -> None:
    bench = late(usd=10)
    opened(bench, 5)
    assert bench.alerts == ["b soft usd", "b hard usd"]


def test_a_known_one_cannot_be_opened() -> None:
    bench = late()
    state = bench.budgets.begin_opening("b")
    assert state is not None
    assert bench.budgets.open_window("b", state) is not None
    assert bench.budgets.begin_opening("b") is None
    assert bench.budgets.open_window("b", state) is None


def test_the_next_window_is_known_whatever_this_one_is() -> None:
    bench = late(window=Window.DAY)
    state = bench.budgets.begin_opening("b")
    assert state is not None
    bench.hand.wall_ns += DAY_NS
    assert not refuses(bench.budgets, 100)
    assert bench.budgets.open_window("b", state) is None
    assert [state.spent_picodollars for state in bench.budgets.windows()] == [0]


def test_counting_what_is_at_risk_or_not_is_found_out_anew_and_holds_stay() -> None:
    bench = Bench().with_(budget(usd=100))
    bench.spend(10)
    bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    bench.with_(budget(usd=100, count_at_risk=False))
    assert bench.budgets.unknown() == ("b",)
    opened(bench, 5)
    assert (bench.spent(), bench.held()) == ((12,), (60,))


def test_a_room_that_was_told_nothing_knows_nothing() -> None:
    budgets = Budgets(Hand().clock())
    budgets.follow({"b": budget(usd=100)})
    assert budgets.unknown() == ("b",)


def test_calls_that_sent_nothing_leave_a_fresh_home_fresh() -> None:
    bench = Bench()
    bench.budgets.settle(None, record())
    bench.with_(budget(usd=100))
    assert bench.budgets.unknown() == ()


# Status


@pytest.mark.parametrize(
    ("spent", "state"), [(0, "ok"), (79, "ok"), (80, "soft"), (99, "soft"), (100, "reached"), (130, "reached")]
)
def test_state(spent: int, state: str) -> None:
    bench = Bench().with_(budget(usd=100))
    bench.spend(spent)
    assert bench.budgets.status("b").state == state  # type: ignore[union-attr]


def test_a_refusal_is_counted_and_means_reached_until_the_limit_is_another() -> None:
    bench = Bench().with_(budget(usd=100))
    assert refuses(bench.budgets, 101)
    status = bench.budgets.status("b")
    assert status is not None
    assert (status.state, status.refused) == ("reached", 1)
    bench.with_(budget(usd=101))
    assert bench.budgets.status("b").state == "ok"  # type: ignore[union-attr]


def test_status_is_of_the_running_window_without_any_call() -> None:
    bench = Bench().with_(budget(usd=100, window=Window.DAY))
    bench.spend(100)
    bench.hand.wall_ns += DAY_NS
    (status,) = bench.budgets.statuses()
    assert (status.state, status.measures[0].remaining, status.measures[0].used_percent) == ("ok", 100, 0.0)


def test_statuses_of_one_workspace_or_of_all() -> None:
    budgets = Bench().with_(budget("a", usd=1), budget("b", workspace="other", usd=1)).budgets
    assert [status.budget.budget_id for status in budgets.statuses("other")] == ["b"]
    assert len(budgets.statuses()) == 2
