"""Billing periods: what is closed stays as it is, and nothing is ever billed twice or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.charges import after, month_of
from analytics.exports import Format, Written, pieces
from analytics.focus import Version, focus_question
from analytics.focus_columns import layout
from analytics.question import BadQuestion
from sidecar.bookkeeper import ledger_periods, maintenance
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_periods import Moment, NotClosable
from sidecar.bookkeeper.ledger_revisions import Rerating, revise
from taximeter.journal.v1 import journal_pb2
from taximeter.ledger.v1 import ledger_pb2
from taximeter.v1 import metering_pb2
from tests.support.analytics import ns
from tests.support.blank import blank
from tests.support.focus import (
    DECEMBER,
    NOVEMBER,
    OCTOBER,
    SEPTEMBER,
    billed,
    book,
    call,
    focus,
    of_the_ledger,
    on,
)
from tests.support.ledger import opening, rows

param = pytest.param
LATER = datetime(2027, 1, 15, tzinfo=UTC)
AT = Moment(LATER, LATER)
RECORDS = [
    call(0, on(10, 5), [("input", 1000, "1.25"), ("output", 100, "10")], workspace="acme", tags={"team": "red"}),
    call(1, on(10, 6), [("input", 1, "0.0000005")]),
    call(2, on(11, 6), [("input", 500, "1.25")]),
]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(blank(tmp_path / "ledger.duckdb"))) as made:
        book(made, RECORDS)
        yield made


def close(ledger: Ledger, month: date, at: Moment = AT, *, force: bool = False) -> ledger_periods.Closing:
    return ledger_periods.close(ledger, month, "local", at, force=force)


def csv(ledger: Ledger, month: date) -> bytes:
    """The month's file."""
    question = focus_question(month, after(month), Version.V1_2)
    with ledger.reading() as reader:
        batches = reader.execute(question.sql, question.params).to_arrow_reader(1000)
        return b"".join(pieces(batches, Format.CSV, Written(layout(Version.V1_2))))


def found(ledger: Ledger, month: date) -> list[dict[str, Any]]:
    with ledger.reading() as reader:
        return focus(reader, month, after(month))


def rerate(ledger: Ledger, seq: int, picodollars: int, quantity: int, number: int = 1) -> None:
    """All of a call's cost is now this, at the price that makes it so."""
    line = metering_pb2.CostLine(
        meter="input",
        quantity=quantity,
        price_per_million_picodollars=picodollars * 10**6 // quantity,
        cost_picodollars=picodollars,
    )
    cost = metering_pb2.Cost(
        priced=True, amount_picodollars=picodollars, price_source="override", price_version="2", lines=[line]
    )
    key = ledger_pb2.AttemptKey(sidecar_id="sidecar-a", seq=seq, number=1)
    why = Rerating(f"rer_{number}", "the contract came late", "local", 10**18 + number)
    assert revise(ledger, why, [ledger_pb2.RevisedCost(key=key, cost=cost)]) == 1


def test_closing_tells_what_it_came_to(ledger: Ledger) -> None:
    expected = ledger_periods.expected(ledger, OCTOBER, AT, force=False)
    done = close(ledger, OCTOBER)
    assert expected.cost_usd == done.cost_usd == Decimal("0.00225")
    assert done.corrections_usd == 0
    assert done.rows == 4, "two meters, one of a rounded half picodollar and that"
    assert rows(ledger, "SELECT month, closed_by, row_count, cost_usd, sha256 FROM ai_billing_periods") == [
        (OCTOBER, "local", 4, done.cost_usd, done.sha256)
    ]


@pytest.mark.parametrize(
    ("month", "at", "why"),
    [
        param(SEPTEMBER, AT, "2026-09 is not the next to be closed, which is 2026-10", id="before-the-first-call"),
        param(NOVEMBER, AT, "2026-11 is not the next to be closed, which is 2026-10", id="not-in-order"),
        param(OCTOBER, Moment(on(10, 31), on(10, 31)), "not over before 2026-11-01 00:00 UTC", id="not-over"),
        param(OCTOBER, Moment(LATER, on(10, 31)), "not all calls of 2026-10 are in the ledger yet", id="not-booked"),
    ],
)
def test_what_cannot_be_closed_says_why(ledger: Ledger, month: date, at: Moment, why: str) -> None:
    with pytest.raises(NotClosable, match=why):
        ledger_periods.expected(ledger, month, at, force=False)
    with pytest.raises(NotClosable, match=why):
        close(ledger, month, at)
    assert rows(ledger, "FROM billed_costs") == rows(ledger, "FROM billing_periods") == []


@pytest.mark.parametrize("text", ["9999-12", "0001-01", "2026-13", "2026", "2026-10; DROP TABLE calls"])
def test_a_month_is_one_that_calls_can_be_of(text: str) -> None:
    with pytest.raises(BadQuestion, match="not a month"):
        month_of(text)


def test_a_month_is_closed_once(ledger: Ledger) -> None:
    close(ledger, OCTOBER)
    with pytest.raises(NotClosable, match=r"2026-10 is closed already; the next one is 2026-11"):
        close(ledger, OCTOBER, force=True)


def test_force_closes_what_is_not_booked_or_ended_and_nothing_else(ledger: Ledger) -> None:
    begun = opening(99, sidecar_id="sidecar-a")
    begun.started_ns = ns(on(10, 31))
    ledger.book(fold("sidecar-a", (0, 3), (0, 4), [journal_pb2.Frame(started=begun)]))
    with pytest.raises(NotClosable, match="calls of 2026-10 that have not ended yet: 1"):
        close(ledger, OCTOBER)
    with pytest.raises(NotClosable, match="not over"):
        close(ledger, OCTOBER, Moment(on(10, 31), on(10, 31)), force=True)
    assert close(ledger, OCTOBER, Moment(LATER, on(10, 31)), force=True).rows == 4


def test_a_closed_month_stays_as_it_is_and_the_rest_comes_as_corrections(ledger: Ledger) -> None:
    before, own = csv(ledger, OCTOBER), csv(ledger, NOVEMBER)
    closed = close(ledger, OCTOBER)
    assert (csv(ledger, OCTOBER), csv(ledger, NOVEMBER)) == (before, own)
    book(ledger, [call(3, on(10, 5), [("input", 7, "1.25")], workspace="acme", tags={"team": "red"})], 3)
    rerate(ledger, 0, 5_000_000, 1000)
    assert csv(ledger, OCTOBER) == before
    late = [row for row in found(ledger, NOVEMBER) if row["ChargeClass"] == "Correction"]
    assert {(row["SkuMeter"], row["PricingQuantity"], row["x_PriceSource"]) for row in late} == {
        ("Input Tokens", Decimal("-0.000993"), "genai-prices"),
        ("Output Tokens", Decimal("-0.0001"), "genai-prices"),
        ("Input Tokens", Decimal("0.001"), "override"),
    }
    assert {(row["ChargePeriodStart"].month, row["BillingPeriodStart"].month) for row in late} == {(10, 11)}
    again = close(ledger, NOVEMBER)
    assert again.corrections_usd == sum(row["BilledCost"] for row in late) != 0
    assert found(ledger, DECEMBER) == []
    assert closed.cost_usd + again.cost_usd == of(ledger)


def of(ledger: Ledger) -> Decimal:
    with ledger.reading() as reader:
        return of_the_ledger(reader)


def test_a_month_without_costs_is_closed_like_any(ledger: Ledger) -> None:
    for month, count in ((OCTOBER, 4), (NOVEMBER, 1), (DECEMBER, 0)):
        assert close(ledger, month).rows == count
    assert csv(ledger, DECEMBER).count(b"\n") == 1, "a file has its columns anyway"


def test_months_that_come_to_nothing_are_closed_along(ledger: Ledger) -> None:
    """A machine whose clock stood at 1970 would else have hundreds to close."""
    wrong = datetime(1970, 1, 1, tzinfo=UTC)
    book(ledger, [call(3, wrong, [("input", 9, "1.25")])], 3)
    with pytest.raises(NotClosable, match="2026-10 is not the next to be closed, which is 1970-01"):
        close(ledger, OCTOBER)
    assert close(ledger, wrong.date()).rows == 1
    assert (close(ledger, OCTOBER).rows, close(ledger, NOVEMBER).rows) == (4, 1)
    before = csv(ledger, SEPTEMBER), csv(ledger, OCTOBER)
    with pytest.raises(NotClosable, match="2026-09 is closed already"):
        close(ledger, SEPTEMBER)
    book(ledger, [call(4, on(9, 5), [("input", 7, "1.25")])], 4)
    assert (csv(ledger, SEPTEMBER), csv(ledger, OCTOBER)) == before
    assert [row["ChargeClass"] for row in found(ledger, DECEMBER)] == ["Correction"]


def test_corrections_are_not_passed_over(ledger: Ledger) -> None:
    close(ledger, OCTOBER)
    close(ledger, NOVEMBER)
    book(ledger, [call(3, on(10, 7), [("input", 9, "1.25")])], 3)
    with pytest.raises(NotClosable, match="which is 2026-12"):
        close(ledger, date(2027, 1, 1), Moment(LATER.replace(month=3), LATER.replace(month=3)))
    assert close(ledger, DECEMBER).corrections_usd > 0


def test_what_is_closed_survives_a_ledger_made_anew(ledger: Ledger) -> None:
    close(ledger, OCTOBER)
    before = csv(ledger, OCTOBER), rows(ledger, "FROM billing_periods")
    ledger.close()
    maintenance.compact(ledger.path.parent)
    with closing(Ledger(ledger.path)) as again:
        assert (csv(again, OCTOBER), rows(again, "FROM billing_periods")) == before
        assert [row["ChargeClass"] for row in found(again, NOVEMBER)] == [None]


def test_a_deleted_workspace_leaves_its_closed_months_and_is_no_correction(ledger: Ledger) -> None:
    """What the month came to as a whole stays known."""
    done = close(ledger, OCTOBER)
    ledger.erase_workspace("acme", ns(LATER) // 1000)
    while ledger.erase_calls(100):
        pass
    assert {row["SubAccountId"] for row in found(ledger, OCTOBER)} == {"default"}
    assert [row["ChargeClass"] for row in found(ledger, NOVEMBER)] == [None]
    question = ledger_periods.periods_question()
    listed = rows(ledger, f"SELECT cost_usd, sha256 FROM ({question.sql}) WHERE sha256 <> ''", *question.params)
    assert listed == [(done.cost_usd, done.sha256)]


def test_periods_are_listed_with_what_they_come_to(ledger: Ledger) -> None:
    close(ledger, OCTOBER)
    question = ledger_periods.periods_question()
    with ledger.reading() as reader:
        listed = reader.execute(question.sql, question.params).to_arrow_table().to_pylist()
    assert [(row["month"], row["closed_by"], row["cost_usd"]) for row in listed] == [
        (NOVEMBER, None, Decimal("0.000625")),
        (OCTOBER, "local", Decimal("0.00225")),
    ]
    question = ledger_periods.periods_question({"workspace": "acme"})
    assert rows(ledger, f"SELECT month FROM ({question.sql})", *question.params) == [(OCTOBER,)]
    with pytest.raises(BadQuestion, match="cannot be narrowed by 'alias'"):
        ledger_periods.periods_question({"alias": "smart"})


EVENT = st.one_of(
    st.tuples(st.just("call"), st.integers(10, 12), st.integers(1, 10**6), st.integers(0, 10**13)),
    st.tuples(st.just("rerate"), st.integers(0, 20), st.integers(1, 10**6), st.integers(0, 10**13)),
    st.tuples(st.just("close"), st.none(), st.none(), st.none()),
)


@settings(max_examples=5, deadline=None)
@given(st.lists(EVENT, min_size=3, max_size=9))
def test_all_files_together_are_the_ledger(events: list[tuple[str, int, int, int]]) -> None:
    """Whatever comes late, is priced anew or closed, in any order."""
    months = [OCTOBER, NOVEMBER, DECEMBER]
    frozen: dict[date, bytes] = {}
    with tempfile.TemporaryDirectory() as folder, closing(Ledger(blank(Path(folder) / "ledger.duckdb"))) as ledger:
        book(ledger, RECORDS)
        count = len(RECORDS)
        for number, (what, which, quantity, price) in enumerate(events):
            if what == "call":
                line = ("input", quantity, f"{Decimal(price).scaleb(-12):f}")
                book(ledger, [call(count, on(which, 1 + number), [line])], count)
                count += 1
            elif what == "rerate":
                rerate(ledger, which % count, quantity, quantity, number)
            elif len(frozen) < len(months):
                month = months[len(frozen)]
                close(ledger, month)
                frozen[month] = csv(ledger, month)
        everything = [row for month in [*months, date(2027, 1, 1)] for row in found(ledger, month)]
        assert billed(everything) == of(ledger)
        assert {month: csv(ledger, month) for month in frozen} == frozen
