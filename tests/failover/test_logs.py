"""With LOG_LEVEL=debug every choice explains itself: real lines of a real sidecar that played the whole table."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.failover.play import PROMPT, Played, Seen
from tests.failover.rows import OTHER
from tests.failover.scenarios import SCENARIOS
from tests.failover.table import Mode, Scenario

pytestmark = pytest.mark.xdist_group("failover")
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@every_scenario
def test_the_plan_of_each_call(scenario: Scenario, played: Played) -> None:
    """Candidates in their order, each with its reason."""
    for seen in played.of(scenario):
        (planned,) = lines(played, seen, "planned")
        targets = zip(seen.case.accounts, scenario.models, strict=False)
        whys = ("first in the chain", "fallback, next in the chain")
        assert planned["order"] == [f"{a}/{model}: {why}" for (a, model), why in zip(targets, whys, strict=False)]
        assert (planned["alias"], planned["skips"]) == (seen.case.alias, [])


@every_scenario
def test_why_each_call_moved_on(scenario: Scenario, played: Played) -> None:
    """A line for each attempt that failed: what went wrong, who is next and why, or that nobody is."""
    for seen in played.of(scenario):
        told = lines(played, seen, "after_fault")
        failed = [attempt for attempt in seen.attempts if attempt["status"] != "ok"]
        assert [line["error"] for line in told] == [attempt["error_type"] for attempt in failed]
        assert [line["http_status"] for line in told] == [attempt["http_status"] or 0 for attempt in failed]
        for line, (before, after) in zip(told, pairwise([*seen.case.cell.tried, ""]), strict=False):
            if before == after:
                assert (line["next"], line["after_s"] >= 0) == (f"{line['target']} again", True)
            elif after:
                assert line["next"] == f"{seen.case.accounts[1]}/{scenario.models[1]}"
                assert line["reason"] == seen.case.cell.moved
            else:  # the caller is told of all attempts where the fallback's own refusal is what ended it
                assert (line["next"], line["reason"] in (seen.case.cell.refusal, "INVALID_REQUEST")) == ("", True)


@pytest.mark.parametrize("mode", Mode)
def test_who_is_passed_over_and_until_when(mode: Mode, played: Played) -> None:
    account = played.flaps[mode].accounts[0]
    skips = [skip for line in everything(played, "planned") for skip in line["skips"] if skip.startswith(account)]
    assert any(": CIRCUIT_OPEN (circuit open until " in skip for skip in skips)


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(PROMPT, id="what-callers-ask"),
        pytest.param("w0 w1", id="what-providers-answer"),
        pytest.param(OTHER, id="what-fallbacks-answer"),
        pytest.param("canary", id="what-providers-object"),
        pytest.param("-0123456789", id="keys"),
    ],
)
def test_no_line_holds(secret: str, played: Played) -> None:
    assert secret not in played.log


def test_only_the_sidecar_speaks_of_every_call(played: Played) -> None:
    """What libraries say at that level would bury it."""
    others = [line for line in map(json.loads, played.log.splitlines()) if line["logger"].split(".")[0] != "sidecar"]
    assert len(others) < 10


def lines(played: Played, seen: Seen, event: str) -> list[dict[str, Any]]:
    return [line for line in played.explained(seen) if line["event"] == event]


def everything(played: Played, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, played.log.splitlines()) if line["event"] == event]
