from __future__ import annotations

import pytest

from sidecar.budget import Budgets
from sidecar.core.clock import Clock
from sidecar.plane.book import InTurn
from tests.support.budgets import budget


@pytest.mark.parametrize(
    ("there", "told"),
    [
        pytest.param(0, [[], [], []], id="none"),
        pytest.param(2, [["b0", "b1"], ["b0", "b1"], ["b0", "b1"]], id="all-fit"),
        pytest.param(5, [["b0", "b1"], ["b2", "b3"], ["b4"]], id="in-turns"),
    ],
)
def test_no_more_at_a_time_than_a_frame_takes(there: int, told: list[list[str]]) -> None:
    definitions = {each.budget_id: each for each in (budget(f"b{n}", requests=1) for n in range(there))}
    budgets = Budgets(Clock())
    budgets.restore([], complete=True)
    budgets.follow(definitions)
    turns = InTurn(budgets, lambda: definitions, most=2)
    assert [[status.budget.budget_id for status in turns.next()] for _ in told] == told
