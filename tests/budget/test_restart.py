"""What a start makes of a snapshot and of what was finished since."""

from __future__ import annotations

import pytest

from sidecar.budget import Budgets, OverBudget, WindowState, window_at
from sidecar.core.control import Budget, BudgetScope, Window
from tests.support.budgets import DAY_NS, NEVER_S, NOON, WHO, Bench, Hand, attempt, bound, budget, record


def restarted(states: list[WindowState], *definitions: Budget, hand: Hand | None = None) -> Bench:
    bench = Bench(hand or Hand())
    bench.budgets = Budgets(bench.hand.clock(), bench.told.append)
    bench.budgets.restore(states)
    return bench.with_(*definitions) if definitions else bench


def test_a_budget_goes_on_from_where_it_stood() -> None:
    before = Bench().with_(budget(usd=100))
    before.spend(70)
    after = restarted(before.budgets.windows(), budget(usd=100))
    assert (after.spent(), after.budgets.unknown()) == ((70,), ())


def test_what_was_held_is_held_no_more() -> None:
    before = Bench().with_(budget(usd=100))
    before.budgets.reserve(WHO, [bound(70)], NEVER_S)
    assert restarted(before.budgets.windows(), budget(usd=100)).held() == (0,)


def test_records_finished_since_count_before_any_definition_is_known() -> None:
    before = Bench().with_(budget(usd=100), budget("k", BudgetScope.KEY, usd=100))
    before.spend(70)
    after = restarted(before.budgets.windows())
    for amount, key in ((5, "k1"), (6, "k2")):
        after.budgets.charge(record(attempts=[attempt(amount, key_id=key)]))
    after.with_(budget(usd=100), budget("k", BudgetScope.KEY, usd=100))
    assert (after.spent("b"), after.spent("k")) == ((81,), (5,))


def test_records_that_a_window_has_in_it_do_not_count_again() -> None:
    before = Bench().with_(budget(usd=100), budget("c", BudgetScope.CALLER, usd=100))
    after = restarted(before.budgets.windows())
    after.budgets.charge(record(attempts=[attempt(5)]), {"c"})
    after.with_(budget(usd=100), budget("c", BudgetScope.CALLER, usd=100))
    assert (after.spent("b"), after.spent("c")) == ((5,), (0,))


def test_a_window_that_turned_after_the_snapshot_counts_by_itself() -> None:
    before = Bench().with_(budget(usd=100, window=Window.DAY))
    before.spend(70)
    after = restarted(before.budgets.windows(), hand=Hand(NOON + DAY_NS))
    after.budgets.charge(record(attempts=[attempt(5)], budget_ns=NOON + DAY_NS))
    assert after.with_(budget(usd=100, window=Window.DAY)).spent() == (5,)


def test_alerts_are_not_given_again() -> None:
    before = Bench().with_(budget(usd=100))
    before.spend(100)
    after = restarted(before.budgets.windows(), budget(usd=100))
    after.spend(5)
    assert after.told == []


def test_nor_those_of_a_window_that_began_after_the_snapshot() -> None:
    """Found by the machine: a refusal spends nothing, so that nothing else told of that window."""
    definition = budget(requests=0, window=Window.DAY)
    before = Bench().with_(definition)
    states = before.budgets.windows()
    after = restarted(states, hand=Hand(NOON + DAY_NS))
    start_ns, _ = window_at(Window.DAY, "UTC", NOON + DAY_NS)
    after.budgets.restore_alert("b", start_ns, "hard", NOON + DAY_NS)
    after.with_(definition)
    with pytest.raises(OverBudget):
        after.budgets.reserve(WHO, [bound()], NEVER_S)
    assert after.told == []


def test_an_alert_that_recovery_calls_for_is_given() -> None:
    before = Bench().with_(budget(usd=100))
    after = restarted(before.budgets.windows())
    after.budgets.charge(record(attempts=[attempt(85)]))
    assert after.with_(budget(usd=100)).alerts == ["b soft usd"]


def test_one_that_was_deleted_meanwhile_is_forgotten() -> None:
    before = Bench().with_(budget(usd=1))
    after = restarted(before.budgets.windows())
    after.with_()
    after.budgets.reserve(WHO, [bound(100)], NEVER_S)
    assert after.budgets.windows() == []


def test_one_that_was_made_meanwhile_is_unknown() -> None:
    assert restarted([], budget(usd=100)).budgets.unknown() == ("b",)


def test_the_clock_goes_on_from_where_it_was() -> None:
    before = Bench(Hand(NOON + DAY_NS)).with_(budget(usd=100, window=Window.DAY))
    before.spend(100)
    after = restarted(before.budgets.windows())
    after.budgets.see(before.budgets.clock_ns)
    after.with_(budget(usd=100, window=Window.DAY))
    with pytest.raises(OverBudget):
        after.budgets.reserve(WHO, [bound(1)], NEVER_S)


def test_nor_does_it_go_back_behind_a_window_that_was_opened_after_the_snapshot() -> None:
    """The clock was set back over the end of the day between two starts: a call counts where the budget stands."""
    later = Bench(Hand(NOON + DAY_NS)).with_(budget(usd=100, window=Window.DAY))
    after = restarted(later.budgets.windows(), budget(usd=100, window=Window.DAY))
    hold = after.budgets.reserve(WHO, [bound(1)], NEVER_S)
    assert window_at(Window.DAY, "UTC", hold.budget_ns) == window_at(Window.DAY, "UTC", NOON + DAY_NS)


def test_nor_behind_an_alert() -> None:
    before = Bench().with_(budget(requests=5, window=Window.DAY))
    after = restarted(before.budgets.windows())
    start_ns, _ = window_at(Window.DAY, "UTC", NOON + DAY_NS)
    after.budgets.restore_alert("b", start_ns, "hard", NOON + DAY_NS)
    after.with_(budget(requests=5, window=Window.DAY))
    assert after.budgets.reserve(WHO, [bound(1)], NEVER_S).budget_ns >= NOON + DAY_NS


def test_windows_are_no_larger_than_is_said() -> None:
    from sidecar.plane.book import window_message

    bench = Bench().with_(*(budget(f"b{'ü' * place}", time_zone="Asia/Kathmandu", usd=1) for place in range(5)))
    bench.spend(2**60, 2**60)
    sizes = [window_message(state).ByteSize() + 8 for state in bench.budgets.windows()]
    assert len(sizes) == 5
    assert sum(sizes) <= bench.budgets.size_bytes
