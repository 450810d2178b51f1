"""What the ledger keeps of budgets: how they stand, what they alerted of, and what a call was to them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor

from sidecar.bookkeeper import columns, ledger_carry
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import Limits
from sidecar.bookkeeper.ledger_deletes import day_of
from taximeter.journal.v1 import journal_pb2
from tests.support.budget_books import AT_NS, DAY_NS, alerted, budget_state, state
from tests.support.ledger import SIDECAR, T0_NS, batches, finished, record, rows
from tests.support.ledger_journal import closing as closed_frame

JANUARY = (dt.datetime(2026, 1, 1), dt.datetime(2026, 2, 1))  # noqa: DTZ001 - the ledger's times are UTC without saying so


def book(ledger: Ledger, *frames: journal_pb2.Frame) -> None:
    for batch in batches(list(frames), []):
        ledger.book(batch)


class TestCalls:
    def test_a_call_counts_in_the_window_that_let_it_in(self, ledger: Ledger) -> None:
        call = record(1)
        call.budget_ns = T0_NS - DAY_NS
        book(ledger, journal_pb2.Frame(finished=call), finished(2))
        assert rows(ledger, "SELECT seq, epoch_us(budget_at) - epoch_us(started_at) FROM ai_call_logs ORDER BY 1") == [
            (1, -(DAY_NS + 10**9) // 1000),
            (2, 0),
        ]

    @pytest.mark.parametrize("granted", [pytest.param(None, id="not cut"), 0, 7])
    def test_what_budgets_left_of_its_output_stands(self, ledger: Ledger, granted: int | None) -> None:
        call = record(1)
        if granted is not None:
            call.max_tokens_granted = granted
        book(ledger, journal_pb2.Frame(finished=call))
        assert rows(ledger, "SELECT max_tokens_granted FROM ai_call_logs") == [(granted,)]

    def test_the_alerts_that_it_gave_stand(self, ledger: Ledger) -> None:
        call = record(1)
        call.budget_alerts.extend(["b1 soft", "b2 hard"])
        call.attempts[0].tokens_at_risk = 99
        book(ledger, journal_pb2.Frame(finished=call))
        assert rows(ledger, "SELECT budget_alerts FROM ai_call_logs") == [(["b1 soft", "b2 hard"],)]
        assert rows(ledger, "SELECT tokens_at_risk FROM ai_call_attempts") == [(99,)]

    def test_rows_from_before_budgets_have_values(self, ledger: Ledger) -> None:
        book(ledger, finished(1))
        with ledger.transaction() as writer:
            writer.execute("UPDATE calls SET budget_at = NULL, budget_alerts = NULL")
            writer.execute("UPDATE attempts SET tokens_at_risk = NULL")
        assert rows(ledger, "SELECT budget_at = started_at, budget_alerts FROM ai_call_logs") == [(True, [])]
        assert rows(ledger, "SELECT tokens_at_risk FROM ai_call_attempts") == [(0,)]


NOT_KEPT = {
    "CallRecord.parameters": "telemetry's",
    "CallRecord.request_digest": "tells repeats apart while the journal remembers them",
}
"""Fields of the journal that have no column, and why."""


def fields() -> Iterator[tuple[str, FieldDescriptor]]:
    for message in (journal_pb2.CallRecord, journal_pb2.Attempt):
        for field in message.DESCRIPTOR.fields:
            yield f"{message.DESCRIPTOR.name}.{field.name}", field


@pytest.mark.parametrize(("name", "field"), [pytest.param(name, field, id=name) for name, field in fields()])
def test_every_field_of_the_journal_changes_a_row_or_says_why_not(name: str, field: FieldDescriptor) -> None:
    changed = journal_pb2.CallRecord(attempts=[journal_pb2.Attempt()])
    plain = drawn(changed)
    fill(changed if name.startswith("CallRecord") else changed.attempts[0], field)
    assert (drawn(changed) != plain) == (name not in NOT_KEPT)


def drawn(call: journal_pb2.CallRecord) -> list[object]:
    return [columns.calls([call]).to_pylist(), columns.attempts([call]).to_pylist()]


def fill(message: object, field: FieldDescriptor) -> None:
    """Something other than nothing."""
    if field.name == "cost":
        getattr(message, "cost").priced = True  # noqa: B009 - of either message
        getattr(message, "cost").amount_picodollars = 5  # noqa: B009
    elif field.name in ("usage", "parameters"):
        getattr(message, field.name).SetInParent()
        setattr(getattr(message, field.name), "input_tokens" if field.name == "usage" else "seed", 5)
    elif field.name == "tags":
        getattr(message, "tags")["team"] = "a"  # noqa: B009
    elif field.message_type is not None:
        getattr(message, field.name).add()
    elif field.is_repeated:
        getattr(message, field.name).append("x")
    else:
        kind = type(field.default_value)
        setattr(message, field.name, {bool: True, str: "x", bytes: b"x"}.get(kind, 5000))


class TestStates:
    def test_limits_are_in_dollars_and_counts_and_what_is_not_limited_is_null(self, ledger: Ledger) -> None:
        book(ledger, state(budget_state("b1"), budget_state("b2", unit="tokens", limit=1000, spent=0, held=7)))
        assert rows(
            ledger,
            "SELECT budget_id, name, workspace, scope, subject, limit_usd, spent_usd, held_usd, limit_tokens, "
            "spent_tokens, held_tokens, limit_requests FROM ai_budget_states ORDER BY 1",
        ) == [
            ("b1", "name of b1", "acme", "workspace", "", Decimal(100), Decimal(80), Decimal(5), *[None] * 4),
            ("b2", "name of b2", "acme", "workspace", "", None, None, None, 1000, 0, 7, None),
        ]
        assert rows(ledger, "SELECT DISTINCT window_start, window_end FROM ai_budget_states") == [JANUARY]

    def test_the_newest_word_stands_and_a_budget_that_is_gone_is_gone(self, ledger: Ledger) -> None:
        frames = [state(budget_state("b1"), budget_state("b2")), state(budget_state("b1", spent=90)), finished(1)]
        for batch in batches(frames, [1, 1]):
            ledger.book(batch)
        assert rows(ledger, "SELECT budget_id, spent_usd FROM ai_budget_states") == [("b1", Decimal(90))]

    def test_the_last_incarnation_speaks_for_those_before(self, ledger: Ledger) -> None:
        for sidecar_id, spent in (("01A", 1), ("01B", 2)):
            told = [state(budget_state("b1", spent=spent)), closed_frame()]
            ledger.book(fold(sidecar_id, (0, 0), (1, 9), told))
        assert rows(ledger, "SELECT sidecar_id, spent_usd FROM ai_budget_states") == [("01B", Decimal(2))]


class TestAlerts:
    def test_an_alert_told_twice_is_one_row(self, ledger: Ledger) -> None:
        for batch in batches(
            [alerted(), alerted(), finished(1), alerted(), alerted("b1:1:hard", threshold="hard")], [2, 1]
        ):
            ledger.book(batch)
        assert rows(
            ledger, "SELECT alert_id, threshold, delivery, delivery_tries FROM ai_budget_alerts ORDER BY 1"
        ) == [
            ("b1:1:hard", "hard", "", 0),
            ("b1:1:soft", "soft", "", 0),
        ]

    @pytest.mark.parametrize(
        ("unit", "limit", "stands"),
        [
            pytest.param("usd", 10**14, Decimal(100), id="dollars"),
            pytest.param("usd", 1, Decimal("0.000000000001"), id="a picodollar"),
            pytest.param("tokens", 2**63 - 1, Decimal(2**63 - 1), id="as many tokens as there can be"),
        ],
    )
    def test_amounts_are_exact(self, ledger: Ledger, unit: str, limit: int, stands: Decimal) -> None:
        book(ledger, alerted(unit=unit, limit=limit))
        assert rows(ledger, "SELECT unit, limit_amount FROM ai_budget_alerts") == [(unit, stands)]

    def test_a_window_without_an_end_has_none(self, ledger: Ledger) -> None:
        book(ledger, alerted(window_start_ns=0, window_end_ns=0))
        assert rows(ledger, "SELECT window_start, window_end FROM ai_budget_alerts") == [(None, None)]

    def test_they_go_with_the_calls_of_their_time(self, ledger: Ledger) -> None:
        book(ledger, alerted("old"), alerted("new", at_ns=AT_NS + DAY_NS))
        with ledger.transaction() as writer:
            for name in ("old", "new"):
                writer.execute("INSERT INTO alert_deliveries VALUES (?, 'delivered', 1, NULL, NULL, '')", [name])
        ledger.expire_calls(day_of((AT_NS + DAY_NS) // 1000), 100)
        assert rows(ledger, "SELECT alert_id, delivery FROM ai_budget_alerts") == [("new", "delivered")]
        assert rows(ledger, "SELECT count(*) FROM alert_deliveries") == [(1,)]


def test_a_remade_ledger_keeps_alerts_and_what_became_of_them(tmp_path: Path) -> None:
    """The journal tells of the alert again; only the old ledger knows that it was delivered."""
    with closing(Ledger(tmp_path / "old.duckdb")) as old:
        book(old, alerted("gone from the journal"), alerted("b1"), state(budget_state()))
        with old.transaction() as writer:
            writer.execute("INSERT INTO alert_deliveries VALUES ('b1', 'delivered', 2, NULL, NULL, '')")
    with closing(Ledger(tmp_path / "new.duckdb")) as new:
        new.book(fold(SIDECAR, (0, 0), (0, 1), [alerted("b1")]))
    ledger_carry.carry_over(tmp_path / "old.duckdb", tmp_path / "new.duckdb", Limits())
    with closing(Ledger(tmp_path / "new.duckdb")) as new:
        assert rows(new, "SELECT alert_id, delivery, delivery_tries FROM ai_budget_alerts ORDER BY 1") == [
            ("b1", "delivered", 2),
            ("gone from the journal", "", 0),
        ]
        assert rows(new, "SELECT budget_id FROM ai_budget_states") == [("b1",)]
