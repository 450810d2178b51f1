"""Key budgets hold attempt by attempt, and a call's hold grows with what its attempts have spent."""

from __future__ import annotations

import pytest

from sidecar.budget import Budgets, BudgetUnknown, OverBudget, Who
from sidecar.core.control import BudgetScope, Window
from tests.support.budgets import DAY_NS, NEVER_S, WHO, Bench, Hand, attempt, bound, budget, record

KEY = BudgetScope.KEY


def test_an_attempt_is_held_against_its_key() -> None:
    bench = Bench().with_(budget("k", KEY, usd=100, requests=3))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    assert hold.attempt("k1", bound(60)) is None
    assert bench.held("k") == (60, 1)


def test_another_key_is_not_concerned() -> None:
    bench = Bench().with_(budget("k", KEY, usd=100))
    bench.budgets.reserve(WHO, [bound(60)], NEVER_S).attempt("k2", bound(60))
    assert bench.held("k") == (0,)


def test_a_key_without_room_leaves_the_call_to_another() -> None:
    bench = Bench().with_(budget("k", KEY, usd=50), budget("w", usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    over = hold.attempt("k1", bound(60))
    assert isinstance(over, OverBudget)
    assert (over.scope, over.wanted, bench.held("k")) == (KEY, 60, (0,))
    assert hold.attempt("k2", bound(60)) is None


def test_what_an_attempt_spent_stays_held_of_its_key_instead_of_its_bound() -> None:
    bench = Bench().with_(budget("k", KEY, usd=100, requests=5))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    hold.attempt("k1", bound(60))
    hold.attempt("k1", bound(60), spent_picodollars=7)
    assert bench.held("k") == (67, 2)


def test_the_call_grows_by_what_earlier_attempts_have_spent() -> None:
    bench = Bench().with_(budget(usd=100, tokens=100))
    hold = bench.budgets.reserve(WHO, [bound(60, 60)], NEVER_S)
    assert hold.attempt("", bound(60, 60), 40, 10) is None
    assert bench.held() == (100, 70)


def test_no_growth_passes_the_limit() -> None:
    bench = Bench().with_(budget(usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    over = hold.attempt("", bound(60), 41)
    assert isinstance(over, OverBudget)
    assert (over.scope, over.wanted, bench.held()) == (BudgetScope.WORKSPACE, 41, (60,))


def test_a_smaller_attempt_needs_no_growth() -> None:
    bench = Bench().with_(budget(usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    assert hold.attempt("", bound(20), 40) is None
    assert bench.held() == (60,)


def test_the_output_of_one_attempt_is_cut_to_what_its_key_has_room_for() -> None:
    bench = Bench().with_(budget("k", KEY, usd=500))
    hold = bench.budgets.reserve(WHO, [bound(0, output=100, price=10)], NEVER_S)
    assert hold.attempt("k1", bound(0, output=100, price=10)) is None
    assert (hold.max_output, bench.held("k")) == (50, (500,))
    assert hold.attempt("k2", bound(0, output=100, price=10)) is None
    assert hold.max_output is None


def test_no_attempt_gets_more_than_the_call() -> None:
    bench = Bench().with_(budget("w", usd=300), budget("k", KEY, usd=500))
    hold = bench.budgets.reserve(WHO, [bound(0, output=100, price=10)], NEVER_S)
    hold.attempt("k1", bound(0, output=100, price=10))
    assert (hold.max_output, bench.held("k")) == (30, (300,))


def test_what_is_left_after_an_attempt_cuts_the_next() -> None:
    bench = Bench().with_(budget(usd=1000))
    hold = bench.budgets.reserve(WHO, [bound(0, output=100, price=10)], NEVER_S)
    assert hold.attempt("", bound(0, output=100, price=10), 400) is None
    assert (hold.max_output, bench.held()) == (60, (1000,))


def test_all_is_given_back_and_each_key_charged_with_its_own() -> None:
    bench = Bench().with_(budget("w", usd=200), budget("k", KEY, usd=100), budget("l", KEY, subject="k2", usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    hold.attempt("k1", bound(60))
    hold.attempt("k2", bound(60), 7)
    made = record(attempts=[attempt(7, key_id="k1"), attempt(20, key_id="k2")], budget_ns=hold.budget_ns)
    bench.budgets.settle(hold, made)
    assert [bench.held(each) for each in "wkl"] == [(0,)] * 3
    assert [bench.spent(each) for each in "wkl"] == [(27,), (7,), (20,)]


def test_the_operators_key_has_one_budget_for_all_workspaces() -> None:
    bench = Bench().with_(budget("k", KEY, workspace="default", usd=100))
    other = Who("other", "", "")
    assert bench.budgets.watches(other)
    bench.budgets.reserve(other, [bound(60)], NEVER_S).attempt("k1", bound(60))
    over = bench.budgets.reserve(WHO, [bound(60)], NEVER_S).attempt("k1", bound(60))
    assert isinstance(over, OverBudget)


def test_a_budget_on_anothers_key_id_concerns_only_ones_own_attempts() -> None:
    bench = Bench().with_(budget("k", KEY, workspace="intruder", usd=0))
    assert bench.budgets.reserve(WHO, [bound(60)], NEVER_S).attempt("k1", bound(60)) is None


def test_a_key_that_must_have_prices_passes_over_what_has_none() -> None:
    bench = Bench().with_(budget("k", KEY, usd=100))
    over = bench.budgets.reserve(WHO, [bound(None)], NEVER_S).attempt("k1", bound(None))
    assert isinstance(over, OverBudget)
    assert (over.scope, over.unpriced) == (KEY, True)


def test_a_key_whose_budget_is_being_opened_is_not_used() -> None:
    budgets = Budgets(Hand().clock())
    budgets.follow({"k": budget("k", KEY, usd=100)})
    hold = budgets.reserve(WHO, [bound(60)], NEVER_S)
    with pytest.raises(BudgetUnknown):
        hold.attempt("k1", bound(60))


def test_an_attempt_after_the_turn_of_a_window_counts_in_that_of_its_call() -> None:
    bench = Bench().with_(budget("k", KEY, window=Window.DAY, usd=100))
    one, other = (bench.budgets.reserve(WHO, [bound(60)], NEVER_S) for _ in range(2))
    bench.hand.wall_ns += DAY_NS
    today = bench.budgets.reserve(WHO, [bound(90)], NEVER_S)
    assert today.attempt("k1", bound(90)) is None
    assert one.attempt("k1", bound(60)) is None
    assert isinstance(other.attempt("k1", bound(60)), OverBudget)
    assert bench.held("k") == (90,)
