"""Budgets in the journal's words: whatever they have come to, they can be written."""

from __future__ import annotations

from sidecar.budget import Alert, Measure, Status, WindowState
from sidecar.core.control import BudgetScope, Window
from sidecar.edge.gate import Gate
from sidecar.edge.state import state
from sidecar.plane.book import alert_message, window_message
from tests.support.budget_calls import a_budget

MOST = 2**63 - 1
HUGE = 20_000_000 * 10**12
"""Twenty million dollars, spent under a budget that limits tokens only: more than 64 bits."""


def test_a_window_of_more_than_64_bits_is_written_as_the_most() -> None:
    spent = WindowState("b", "acme", BudgetScope.WORKSPACE, "", Window.TOTAL, "UTC", 0, 0, HUGE, 5, 1)
    told = window_message(spent)
    assert (told.spent_picodollars, told.spent_tokens, told.window) == (MOST, 5, "total")


def test_so_is_an_alert() -> None:
    alert = Alert("b:0:hard", "b", "n", "acme", "workspace", "", "hard", "usd", 10**12, HUGE, 1, 0, 0)
    assert (alert_message(alert).spent, alert_message(alert).limit) == (MOST, 10**12)


def test_so_is_the_state() -> None:
    status = Status(a_budget(), 0, 0, "reached", (Measure("usd", 10**12, HUGE, HUGE),), 0, 0, 0)
    (told,) = state(1, Gate(1), (), [status]).budgets[0].measures
    assert (told.limit, told.spent, told.held) == (10**12, MOST, MOST)
