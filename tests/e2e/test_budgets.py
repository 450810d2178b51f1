"""Budgets with real processes: reached, told, opened in mid-month, and right again after every kill."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from analytics.source import open_source
from taximeter import Client, errors
from taximeter.v1 import budgets_pb2 as pb
from taximeter.v1.budgets_pb2_grpc import BudgetServiceStub
from tests.support.analytics import build
from tests.support.analytics_week import week
from tests.support.chaos import storm
from tests.support.cli import Done, Shell
from tests.support.stack import Process, Stack, stack, until
from tests.support.webhooks import SECRET, receiver

REACHED = (
    r"^Budget reached \(workspace 'default', 5 (requests )?of 5 requests, resets 20.+Z\)\. "
    r"Raise the cap, wait, or switch to platform credits\.$"
)
pytestmark = [pytest.mark.timeout(120)]


@dataclass
class Town:
    built: Stack
    sidecar: Process

    def taximeter(self, *argv: str) -> Done:
        done = Shell(self.built.env, self.built.cwd).run("budgets", *argv)
        assert done.code == 0, done.err
        return done

    def create(self, *argv: str) -> str:
        made: str = self.taximeter("create", *argv, "--json").document["budget"]["budgetId"]
        return made

    def status(self, budget_id: str) -> Any:
        return self.taximeter("status", budget_id, "--json").document

    def spent(self, budget_id: str) -> dict[str, int]:
        return {each["unit"]: int(each["spent"]) for each in self.status(budget_id)["measures"]}

    def call(self) -> str:
        with Client(self.built.address, timeout=20) as client:
            return client.chat("Hi.", alias="smart", max_tokens=5).metering.call_id

    def rows(self, sql: str) -> list[dict[str, Any]]:
        source = open_source(self.built.home)
        until(lambda: source.status().backlog_bytes == 0, "the bookkeeper has booked everything")
        found: list[dict[str, Any]] = source.table(sql).to_pylist()
        return found


@contextmanager
def town(**env: str) -> Iterator[Town]:
    with stack(**env) as built:
        built.provider()
        built.bookkeeper()
        yield Town(built, built.sidecar())


def test_a_home_whose_journal_is_gone_asks_its_ledger_what_was_spent() -> None:
    """As after `taximeter restore` of a ledger alone, or a journal that was deleted for its room."""
    with stack() as built:
        built.home.mkdir(parents=True)
        build(built.home / "ledger.duckdb", week(datetime.now(UTC), 40))
        built.provider()
        built.bookkeeper()
        at = Town(built, built.sidecar())
        (asked,) = at.rows("SELECT count(*) FILTER (attempts > 0) AS calls FROM ai_call_logs")
        spent = at.spent(at.create("--requests", "1000", "--window", "total"))
    assert spent["requests"] == asked["calls"] > 0


def test_a_budget_is_reached_and_everybody_is_told_once() -> None:
    with (
        receiver() as inbox,
        town(
            TAXIMETER_ALERT_WEBHOOK=inbox.url, TAXIMETER_ALERT_WEBHOOK_SECRET=SECRET, TAXIMETER_LOG_FORMAT="json"
        ) as at,
    ):
        budget_id = at.create("--requests", "5", "--name", "five calls", "--zone", "Europe/Berlin")
        calls = [at.call() for _ in range(5)]
        with pytest.raises(errors.BudgetExceeded, match=REACHED):
            at.call()

        soft, hard = inbox.wait_for(2)
        assert [got.json["type"] for got in (soft, hard)] == ["budget.alert.soft", "budget.alert.hard"]
        assert [got.json["data"]["spent"] for got in (soft, hard)] == ["4", "5"]
        assert [got.json["data"]["call_id"] for got in (soft, hard)] == calls[3:]
        assert soft.is_signed()
        assert hard.is_signed()

        status = at.status(budget_id)
        (measure,) = status["measures"]
        assert (status["state"], status["refused"]) == ("reached", "1")
        assert (measure["spent"], measure["held"], measure["remaining"]) == ("5", "0", "0")
        told = at.rows("SELECT threshold, name, call_id FROM ai_budget_alerts ORDER BY threshold DESC")
        assert [(row["threshold"], row["name"], row["call_id"]) for row in told] == [
            ("soft", "five calls", calls[3]),
            ("hard", "five calls", calls[4]),
        ]
        until(lambda: delivered(at) == ["delivered", "delivered"], "both are delivered")
        logged = [line for line in at.sidecar.log.read_text().splitlines() if '"budget_alert"' in line]
        assert [json.loads(line)["threshold"] for line in logged] == ["soft", "hard"]
        by_call = {row["call_id"]: row["budget_alerts"] for row in at.rows("SELECT * FROM ai_call_logs")}
        assert [by_call[call] for call in calls[2:]] == [[], [f"{budget_id} soft"], [f"{budget_id} hard"]]
        (refusal,) = at.rows("SELECT error_type, attempts FROM ai_call_logs WHERE status = 'refused'")
        assert refusal == {"error_type": "budget_exceeded", "attempts": 0}

        assert at.sidecar.stop() == 0
        at.built.sidecar()
        with pytest.raises(errors.BudgetExceeded):
            at.call()
        at.taximeter("update", budget_id, "--requests", "6")
        at.call()
        assert inbox.ids == [row["alert_id"] for row in at.rows('SELECT alert_id FROM ai_budget_alerts ORDER BY "at"')]
        assert len(inbox.got) == 2


def delivered(at: Town) -> list[str]:
    return [row["delivery"] for row in at.taximeter("alerts", "--json").lines]


def test_one_made_in_mid_month_counts_what_the_month_has_spent() -> None:
    with town() as at:
        for _ in range(3):
            at.call()
        budget_id = at.create("--requests", "4", "--tokens", "1000000")
        (sums,) = at.rows("SELECT sum(input_tokens + output_tokens)::BIGINT AS tokens FROM ai_call_logs")
        assert at.spent(budget_id) == {"requests": 3, "tokens": sums["tokens"]}
        at.call()
        with pytest.raises(errors.BudgetExceeded):
            at.call()


def test_without_a_bookkeeper_it_is_said_what_is_missing() -> None:
    with stack() as built:
        built.provider()
        at = Town(built, built.sidecar())
        at.call()
        done = Shell(built.env, built.cwd).run("budgets", "create", "--usd", "100")
        assert (done.code, "taximeter bookkeeper" in done.err, "BUDGET_UNKNOWN" in done.err) == (1, True, True)
        at.call()


def test_who_watches_sees_each_change() -> None:
    with town() as at, Client(at.built.address) as client:
        budget_id = at.create("--requests", "5")
        budgets = client.service(BudgetServiceStub)
        news = iter(budgets.WatchBudgets(pb.WatchBudgetsRequest()))
        assert spent(next(news)) == "0"
        at.call()
        assert spent(next(news)) == "1"
        at.taximeter("delete", budget_id, "--yes")
        assert next(news).deleted == [budget_id]


def spent(news: Any) -> str:
    (status,) = news.statuses
    (measure,) = status.measures
    return str(measure.spent)


def storm_with_budgets(kills: int, workers: int, seed: int) -> None:
    """After every kill -9 of sidecar and bookkeeper the budget is what the ledger comes to."""
    with stack(TAXIMETER_JOURNAL_SEGMENT="256KiB") as built:
        built.provider()
        running = {"bookkeeper": built.bookkeeper(), "sidecar": built.sidecar()}
        at = Town(built, running["sidecar"])
        at.call()
        ids = [
            at.create("--requests", "1000000", "--tokens", "1000000000", "--window", each) for each in ("day", "total")
        ]
        tally, killed = asyncio.run(storm(built, running, kills=kills, workers=workers, seed=seed, pause_s=(0.2, 0.9)))
        until(lambda: not any(held(at, budget_id) for budget_id in ids), "nothing is held any more")
        (sums,) = at.rows(
            "SELECT count(DISTINCT (sidecar_id, seq)) AS requests, sum(coalesce(input_tokens, 0) + "
            "coalesce(output_tokens, 0) + tokens_at_risk)::BIGINT AS tokens FROM ai_call_attempts"
        )
        found = [at.spent(budget_id) for budget_id in ids]
        print(f"killed {dict(killed)}; {len(tally.sent)} calls; ledger {sums}; budgets {found}")
        assert found == [sums, sums]
        assert len(tally.acknowledged) > 50


def held(at: Town, budget_id: str) -> int:
    return sum(int(each["held"]) for each in at.status(budget_id).get("measures", [{"held": "1"}]))


@pytest.mark.xdist_group("heavy")
@pytest.mark.timeout(180)
def test_after_a_few_kills_budgets_are_what_the_ledger_comes_to() -> None:
    storm_with_budgets(kills=4, workers=4, seed=4)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_after_forty_kills_budgets_are_what_the_ledger_comes_to() -> None:
    storm_with_budgets(kills=40, workers=16, seed=40)
