"""What the ledger keeps of a journal, and that nothing can make it keep it twice."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.bookkeeper.batch import START, fold
from sidecar.bookkeeper.ledger import Ledger, OutOfStep, Standing
from taximeter.journal.v1 import journal_pb2
from tests.support.blank import blank
from tests.support.budget_books import alerted, budget_state, state
from tests.support.ledger import SIDECAR, T0_NS, batches, finished, opening, record, rows, started

VIEWS = (
    *("ai_call_logs", "ai_call_attempts", "ai_call_costs", "ai_open_calls", "ai_target_states"),
    *("ai_budget_states", "ai_budget_alerts", "ledger_positions"),
)


def book(ledger: Ledger, *frames: journal_pb2.Frame) -> None:
    for batch in batches(list(frames), []):
        ledger.book(batch)


def test_a_call_stands_with_its_times_to_the_nanosecond(ledger: Ledger) -> None:
    book(ledger, finished(0))
    assert rows(
        ledger,
        "SELECT CAST(started_at AS VARCHAR), started_ns, day, duration_ms, time_to_first_token_ms, provider_ms, "
        "overhead_us FROM ai_call_logs",
    ) == [("2026-01-01 00:00:00.123456", T0_NS, dt.date(2026, 1, 1), 25.0, 6.0, 20.0, 1500)]


@pytest.mark.parametrize(
    ("picodollars", "stands"),
    [
        pytest.param(0, Decimal(0), id="zero-is-a-price"),
        pytest.param(1, Decimal("0.000000000001"), id="one-picodollar"),
        pytest.param(10**18 - 1, Decimal("999999.999999999999"), id="the-most-a-row-holds"),
        pytest.param(10**18, None, id="more-than-a-row-holds-is-unpriced"),
        pytest.param(None, None, id="unpriced-is-null"),
    ],
)
def test_money_is_exact(ledger: Ledger, picodollars: int | None, stands: Decimal | None) -> None:
    call = record(1)
    call.cost.priced = picodollars is not None
    call.cost.ClearField("amount_picodollars")
    if picodollars is not None:
        call.cost.amount_picodollars = picodollars
    book(ledger, journal_pb2.Frame(finished=call))
    assert rows(ledger, "SELECT priced, cost_usd FROM ai_call_logs") == [(stands is not None, stands)]


def test_zero_is_kept_and_absent_is_null(ledger: Ledger) -> None:
    book(ledger, finished(5))
    assert rows(
        ledger, "SELECT output_tokens, cache_read_tokens, images, seconds, alias_version, error_type FROM ai_call_logs"
    ) == [(0, 0, None, None, 1, "")]


def test_attempts_carry_their_calls_names(ledger: Ledger) -> None:
    book(ledger, finished(4, attempts=2))
    assert rows(
        ledger, "SELECT number, call_id, workspace, status, http_status, cost_usd FROM ai_call_attempts ORDER BY number"
    ) == [
        (1, record(4).call_id, "default", "failed", 503, Decimal(0)),
        (2, record(4).call_id, "default", "ok", 200, Decimal("0.000000000065")),
    ]


def test_cost_lines_are_rows(ledger: Ledger) -> None:
    book(ledger, finished(4, attempts=2), finished(6))
    assert rows(ledger, "SELECT attempt, meter, quantity, price_per_million_usd, cost_usd FROM ai_call_costs") == [
        (2, "input", 14, Decimal("0.15"), Decimal("0.000000000060")),
        (2, "output", 4, Decimal("0.6"), Decimal("0.000000000005")),
    ]


def test_lines_of_what_is_booked_as_unpriced_are_no_costs(ledger: Ledger) -> None:
    """Lines and attempts have one sum, whatever a provider says that was used."""
    call = record(4)
    call.attempts[0].cost.amount_picodollars = 10**18
    book(ledger, journal_pb2.Frame(finished=call))
    assert rows(ledger, "SELECT priced, cost_usd FROM ai_call_attempts") == [(False, None)]
    assert rows(ledger, "FROM ai_call_costs") == []


def test_lists_and_maps_survive(ledger: Ledger) -> None:
    book(ledger, finished(3))
    assert rows(ledger, "SELECT skips, tags['team'] FROM ai_call_logs") == [
        ([{"provider": "mistral", "model": "m", "reason": "NO_KEY"}], "team-0")
    ]


def test_a_call_is_open_until_its_record_comes(ledger: Ledger) -> None:
    frames = [started(1), started(2), finished(1)]
    seen = []
    for batch in batches(frames, [1, 1]):
        ledger.book(batch)
        seen.append(rows(ledger, "SELECT seq, status, provider FROM ai_open_calls ORDER BY seq"))
    assert seen == [[(1, "open", "openai")], [(1, "open", "openai"), (2, "open", "openai")], [(2, "open", "openai")]]


def test_an_open_call_is_shown_where_its_last_attempt_is(ledger: Ledger) -> None:
    second = opening(1)
    second.attempts.add(number=2, provider="groq", model_requested="other", status="open")
    book(ledger, started(1), journal_pb2.Frame(started=second))
    assert rows(ledger, "SELECT provider, model, attempts FROM ai_open_calls") == [("groq", "other", 2)]


def test_a_segments_snapshot_tells_of_open_calls(ledger: Ledger) -> None:
    book(ledger, journal_pb2.Frame(snapshot=journal_pb2.Snapshot(open_calls=[opening(7)])))
    assert rows(ledger, "SELECT seq FROM ai_open_calls") == [(7,)]


def test_of_each_target_the_latest_state_stands(ledger: Ledger) -> None:
    def state(at_s: int, *targets: tuple[str, str]) -> journal_pb2.Frame:
        told = [journal_pb2.TargetState(provider=p, model="m", circuit=c, requests=at_s) for p, c in targets]
        return journal_pb2.Frame(state=journal_pb2.State(at_ns=at_s * 10**9, targets=told))

    frames = [state(1, ("a", "closed"), ("b", "closed")), state(2, ("a", "open")), state(3, ("a", "half-open"))]
    for batch in batches(frames, [1]):
        ledger.book(batch)
    assert rows(ledger, "SELECT provider, circuit, requests, last_used_at FROM ai_target_states ORDER BY 1") == [
        ("a", "half-open", 3, None),
        ("b", "closed", 1, None),
    ]


def test_a_replayed_run_is_refused(ledger: Ledger) -> None:
    (batch,) = batches([finished(1)], [])
    ledger.book(batch)
    with pytest.raises(OutOfStep):
        ledger.book(batch)
    assert rows(ledger, "SELECT count(*) FROM ai_call_logs") == [(1,)]


def test_a_run_that_fails_leaves_neither_rows_nor_position(ledger: Ledger) -> None:
    (batch,) = batches([finished(1), started(2)], [])
    with pytest.raises(KeyError):
        ledger.book(dataclasses.replace(batch, target_states=pa.table({"provider": ["no", "such", "shape"]})))
    assert (rows(ledger, "SELECT * FROM ai_call_logs"), ledger.standings()) == ([], {})


def test_positions_outlive_the_process(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "l.duckdb")
    first.book(fold(SIDECAR, START, (3, 77), [finished(1)], corrupt_frames=2))
    first.save_telemetry_position(SIDECAR, (2, 5))
    first.close()
    again = Ledger(tmp_path / "l.duckdb")
    try:
        assert (again.standings(), again.telemetry_positions()) == ({SIDECAR: Standing((3, 77))}, {SIDECAR: (2, 5)})
        assert rows(again, "SELECT corrupt_frames FROM ledger_positions") == [(2,)]
    finally:
        again.close()


FRAMES = [
    frame
    for seq in range(12)
    for frame in (started(seq), *([finished(seq, attempts=1 + seq % 3)] if seq not in (4, 9) else []))
] + [
    journal_pb2.Frame(state=journal_pb2.State(at_ns=n, targets=[journal_pb2.TargetState(provider="a", model="m")]))
    for n in (1, 2)
]
FRAMES += [state(budget_state("b1"), budget_state("b2")), alerted(), state(budget_state("b1", spent=90)), alerted()]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(len(FRAMES))), st.lists(st.integers(1, 9)))
def test_however_a_journal_is_cut_the_ledger_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], sizes: list[int]
) -> None:
    def contents(cuts: list[int]) -> list[list[tuple[object, ...]]]:
        ledger = Ledger(blank(tmp_path_factory.mktemp("cut") / "ledger.duckdb"))
        try:
            for batch in batches([FRAMES[place] for place in order], cuts):
                ledger.book(batch)
            return [rows(ledger, f"SELECT * FROM {view} ORDER BY ALL") for view in VIEWS]
        finally:
            ledger.close()

    assert contents(sizes) == contents([])
