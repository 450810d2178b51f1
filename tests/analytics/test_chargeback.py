"""Chargeback: the lines are what the attempts of each value cost, and add up to the ledger's total."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings

from analytics.chargeback import Chargeback, as_csv, as_document, chargeback
from analytics.period import Period
from analytics.question import BadQuestion
from analytics.source import Source, open_source
from sidecar.core.call import CallRecord
from sidecar.core.money import to_usd
from tests.support.analytics import START, ledgers, temporary
from tests.support.analytics_week import week

SPAN = Period(START, START + timedelta(days=7))


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with temporary(week(SPAN.end, calls=400)) as home:
        yield open_source(home)


@pytest.fixture(scope="module")
def by_team(source: Source) -> Chargeback:
    return chargeback(source, SPAN, ["tag:team"])


@settings(max_examples=8, deadline=None)
@given(ledgers())
def test_lines_are_what_the_attempts_cost(records: list[CallRecord]) -> None:
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for record in records:
        for each in record.attempts:
            expected[record.tags.get("team", ""), record.workspace] += each.cost.amount_picodollars or 0
    with temporary(records) as home:
        told = chargeback(open_source(home), SPAN, ["tag:team", "workspace"])
    costs = {line.values: line.cost_usd or Decimal(0) for line in told.lines}
    assert {key: cost for key, cost in costs.items() if cost} == {
        key: to_usd(amount) for key, amount in expected.items() if amount
    }
    assert (told.total.cost_usd or 0) == to_usd(sum(expected.values()))
    assert told.total.calls == len(records) == sum(line.calls for line in told.lines)
    assert told.total.unpriced_calls == sum(not record.cost.priced for record in records)


def test_by_status_money_stands_beside_the_calls_that_it_was_for(source: Source) -> None:
    """An attempt has a status of its own, which is another one."""
    sql = """SELECT c.status, count(DISTINCT (c.sidecar_id, c.seq)) AS calls, sum(a.cost_usd) AS usd
FROM ai_call_logs AS c LEFT JOIN ai_call_attempts AS a USING (sidecar_id, seq) GROUP BY ALL"""
    ledger = {row["status"]: (row["calls"], row["usd"] or 0) for row in source.table(sql).to_pylist()}
    told = chargeback(source, SPAN, ["status"])
    assert {line.values[0]: (line.calls, line.cost_usd or 0) for line in told.lines} == ledger
    with pytest.raises(BadQuestion, match="cannot charge by 'error_type'"):
        chargeback(source, SPAN, ["error_type"])


def test_the_total_is_the_ledgers(source: Source, by_team: Chargeback) -> None:
    sql = "SELECT sum(cost_usd) AS usd, sum(input_tokens) AS tokens FROM ai_call_attempts"
    (whole,) = source.table(sql).to_pylist()
    assert (by_team.total.cost_usd, by_team.total.input_tokens) == (whole["usd"], whole["tokens"])
    assert sum((line.share or Decimal(0) for line in by_team.lines), Decimal(0)) == pytest.approx(1)


def test_what_has_no_tag_is_a_line_at_the_end(by_team: Chargeback) -> None:
    assert [line.values for line in by_team.lines][-1] == ("",)
    assert {line.values for line in by_team.lines} == {("red",), ("blue",), ("green",), ("",)}
    paid = [line.cost_usd or Decimal(0) for line in by_team.lines[:-1]]
    assert paid == sorted(paid, reverse=True)


def test_csv_has_a_line_a_value_and_says_untagged(by_team: Chargeback) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(by_team))))
    assert [row["tag:team"] for row in rows][-1] == "untagged"
    assert [Decimal(row["cost_usd"]) for row in rows] == [line.cost_usd for line in by_team.lines]


def test_json_has_null_for_untagged_and_the_total(by_team: Chargeback) -> None:
    told = as_document(by_team, SPAN)
    assert told["rows"][-1]["tag:team"] is None
    assert told["total"]["cost_usd"] == by_team.total.cost_usd


@pytest.mark.parametrize("by", ["month", "day", "provider", "model", "alias", "caller", "key"])
def test_every_dimension_adds_up_to_the_same(source: Source, by_team: Chargeback, by: str) -> None:
    assert chargeback(source, SPAN, [by]).total == by_team.total


def test_what_costs_nothing_known_has_no_cost(source: Source) -> None:
    told = chargeback(source, SPAN, ["alias"], {"alias": "voice-notes"})
    assert told.total.cost_usd is None
    assert told.total.unpriced_calls > 0


def test_what_nobody_can_charge_by_is_refused(source: Source) -> None:
    with pytest.raises(BadQuestion, match="cannot charge by 'http_status'; there are: alias"):
        chargeback(source, SPAN, ["http_status"])
