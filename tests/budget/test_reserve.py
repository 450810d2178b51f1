"""What is admitted, what is refused, and by how much an answer is cut."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.budget import NOTHING, Bound, OverBudget, Who, window_at
from sidecar.budget.hold import most
from sidecar.budget.room import output_that_fits
from sidecar.core.control import BudgetScope, Window
from sidecar.core.money import cost_picodollars
from tests.support.budgets import NEVER_S, NOON, WHO, Bench, bound, budget

param = pytest.param
CALL_SCOPES = [BudgetScope.WORKSPACE, BudgetScope.ALIAS, BudgetScope.CALLER]


@pytest.mark.parametrize(
    ("limits", "asked", "unit"),
    [
        param({"usd": 100}, bound(100), "", id="just fits in USD"),
        param({"usd": 100}, bound(101), "usd", id="one picodollar too many"),
        param({"usd": 100}, bound(90, output=2, price=5), "", id="input and output together fit"),
        param({"usd": 100}, bound(90, output=2, price=6), "usd", id="input and output together do not"),
        param({"usd": 100}, bound(90, output=2, price=5, choices=2), "usd", id="each choice has its output"),
        param({"tokens": 100}, bound(0, 60, output=40), "", id="just fits in tokens"),
        param({"tokens": 100}, bound(0, 60, output=41), "tokens", id="one token too many"),
        param({"tokens": 100}, bound(0, 60, output=21, choices=2), "tokens", id="tokens of each choice"),
        param({"requests": 1}, bound(10**9, 10**9), "", id="one request is one"),
        param({"requests": 0}, bound(), "requests", id="0 requests is a limit"),
        param({"usd": 0}, bound(0, 10**9), "", id="0 dollars lets pass what is free"),
        param({"usd": 0}, bound(1), "usd", id="0 dollars lets pass nothing else"),
        param({"usd": 10, "tokens": 10}, bound(11, 11), "usd", id="the first measure is named"),
        param({"usd": 10, "tokens": 10}, bound(5, 11), "tokens", id="the one that lacks room is named"),
        param({"usd": 1, "soft_only": True}, bound(10**9), "", id="a soft one refuses nothing"),
        param({}, bound(10**18, 10**12), "", id="no limit is no limit"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("scope", CALL_SCOPES)
def test_admission(scope: BudgetScope, limits: dict[str, Any], asked: Any, unit: str) -> None:
    bench = Bench().with_(budget(scope=scope, **({"shrink": False} | limits)))
    if not unit:
        bench.budgets.reserve(WHO, [asked], NEVER_S)
        return
    with pytest.raises(OverBudget) as caught:
        bench.budgets.reserve(WHO, [asked], NEVER_S)
    assert (caught.value.unit, caught.value.scope) == (unit, scope)


@pytest.mark.parametrize(
    ("who", "watched"),
    [
        param(WHO, True, id="the call that it names"),
        param(Who("other", "smart", "ann"), False, id="another workspace, same names"),
        param(Who("acme", "fast", "ann"), False, id="another alias"),
        param(Who("acme", "smart", "bob"), True, id="another caller of that alias"),
    ],
)
def test_an_alias_budget_concerns_its_alias_only(who: Who, watched: bool) -> None:
    budgets = Bench().with_(budget(scope=BudgetScope.ALIAS, requests=0)).budgets
    assert budgets.watches(who) is watched
    if watched:
        with pytest.raises(OverBudget):
            budgets.reserve(who, [bound()], NEVER_S)
    else:
        assert budgets.reserve(who, [bound()], NEVER_S).accounts in ((), [])


def test_without_budgets_nothing_is_held() -> None:
    hold = Bench().with_().budgets.reserve(WHO, [bound(10)], NEVER_S)
    assert hold is NOTHING
    assert hold.attempt("k1", bound(10)) is None


def test_the_dearest_candidate_decides_measure_by_measure() -> None:
    bench = Bench().with_(budget(usd=100, tokens=100))
    bench.budgets.reserve(WHO, [bound(90, 5), bound(10, 80), bound(50, 50)], NEVER_S)
    assert bench.held() == (90, 80)


def test_all_budgets_of_a_call_hold_the_same() -> None:
    bench = Bench().with_(*(budget(scope.value, scope, usd=100, requests=5) for scope in CALL_SCOPES))
    bench.budgets.reserve(WHO, [bound(30)], NEVER_S)
    assert [bench.held(scope.value) for scope in CALL_SCOPES] == [(30, 1)] * 3


def test_a_refused_call_holds_nothing_anywhere() -> None:
    bench = Bench().with_(budget("w", usd=100), budget("a", BudgetScope.ALIAS, usd=20))
    with pytest.raises(OverBudget):
        bench.budgets.reserve(WHO, [bound(30)], NEVER_S)
    assert (bench.held("w"), bench.held("a")) == ((0,), (0,))


def test_a_refusal_tells_what_people_ask_for() -> None:
    bench = Bench().with_(budget(usd=100, name="team"))
    bench.spend(40)
    bench.budgets.reserve(WHO, [bound(50)], NEVER_S)
    with pytest.raises(OverBudget) as caught:
        bench.budgets.reserve(WHO, [bound(11)], NEVER_S)
    over = caught.value
    assert (over.unit, over.limit, over.spent, over.held, over.wanted) == ("usd", 100, 40, 50, 11)
    assert (over.budget.name, over.start_ns, over.end_ns, over.unpriced) == (
        "team", *window_at(Window.MONTH, "UTC", NOON), False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limits", "asked", "granted"),
    [
        param({"usd": 1000}, [bound(0, output=100, price=10)], None, id="what fits is not cut"),
        param({"usd": 999}, [bound(0, output=100, price=10)], 99, id="cut to what fits in USD"),
        param({"usd": 999}, [bound(100, output=100, price=10)], 89, id="the input goes first"),
        param({"usd": 999}, [bound(0, output=100, price=10, choices=2)], 49, id="each choice gets the same"),
        param({"tokens": 100}, [bound(0, 60, output=100)], 40, id="cut to what fits in tokens"),
        param({"usd": 400, "tokens": 50}, [bound(0, 10, output=100, price=10)], 40, id="by the narrowest measure"),
        param({"usd": 160}, [bound(0, output=100, price=10)], 16, id="no less than 16 tokens"),
        param({"usd": 159}, [bound(0, output=100, price=10)], "usd", id="rather refused than 15 tokens"),
        param({"usd": 100}, [bound(101, output=100, price=0)], "usd", id="no cut helps an input that is too dear"),
        param({"usd": 1000}, [bound(0, output=50, price=10), bound(0, output=100, price=20)], 50,
              id="by the dearest candidate"),
        param({"usd": 1000}, [bound(0, output=40, price=25), bound(0, output=200, price=10)], 100,
              id="a candidate that fits whole does not cut the others"),
        param({"usd": 10}, [bound(0, output=10, price=10)], "usd", id="who asks for less than 16 is not cut"),
        param({"usd": 500, "shrink": False}, [bound(0, output=100, price=10)], "usd", id="unless the budget forbids"),
        param({"requests": 0}, [bound(0, output=100)], "requests", id="no cut makes room for a request"),
        param({"usd": 500, "requests": 0}, [bound(0, output=100, price=10)], "usd", id="nor for both"),
    ],
)  # fmt: skip
def test_cut(limits: dict[str, Any], asked: list[Bound], granted: int | str | None) -> None:
    budgets = Bench().with_(budget(**limits)).budgets
    if isinstance(granted, str):
        with pytest.raises(OverBudget, match="workspace") as caught:
            budgets.reserve(WHO, asked, NEVER_S)
        assert caught.value.unit == granted
    else:
        assert budgets.reserve(WHO, asked, NEVER_S).max_output == granted


def test_the_hold_of_a_cut_call_is_what_the_cut_comes_to() -> None:
    bench = Bench().with_(budget(usd=999, tokens=10_000))
    bench.budgets.reserve(WHO, [bound(9, 10, output=500, price=10)], NEVER_S)
    assert bench.held() == (999, 109)


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(OverBudget):
        Bench().with_(budget(usd=999)).budgets.reserve(WHO, [bound(0, output=100, price=10)], NEVER_S, shrinkable=False)


def test_one_budget_without_room_that_forbids_it_is_enough_to_refuse() -> None:
    definitions = budget("w", usd=500), budget("a", BudgetScope.ALIAS, usd=500, shrink=False)
    with pytest.raises(OverBudget):
        Bench().with_(*definitions).budgets.reserve(WHO, [bound(0, output=100, price=10)], NEVER_S)


def test_one_that_has_room_does_not_mind() -> None:
    definitions = budget("w", usd=500), budget("a", BudgetScope.ALIAS, usd=5000, shrink=False)
    hold = Bench().with_(*definitions).budgets.reserve(WHO, [bound(0, output=100, price=10)], NEVER_S)
    assert hold.max_output == 50


def test_an_unpriced_model_may_be_used_where_allowed() -> None:
    bench = Bench().with_(budget(usd=5, tokens=100, allow_unpriced=True))
    bench.budgets.reserve(WHO, [bound(None, 40, output=10)], NEVER_S)
    assert bench.held() == (0, 50)


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        param({"usd": 5}, True, id="a USD limit"),
        param({"usd": 5, "allow_unpriced": True}, False, id="one that allows it"),
        param({"usd": 5, "soft_only": True}, False, id="one that only alerts"),
        param({"tokens": 5}, False, id="a limit of tokens"),
    ],
)
def test_who_needs_a_price(values: dict[str, Any], needed: bool) -> None:
    budgets = Bench().with_(budget(**values), budget("k", BudgetScope.KEY, **values)).budgets
    assert (budgets.needs_price(WHO), budgets.needs_price(Who("acme", "", ""), "k1")) == (needed, needed)
    if needed:
        with pytest.raises(OverBudget) as caught:
            budgets.reserve(WHO, [bound(None, 1)], NEVER_S)
        assert caught.value.unpriced


bounds_ = st.builds(
    bound, st.integers(0, 500), st.integers(0, 50), st.integers(0, 200), st.integers(0, 9), st.integers(1, 3)
)


@given(st.lists(bounds_, min_size=1, max_size=4), st.integers(0, 3000), st.integers(0, 800))
def test_a_cut_is_the_largest_that_fits(bounds: list[Bound], usd: int, tokens: int) -> None:
    def fits(cut: int) -> bool:
        picodollars, used, _ = most(bounds, cut)
        return picodollars <= usd and used <= tokens

    longest = max(each.output_tokens for each in bounds)
    assert output_that_fits(bounds, usd, tokens) == max(filter(fits, range(longest + 1)), default=-1) or (
        not fits(0) and output_that_fits(bounds, usd, tokens) < 0
    )


@given(st.integers(0, 10**4), st.integers(0, 10**4), st.integers(0, 3 * 10**7))
def test_a_bound_is_never_below_the_cost_however_it_is_split(one: int, other: int, price: int) -> None:
    held = most([Bound(0, price, 0, one + other)])[0]
    assert cost_picodollars(one, price) + cost_picodollars(other, price) <= held
