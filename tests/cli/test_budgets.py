"""`taximeter budgets`: made, changed, looked at and taken away, as a person and as a program."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cli import Done, Shell

pytestmark = pytest.mark.xdist_group("cli")


def run(shell: Shell, *argv: str) -> Done:
    done = shell.run("budgets", *argv)
    assert done.code == 0, done.err
    return done


@pytest.fixture
def budget(shell: Shell) -> Iterator[str]:
    """Its id; it is gone afterwards."""
    made = run(shell, "create", "--usd", "100", "--tokens", "5000000", "--zone", "Europe/Berlin", "--json").document
    budget_id: str = made["budget"]["budgetId"]
    yield budget_id
    shell.run("budgets", "delete", budget_id, "--yes")


def test_what_was_made_is_said(shell: Shell) -> None:
    done = run(shell, "create", "--requests", "1000", "--window", "day", "--alias", "smart", "--soft-only")
    budget_id, _, told = done.out.partition(" ")
    assert told.startswith("is in force: 1,000 requests; 0 of 1,000 requests spent (0.0 %)")
    assert run(shell, "delete", budget_id, "--yes").out == f"{budget_id} is no more\n"


def test_the_list_says_what_is_limited(shell: Shell, budget: str) -> None:
    header, line = run(shell, "list").out.splitlines()
    assert header.split() == ["budget", "name", "of", "limits", "window", "soft", "alert", "unpriced", "made", "by"]
    assert line.split("  ")[0] == budget
    for part in ("workspace, month", "$100.00, 5,000,000 tokens", "month, Europe/Berlin", "80 %", "refused", "local"):
        assert part in line


def test_the_status_has_a_line_for_each_limit(shell: Shell, budget: str) -> None:
    _, usd, tokens = run(shell, "status", budget).out.splitlines()
    assert "$100.00" in usd
    assert "5,000,000" in tokens
    assert all("ok" in line for line in (usd, tokens))


def test_json_is_the_message(shell: Shell, budget: str) -> None:
    status = run(shell, "status", budget, "--json").document
    assert (status["state"], [each["unit"] for each in status["measures"]]) == ("ok", ["usd", "tokens"])
    (listed,) = run(shell, "list", "--json").lines
    assert (listed["scope"], listed["limitUsd"], listed["limitTokens"]) == ("BUDGET_SCOPE_WORKSPACE", "100", "5000000")


def test_an_update_changes_what_is_said_and_nothing_else(shell: Shell, budget: str) -> None:
    argv = ("--usd", "none", "--requests", "7", "--no-shrink", "--unpriced", "allow", "--soft", "50", "--name", "mine")
    changed = run(shell, "update", budget, *argv, "--json").document["budget"]
    assert "limitUsd" not in changed
    told = {"limitTokens": "5000000", "limitRequests": "7", "shrink": False, "softPercent": 50, "name": "mine"}
    assert {field: changed[field] for field in told} == told
    assert (changed["unpriced"], changed["timeZone"], changed["countAtRisk"]) == (
        "UNPRICED_ALLOW",
        "Europe/Berlin",
        True,
    )


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        pytest.param(("create",), 2, "at least one of --usd", id="no limit"),
        pytest.param(("create", "--usd", "1", "--key", "a", "--alias", "b"), 2, "of one thing", id="two subjects"),
        pytest.param(("create", "--tokens", "many"), 2, "'many' is not a whole number", id="no number"),
        pytest.param(("create", "--usd", "lots"), 1, "budget.limit_usd", id="no amount"),
        pytest.param(("create", "--usd", "1", "--zone", "Nowhere"), 1, "not a time zone", id="no zone"),
        pytest.param(("create", "--usd", "1", "--alias", "nope"), 1, "has no alias 'nope'", id="no alias"),
        pytest.param(("status", "bud_nope"), 1, "UNKNOWN_BUDGET", id="no budget"),
        pytest.param(("delete", "bud_nope"), 2, "--yes", id="nobody to be asked"),
    ],
)
def test_what_is_wrong_is_said(shell: Shell, argv: tuple[str, ...], code: int, said: str) -> None:
    done = shell.run("budgets", *argv)
    assert (done.code, said in done.err, "Traceback" in done.err) == (code, True, False), done.err


def test_nothing_is_said_as_nothing(shell: Shell) -> None:
    assert run(shell, "list").out.startswith("no budgets: ")
    assert run(shell, "status").out.startswith("no budgets: ")
    assert run(shell, "alerts").out.startswith("no alerts between ")
