"""What is admitted, what is refused, and by how much an answer is cut."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.budget import OverBudget
from sidecar.core.control import BudgetScope
from tests.support.budgets import NEVER_S, WHO, Bench, bound, budget

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
