"""What a record counts for, and what is left held when a call has ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from sidecar.budget import NOTHING, Charge, OverBudget, Who, charges, fold
from sidecar.core.call import Attempt
from sidecar.core.control import Budget, BudgetScope
from tests.support.budgets import NEVER_S, NOON, WHO, Bench, attempt, bound, budget, record

param = pytest.param


@pytest.mark.parametrize(
    ("attempts", "call", "keys"),
    [
        param([], Charge(), {}, id="nothing sent, nothing counts"),
        param([attempt(5, 7, "k1")], Charge(5, 7, 1), {"k1": Charge(5, 7, 1)}, id="one attempt"),
        param([attempt(5, 7, "k1"), attempt(6, 8, "k2")], Charge(11, 15, 1),
              {"k1": Charge(5, 7, 1), "k2": Charge(6, 8, 1)}, id="a call is one request, each key has its own"),
        param([attempt(5, 7, "k1"), attempt(0, 0, "k1")], Charge(5, 7, 1), {"k1": Charge(5, 7, 2)},
              id="a key's requests are attempts"),
        param([attempt(0, 0, "k1")], Charge(0, 0, 1), {"k1": Charge(0, 0, 1)}, id="a rejected attempt is a request"),
        param([attempt(None, 7, "k1")], Charge(0, 7, 1), {"k1": Charge(0, 7, 1)}, id="unpriced: tokens and request"),
        param([attempt(None, 7), attempt(5, 1)], Charge(5, 8, 1), {}, id="priced attempts count beside unpriced ones"),
        param([attempt(0, 0, "k1", risk=9, tokens_at_risk=3)], Charge(0, 0, 1, 9, 3), {"k1": Charge(0, 0, 1, 9, 3)},
              id="what is at risk stands apart"),
        param([attempt(5, 7, "")], Charge(5, 7, 1), {}, id="without a key, as local models are"),
    ],
)  # fmt: skip
def test_charges(attempts: list[Attempt], call: Charge, keys: dict[str, Charge]) -> None:
    assert charges(record(attempts=attempts)) == (call, keys)


@pytest.mark.parametrize(
    ("defined", "counted"),
    [
        param(budget(), (5, 7, 1), id="workspace"),
        param(budget(scope=BudgetScope.ALIAS), (5, 7, 1), id="alias"),
        param(budget(scope=BudgetScope.CALLER), (5, 7, 1), id="caller"),
        param(budget(scope=BudgetScope.KEY), (5, 7, 1), id="key"),
        param(budget(workspace="other"), None, id="another workspace"),
        param(budget(scope=BudgetScope.ALIAS, subject="fast"), None, id="another alias"),
        param(budget(scope=BudgetScope.CALLER, subject="bob"), None, id="another caller"),
        param(budget(scope=BudgetScope.KEY, subject="k2"), None, id="another key"),
        param(budget(scope=BudgetScope.KEY, workspace="other"), None, id="another workspace's budget of that key"),
        param(budget(scope=BudgetScope.KEY, workspace="default"), (5, 7, 1), id="the operator's budget of that key"),
        param(budget(workspace="default"), None, id="the operator's own workspace"),
        param(budget(scope=BudgetScope.ALIAS, workspace="default"), None, id="the operator's own alias of that name"),
    ],
)
def test_a_record_counts_for_whom_it_concerns(defined: Budget, counted: tuple[int, int, int] | None) -> None:
    """In the room and in the fold alike."""
    limited = replace(defined, limit_picodollars=99, limit_tokens=99, limit_requests=99)
    bench = Bench().with_(limited)
    made = record(attempts=[attempt(5, 7, "k1")])
    bench.budgets.charge(made)
    assert bench.spent() == (counted or (0, 0, 0))
    assert list(fold([made], {"b": limited}).values()) == ([counted] if counted else [])


@pytest.mark.parametrize(("counts", "spent"), [param(True, (14, 5), id="on"), param(False, (5, 2), id="off")])
def test_what_may_have_been_billed(counts: bool, spent: tuple[int, int]) -> None:
    bench = Bench().with_(budget(usd=100, tokens=100, count_at_risk=counts))
    bench.budgets.charge(record(attempts=[attempt(5, 2, risk=9, tokens_at_risk=3)]))
    assert bench.spent() == spent


def test_what_was_held_becomes_what_was_spent() -> None:
    bench = Bench().with_(budget(usd=100, tokens=100, requests=10))
    hold = bench.budgets.reserve(WHO, [bound(60, 50)], NEVER_S)
    assert (bench.held(), bench.spent()) == ((60, 50, 1), (0, 0, 0))
    bench.budgets.settle(hold, record(attempts=[attempt(20, 10)], budget_ns=hold.budget_ns))
    assert (bench.held(), bench.spent()) == ((0, 0, 0), (20, 10, 1))


def test_more_than_the_bound_is_recorded_all_the_same_and_blocks() -> None:
    bench = Bench().with_(budget(usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    bench.budgets.settle(hold, record(attempts=[attempt(130)], budget_ns=hold.budget_ns))
    assert bench.spent() == (130,)
    with pytest.raises(OverBudget):
        bench.budgets.reserve(WHO, [bound(0)], NEVER_S)


@pytest.mark.parametrize(
    "values", [param({}, id="refused before anything was sent"), param({"error_type": "cancelled"}, id="cancelled")]
)
def test_a_call_that_sent_nothing_gives_all_back(values: dict[str, Any]) -> None:
    bench = Bench().with_(budget(usd=100, requests=1))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    bench.budgets.settle(hold, record(budget_ns=hold.budget_ns, **values))
    assert (bench.held(), bench.spent()) == ((0, 0), (0, 0))


def test_settling_again_does_nothing() -> None:
    bench = Bench().with_(budget(usd=100))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    made = record(attempts=[attempt(20)], budget_ns=hold.budget_ns)
    bench.budgets.settle(hold, made)
    bench.budgets.settle(hold, made)
    assert (bench.held(), bench.spent()) == ((0,), (20,))


@pytest.mark.parametrize("hold", [param(None, id="none"), param(NOTHING, id="of nothing")])
def test_a_call_without_a_hold_counts_for_a_budget_made_meanwhile(hold: Any) -> None:
    bench = Bench().with_(budget(usd=100))
    bench.budgets.settle(hold, record(attempts=[attempt(20)]))
    bench.budgets.settle(hold, record(attempts=[attempt(3)]))
    assert bench.spent() == (23,)


def test_a_hold_expires_after_deadline_and_grace_and_what_comes_late_still_counts() -> None:
    bench = Bench().with_(budget(usd=100, requests=10))
    hold = bench.budgets.reserve(WHO, [bound(60)], 180.0)
    bench.hand.monotonic_s = 239.0
    assert (bench.budgets.expire(), bench.held()) == (0, (60, 1))
    bench.hand.monotonic_s = 241.0
    assert (bench.budgets.expire(), bench.held()) == (1, (0, 0))
    assert hold.attempt("k1", bound(60)) is None
    bench.budgets.settle(hold, record(attempts=[attempt(20)], budget_ns=hold.budget_ns))
    assert (bench.held(), bench.spent()) == ((0, 0), (20, 1))


def test_many_workspaces_do_not_meet() -> None:
    bench = Bench().with_(budget("a", usd=10), budget("b", workspace="other", usd=10))
    bench.spend(4)
    bench.spend(5, who=Who("other", "smart", "ann"))
    assert (bench.spent("a"), bench.spent("b")) == ((4,), (5,))


def test_the_fold_shares_records_out_to_windows() -> None:
    made = [record(attempts=[attempt(amount)], budget_ns=NOON + days * 86_400 * 10**9) for amount, days in _SPENDINGS]
    assert [sums.picodollars for sums in fold(made, {"b": budget()}).values()] == [3, 4]


_SPENDINGS = [(1, 0), (2, 20), (4, 21)]
"""The 11th, the 31st, the 1st."""
