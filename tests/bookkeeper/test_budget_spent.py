"""What the ledger says of a budget's window is what the room comes to by the same records."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.bookkeeper.batch import fold as batched
from sidecar.bookkeeper.budget_spent import Question, Spent, budget_spent
from sidecar.bookkeeper.ledger import Ledger
from sidecar.budget import Amounts, fold, window_at
from sidecar.core.call import CallRecord
from sidecar.core.control import Budget, BudgetScope
from sidecar.journal.records import finished_payload
from taximeter.journal.v1 import journal_pb2
from tests.support.blank import blank
from tests.support.budget_calls import BUDGETS, CALLS, HOUR_NS, NOW_NS, SUBJECTS, a_budget, a_call, an_attempt
from tests.support.ledger import SIDECAR


def book(ledger: Ledger, calls: Sequence[CallRecord]) -> None:
    frames = [journal_pb2.Frame.FromString(finished_payload(call)) for call in calls]
    ledger.book(batched(SIDECAR, (0, 0), (1, len(frames)), frames))


def asked(ledger: Ledger, budget: Budget, at_ns: int = NOW_NS) -> Spent:
    start_ns, end_ns = window_at(budget.window, budget.time_zone, at_ns)
    return budget_spent(
        ledger,
        Question(budget.workspace, budget.scope.value, budget.subject, start_ns, end_ns, budget.count_at_risk),
    )


def amounts(spent: Spent) -> Amounts:
    return Amounts(spent.picodollars, spent.tokens, spent.requests)


@settings(max_examples=15, deadline=None)
@given(st.lists(CALLS, max_size=12), st.lists(BUDGETS, min_size=1, max_size=6))
def test_the_ledgers_sums_are_the_fold_of_the_records(calls: list[CallRecord], budgets: list[Budget]) -> None:
    calls = [replace(call, seq=seq) for seq, call in enumerate(calls)]
    definitions = {str(place): replace(budget, budget_id=str(place)) for place, budget in enumerate(budgets)}
    expected = fold(calls, definitions)
    with tempfile.TemporaryDirectory() as folder, closing(Ledger(blank(Path(folder) / "ledger.duckdb"))) as ledger:
        book(ledger, calls)
        for budget_id, budget in definitions.items():
            start_ns, _ = window_at(budget.window, budget.time_zone, NOW_NS)
            assert amounts(asked(ledger, budget)) == expected.get((budget_id, start_ns), Amounts())


@pytest.mark.parametrize("scope", BudgetScope)
def test_each_scope_counts_its_own(ledger: Ledger, scope: BudgetScope) -> None:
    others = {"workspace": "beta", "alias": "fast", "caller": "t2"}
    elsewhere = a_call(2, [an_attempt(key_id="k2")], **others)
    book(ledger, [a_call(1), elsewhere])
    assert amounts(asked(ledger, a_budget(scope, SUBJECTS[scope][0]))) == Amounts(3_000_000, 15, 1)


def test_calls_are_counted_once_and_a_keys_attempts_each(ledger: Ledger) -> None:
    book(ledger, [a_call(1, [an_attempt(1), an_attempt(2), an_attempt(3, key_id="k2")]), a_call(2, [])])
    whole, key = (asked(ledger, a_budget(*of)) for of in ((BudgetScope.WORKSPACE, ""), (BudgetScope.KEY, "k1")))
    assert (amounts(whole), amounts(key)) == (Amounts(9_000_000, 45, 1), Amounts(6_000_000, 30, 2))


def test_a_call_counts_in_the_window_that_let_it_in(ledger: Ledger) -> None:
    """It began in December by the wall clock, which was set back; budgets were in January by then."""
    book(ledger, [a_call(1, started_ns=NOW_NS - 24 * 30 * HOUR_NS, budget_ns=NOW_NS)])
    assert asked(ledger, a_budget()).requests == 1


@pytest.mark.parametrize(
    ("at", "requests"),
    [
        pytest.param(0, 1, id="the first nanosecond"),
        pytest.param(-1, 0, id="the one before"),
    ],
)
def test_a_window_begins_on_the_nanosecond(ledger: Ledger, at: int, requests: int) -> None:
    start_ns, _ = window_at(a_budget().window, "UTC", NOW_NS)
    book(ledger, [a_call(1, budget_ns=start_ns + at)])
    assert asked(ledger, a_budget()).requests == requests


def test_sums_come_with_the_place_they_reach_to(ledger: Ledger) -> None:
    book(ledger, [a_call(1), a_call(2)])
    assert asked(ledger, a_budget()).positions == {SIDECAR: (1, 2)}


def test_of_nothing_it_is_nothing(ledger: Ledger) -> None:
    assert asked(ledger, a_budget()) == Spent(0, 0, 0, {})
