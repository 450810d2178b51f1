"""`taximeter audit`: what another process changed, in a table, as documents, and as it comes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest

from sidecar.control.change import Change
from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from sidecar.core.control import Actor, Budget, BudgetScope, Workspace
from tests.support.cli import TAXIMETER, Shell
from tests.support.control import sqlite_url
from tests.support.stack import Stack

pytestmark = pytest.mark.xdist_group("cli")
ANNA = Actor("tok-anna", "ipv4:10.0.0.1")
BUDGET = Budget("b", "acme", "all", BudgetScope.WORKSPACE, limit_requests=5)


def change(at_work: Stack, do: Callable[[Change], None]) -> None:
    """As another sidecar with the same store would."""
    with closing(ControlStore(sqlite_url(at_work.home), Clock())) as store:
        store.change(ANNA, do)


@pytest.fixture(scope="module", autouse=True)
def changed(at_work: Stack) -> None:
    def made(change: Change) -> None:
        change.put("workspace.create", Workspace("acme"))
        change.put("budget.create", BUDGET)

    change(at_work, made)
    change(at_work, lambda change: change.put("budget.update", replace(BUDGET, limit_requests=7, soft_only=True)))
    change(at_work, lambda change: change.remove("budget.delete", BUDGET))


def test_the_table_says_what_changed(shell: Shell) -> None:
    done = shell.run("audit", "--action", "budget")
    deleted, updated, created = done.out.splitlines()[1:]
    assert "tok-anna" in deleted
    assert updated.rstrip().endswith("limit_requests: 5 -> 7, soft_only: false -> true")
    assert "limit_requests: 5" in created


def test_json_is_a_line_an_entry(shell: Shell) -> None:
    lines = shell.run("audit", "--json", "--workspace", "acme", "-n", "2").lines
    assert [(line["action"], line["subject"], line["origin"]) for line in lines] == [
        ("budget.delete", "b", "ipv4:10.0.0.1"),
        ("budget.update", "b", "ipv4:10.0.0.1"),
    ]
    assert lines[1]["after"]["limit_requests"] == 7


def test_nothing_is_said_as_nothing(shell: Shell) -> None:
    assert shell.run("audit", "--actor", "nobody").out.startswith("nothing was changed between ")


def test_an_export_goes_on_after_the_last_one_taken(shell: Shell) -> None:
    first, second, *_ = shell.run("audit", "export", "--workspace", "acme").lines
    assert (first["action"], second["action"]) == ("workspace.create", "budget.create")
    assert shell.run("audit", "export", "--after", str(first["sequence"])).lines[0] == second


def test_an_export_that_follows_tells_what_comes(at_work: Stack) -> None:
    command = [*TAXIMETER, "audit", "export", "--follow", "--workspace", "late"]
    with subprocess.Popen(command, env=at_work.env, cwd=at_work.cwd, stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        change(at_work, lambda change: change.put("workspace.create", Workspace("late")))
        line = following.stdout.readline()
        following.terminate()
    assert b'"action":"workspace.create","subject":"late"' in line


def test_without_a_sidecar_it_says_so(nowhere: Shell) -> None:
    done = nowhere.run("audit")
    assert (done.code, "no sidecar answers" in done.err) == (3, True)
