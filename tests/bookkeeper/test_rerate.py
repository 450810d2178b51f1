"""Costs priced anew in the ledger: new values in the rows and all views, old ones kept, whatever is made anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sidecar.bookkeeper import maintenance
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_revisions import Rerating, ratable, revise
from taximeter.journal.v1 import journal_pb2
from taximeter.ledger.v1 import ledger_pb2 as pb
from taximeter.v1 import metering_pb2
from tests.support.blank import blank
from tests.support.ledger import SIDECAR, T0_NS, batches, finished, record, rows
from tests.support.ledger_journal import segment, snapshot

param = pytest.param
CALLS = 14
"""Of `record`: every seventh is unpriced, 6 and 13."""
WHY = Rerating("rer_1", "the contract came late", "local", T0_NS + 10**15)
COST = "SELECT priced, cost_usd, price_source, price_version FROM"


def booked(path: Path, records: list[journal_pb2.CallRecord]) -> Ledger:
    ledger = Ledger(blank(path))
    for batch in batches([journal_pb2.Frame(finished=each) for each in records], []):
        ledger.book(batch)
    return ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(booked(tmp_path / "ledger.duckdb", [record(seq, attempts=1 + seq % 2) for seq in range(CALLS)])) as it:
        yield it


def ask(**values: Any) -> pb.ListRatableRequest:
    return pb.ListRatableRequest(**({"start_ns": 0, "end_ns": T0_NS + 10**12} | values))


def seqs(ledger: Ledger, limit: int = 100, **asked: Any) -> list[int]:
    return [each.key.seq for each in ratable(ledger, ask(**asked), limit)]


def cost(picodollars: int, version: str = "v2", meter: str = "input") -> metering_pb2.Cost:
    line = metering_pb2.CostLine(
        meter=meter,
        quantity=1,
        price_per_million_picodollars=min(picodollars, 10**9) * 10**6,
        cost_picodollars=picodollars,
    )
    return metering_pb2.Cost(
        priced=True, amount_picodollars=picodollars, price_source="override", price_version=version, lines=[line]
    )


def revised(*seqs_and_costs: tuple[int, metering_pb2.Cost]) -> list[pb.RevisedCost]:
    """Of the last attempt of each, which is the second where there are two."""
    return [
        pb.RevisedCost(key=pb.AttemptKey(sidecar_id=SIDECAR, seq=seq, number=1 + seq % 2), cost=new)
        for seq, new in seqs_and_costs
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        param({}, list(range(CALLS)), id="all-that-were-used"),
        param({"unpriced_only": True}, [6, 13], id="unpriced"),
        param({"model": "model-1"}, [1, 5, 9, 13], id="model-asked-for"),
        param({"model": "model-1-2026"}, [1, 5, 9, 13], id="model-reported"),
        param({"provider": "groq", "unpriced_only": True}, [6], id="provider"),
        param({"start_ns": T0_NS + 5 * 10**9, "end_ns": T0_NS + 8 * 10**9}, [5, 6, 7], id="period"),
        param({"after": {"sidecar_id": SIDECAR, "seq": 11, "number": 2}}, [12, 13], id="behind-another"),
        param({"model": "nobody's"}, [], id="none"),
    ],
)
def test_which_attempts_can_be_priced_anew(ledger: Ledger, asked: dict[str, Any], expected: list[int]) -> None:
    if asked.get("provider"):
        expected = [seq for seq in expected if ("openai", "groq", "local")[(seq + 1 + seq % 2) % 3] == "groq"]
    assert seqs(ledger, **asked) == expected


def test_they_come_in_pages(ledger: Ledger) -> None:
    assert seqs(ledger, limit=3) == [0, 1, 2]


@pytest.mark.parametrize("source", ["provider", "declared"])
def test_what_is_no_price_of_ours_is_left(tmp_path: Path, source: str) -> None:
    free = record(0)
    free.attempts[0].cost.price_source = source
    with closing(booked(tmp_path / "l.duckdb", [free, record(1, attempts=2)])) as ledger:
        assert seqs(ledger) == [1]
        assert revise(ledger, WHY, revised((0, cost(5)), (1, cost(7)))) == 1, "even if somebody asks for it"


def test_a_ratable_attempt_tells_all_that_a_price_needs(ledger: Ledger) -> None:
    (found,) = ratable(ledger, ask(after={"sidecar_id": SIDECAR, "seq": 9, "number": 9}), 1)
    want = record(10).attempts[0]
    assert (found.workspace, found.provider, found.model_requested) == ("default", want.provider, want.model_requested)
    assert (found.model_reported, found.started_ns) == (want.model_reported, want.started_ns // 1000 * 1000)
    assert (found.usage.output_tokens, found.usage.HasField("images")) == (0, False), "0 is told, unknown is not"
    assert (found.cost.lines, found.cost.amount_picodollars) == (want.cost.lines, want.cost.amount_picodollars)


def test_rows_and_views_show_the_new_cost_and_the_old_one_is_kept(ledger: Ledger) -> None:
    assert revise(ledger, WHY, revised((6, cost(5_000_000)))) == 1
    new = (True, Decimal("0.000005000000"), "override", "v2")
    assert rows(ledger, f"{COST} ai_call_logs WHERE seq = 6") == [new]
    assert rows(ledger, f"{COST} ai_call_attempts WHERE seq = 6") == [new]
    assert rows(ledger, "SELECT meter, cost_usd FROM ai_call_costs WHERE seq = 6") == [("input", new[1])]
    assert rows(
        ledger,
        "SELECT rerating_id, seq, attempt, call_id, old_priced, old_cost_usd, priced, cost_usd, reason, actor "
        "FROM ai_cost_revisions",
    ) == [("rer_1", 6, 1, f"01JCALL{6:019d}", False, None, True, new[1], WHY.reason, "local")]


def test_other_rows_stay(ledger: Ledger) -> None:
    before = rows(ledger, "FROM ai_call_logs WHERE seq <> 6 ORDER BY seq")
    revise(ledger, WHY, revised((6, cost(5))))
    assert rows(ledger, "FROM ai_call_logs WHERE seq <> 6 ORDER BY seq") == before


def test_a_call_costs_what_its_attempts_do(tmp_path: Path) -> None:
    call = record(3, attempts=2)
    call.attempts[0].usage_source, call.attempts[0].cost.amount_picodollars = "estimated", 100
    with closing(booked(tmp_path / "l.duckdb", [call])) as ledger:
        revise(ledger, WHY, revised((3, cost(5_000_000))))
        assert rows(ledger, "SELECT cost_usd FROM calls") == rows(ledger, "SELECT sum(cost_usd) FROM attempts")
        assert rows(ledger, "SELECT cost_usd FROM calls") == [(Decimal("0.000005000100"),)]


def test_a_call_stays_unpriced_while_an_attempt_is(tmp_path: Path) -> None:
    call = record(13, attempts=2)
    call.attempts[0].usage_source = "estimated"
    call.attempts[0].cost.CopyFrom(metering_pb2.Cost(priced=False))
    with closing(booked(tmp_path / "l.duckdb", [call])) as ledger:
        revise(ledger, WHY, revised((13, cost(5))))
        assert rows(ledger, f"{COST} calls") == [(False, None, "", "")]
        assert rows(ledger, "SELECT priced FROM attempts ORDER BY number") == [(False,), (True,)]


def test_the_same_rerating_twice_is_one(ledger: Ledger) -> None:
    assert revise(ledger, WHY, revised((6, cost(5)))) == 1
    assert revise(ledger, WHY, revised((6, cost(9)), (13, cost(3)))) == 1, "what it has changed stays as it is"
    assert rows(ledger, "SELECT seq, cost_usd FROM calls WHERE seq IN (6, 13) ORDER BY seq") == [
        (6, Decimal("0.000000000005")), (13, Decimal("0.000000000003")),
    ]  # fmt: skip


def test_a_later_rerating_keeps_what_the_one_before_gave(ledger: Ledger) -> None:
    revise(ledger, WHY, revised((6, cost(5))))
    revise(ledger, Rerating("rer_2", "again", "local", WHY.at_ns + 10**9), revised((6, cost(9))))
    assert rows(ledger, 'SELECT old_cost_usd, cost_usd FROM ai_cost_revisions ORDER BY "at"') == [
        (None, Decimal("0.000000000005")), (Decimal("0.000000000005"), Decimal("0.000000000009")),
    ]  # fmt: skip


def test_a_cost_that_no_column_holds_changes_nothing(ledger: Ledger) -> None:
    assert revise(ledger, WHY, revised((5, cost(10**18)))) == 0
    assert rows(ledger, "SELECT cost_usd FROM calls WHERE seq = 5") == [(Decimal("0.000000000081"),)]


def test_calls_that_go_take_their_revisions_along(ledger: Ledger) -> None:
    revise(ledger, WHY, revised((6, cost(5)), (13, cost(5))))
    ledger.erase_workspace("default", (T0_NS + 10 * 10**9) // 1000)
    ledger.erase_calls(1000)
    assert rows(ledger, "SELECT seq FROM cost_revisions") == [(13,)]
    ledger.erase_workspace("acme", (T0_NS + 10**12) // 1000)
    ledger.erase_calls(1000)
    assert rows(ledger, "SELECT seq FROM cost_revisions") == []


@pytest.mark.parametrize("remake", [maintenance.rebuild, maintenance.compact])
def test_a_ledger_that_is_made_anew_keeps_what_was_priced_anew(tmp_path: Path, remake: Any) -> None:
    segment(tmp_path / "journal", 1, [snapshot(1), *map(finished, range(CALLS))])
    maintenance.rebuild(tmp_path)
    with closing(Ledger(tmp_path / "ledger.duckdb")) as ledger:
        for number, why in enumerate((WHY, Rerating("rer_0", "the last word", "local", WHY.at_ns + 10**9))):
            assert revise(ledger, why, revised((6, cost(5 + number)))) == 1
        told = "SELECT priced, cost_usd, price_version FROM ai_call_logs ORDER BY seq"
        kept = 'FROM ai_cost_revisions ORDER BY "at"'
        before, revisions = rows(ledger, told), rows(ledger, kept)
    assert before[6] == (True, Decimal("0.000000000006"), "v2")
    remake(tmp_path)
    with closing(Ledger(tmp_path / "ledger.duckdb")) as ledger:
        assert rows(ledger, told) == before
        assert rows(ledger, kept) == revisions
        assert rows(ledger, "SELECT sum(cost_usd) FROM calls") == rows(ledger, "SELECT sum(cost_usd) FROM attempts")
