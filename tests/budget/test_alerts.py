"""One alert for each budget, window and threshold."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.budget import OverBudget
from sidecar.core.control import Window
from tests.support.budgets import DAY_NS, NEVER_S, NOON, WHO, Bench, attempt, bound, budget, record

param = pytest.param


@pytest.mark.parametrize(
    ("limits", "spendings", "alerts"),
    [
        param({"usd": 100}, [79], [], id="below 80 percent none"),
        param({"usd": 100}, [80], ["b soft usd"], id="soft at 80 percent"),
        param({"usd": 100}, [80, 5, 5], ["b soft usd"], id="only once"),
        param({"usd": 100}, [80, 20], ["b soft usd", "b hard usd"], id="hard at 100 percent"),
        param({"usd": 100}, [100], ["b soft usd", "b hard usd"], id="both at once"),
        param({"usd": 100}, [130, 10], ["b soft usd", "b hard usd"], id="beyond it no other"),
        param({"usd": 100, "soft_percent": 50}, [50], ["b soft usd"], id="the soft one where it was set"),
        param({"usd": 99, "soft_percent": 50}, [49], [], id="half of 99 is passed at 50"),
        param({"usd": 100, "soft_percent": 100}, [100], ["b soft usd", "b hard usd"], id="soft at 100 percent"),
        param({"tokens": 10}, [8], ["b soft tokens"], id="by tokens"),
        param({"requests": 5}, [0, 0, 0, 0], ["b soft requests"], id="by requests"),
        param({"usd": 100, "tokens": 10}, [9], ["b soft tokens"], id="whichever comes first"),
        param({"usd": 100, "tokens": 10}, [9, 90], ["b soft tokens", "b hard tokens"], id="one for all its measures"),
        param({"usd": 0}, [0], [], id="nothing spent of nothing"),
        param({"usd": 0}, [1], ["b soft usd", "b hard usd"], id="something spent of nothing"),
        param({"usd": 100, "soft_only": True}, [100], ["b soft usd", "b hard usd"], id="a soft budget has both"),
    ],
)
def test_spending(limits: dict[str, Any], spendings: list[int], alerts: list[str]) -> None:
    bench = Bench().with_(budget(**limits))
    for amount in spendings:
        bench.spend(amount, amount)
    assert bench.alerts == alerts


def test_the_first_refusal_gives_the_hard_one_and_spending_no_other() -> None:
    bench = Bench().with_(budget(usd=100))
    for _ in range(2):
        with pytest.raises(OverBudget):
            bench.budgets.reserve(WHO, [bound(101)], NEVER_S, call_id="01CALL")
    assert bench.alerts == ["b hard usd"]
    bench.spend(100)
    assert bench.alerts == ["b hard usd", "b soft usd"]


def test_a_refusal_carries_its_alert() -> None:
    bench = Bench().with_(budget(usd=100))
    with pytest.raises(OverBudget) as caught:
        bench.budgets.reserve(WHO, [bound(101)], NEVER_S, call_id="01CALL")
    assert list(caught.value.alerts) == bench.told
    assert bench.told[0].call_id == "01CALL"


def test_an_alert_tells_what_happened() -> None:
    bench = Bench().with_(budget(usd=100, name="team"))
    bench.spend(85)
    (told,) = bench.told
    assert (told.alert_id, told.name, told.workspace, told.scope, told.subject, told.threshold) == (
        f"b:{told.window_start_ns}:soft", "team", "acme", "workspace", "", "soft",
    )  # fmt: skip
    assert (told.unit, told.limit, told.spent, told.at_ns, told.call_id) == ("usd", 100, 85, NOON, "01CALL")


def test_the_next_window_has_its_own() -> None:
    bench = Bench().with_(budget(usd=100, window=Window.DAY))
    bench.spend(80)
    bench.hand.wall_ns += DAY_NS
    bench.spend(80)
    assert bench.alerts == ["b soft usd"] * 2
    assert bench.told[0].alert_id != bench.told[1].alert_id


def test_settling_gives_those_that_noting_named() -> None:
    bench = Bench().with_(budget(usd=100), budget("c", tokens=10))
    hold = bench.budgets.reserve(WHO, [bound(100)], NEVER_S)
    noted = bench.budgets.noted(hold, record(attempts=[attempt(100, 9)], budget_ns=hold.budget_ns))
    assert noted.budget_alerts == ("b soft", "b hard", "c soft")
    assert (bench.told, bench.spent()) == ([], (0,))
    given = bench.budgets.settle(hold, noted)
    assert list(given) == bench.told
    assert bench.alerts == ["b soft usd", "b hard usd", "c soft tokens"]


def test_a_record_that_passes_nothing_is_left_as_it_is() -> None:
    bench = Bench().with_(budget(usd=100))
    made = record(attempts=[attempt(5)])
    assert bench.budgets.noted(None, made) is made


@pytest.mark.parametrize(
    ("limit", "alerts"),
    [
        param(50, ["b soft usd", "b hard usd"], id="below what is spent"),
        param(70, ["b soft usd"], id="to where 80 percent are spent"),
        param(200, [], id="raised"),
    ],
)
def test_another_limit(limit: int, alerts: list[str]) -> None:
    bench = Bench().with_(budget(usd=100))
    bench.spend(60)
    bench.with_(budget(usd=limit))
    assert bench.alerts == alerts


def test_a_limit_raised_and_reached_again_is_not_told_again_in_this_window() -> None:
    bench = Bench().with_(budget(usd=100))
    bench.spend(100)
    bench.with_(budget(usd=200))
    bench.spend(100)
    assert bench.alerts == ["b soft usd", "b hard usd"]
