"""What budgets add to a call: reserve, one attempt and settle, microseconds of CPU, best of rounds taken in turn.

"Nothing held" is the same call without any definition. All cases run in one process, round by round, so that what
else the machine does is shared by them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sidecar.budget import Bound, Budgets, Who
from sidecar.core.clock import Clock
from sidecar.core.control import Budget, BudgetScope
from tests.support.budgets import attempt, budget, record

ROUNDS = 15
CALLS = 2000
WHO = Who("acme", "smart", "ann")
BOUND = Bound(1_000_000, 600_000_000_000, 2_000, 1_000)
LARGE = {"usd": 10**17, "tokens": 10**12, "requests": 10**9}
"""$ 100,000."""


def scopes(workspace: str = "acme") -> list[Budget]:
    """One budget in each of the four scopes, all measures limited."""
    return [budget(f"{workspace}-{scope}", scope, workspace=workspace, **LARGE) for scope in BudgetScope]


def many() -> list[Budget]:
    """1,000 workspaces with 10 budgets each, beside ours."""
    others = [
        budget(f"{place}-{number}", BudgetScope.ALIAS, workspace=f"w{place}", subject=f"a{number}", **LARGE)
        for place in range(1000)
        for number in range(10)
    ]
    return [*scopes(), *others]


CASES: Mapping[str, Callable[[], list[Budget]]] = {
    "no budgets at all": list,
    "none that concern the call": lambda: scopes("other"),
    "one, of the workspace": lambda: scopes()[:1],
    "one in each of four scopes": scopes,
    "the same, and 10,000 of 1,000 other workspaces": many,
}


def calls(definitions: list[Budget]) -> Callable[[], float]:
    """A round of calls; gives the seconds of CPU that it took."""
    budgets = Budgets(Clock())
    budgets.restore([], complete=True)
    budgets.follow({each.budget_id: each for each in definitions})
    made = record(WHO, [attempt(700_000, 2_500, key_id="k1")], budget_ns=budgets.now_ns())
    bounds = [BOUND]

    def one_round() -> float:
        began = time.process_time()
        for _ in range(CALLS):
            hold = budgets.reserve(WHO, bounds, 1e12)
            object.__setattr__(made, "budget_ns", hold.budget_ns)
            hold.attempt("k1", BOUND)
            budgets.settle(hold, budgets.noted(hold, made))
        return time.process_time() - began

    return one_round


def table() -> str:
    """Markdown."""
    rounds = {name: calls(made()) for name, made in CASES.items()}
    best = dict.fromkeys(rounds, float("inf"))
    for _ in range(ROUNDS):
        for name, one_round in rounds.items():
            best[name] = min(best[name], one_round())
    lines = [f"| {name} | {1e6 * seconds / CALLS:,.2f} |" for name, seconds in best.items()]
    return "\n".join(["## Budgets", "", "| budgets | µs CPU a call |", "|---|---|", *lines, ""])
