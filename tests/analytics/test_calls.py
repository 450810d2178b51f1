"""Calls one by one: pages without gaps, one call whole, the newest as they come."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.calls import Follower, Place, begun, calls_question, newest, one_call
from analytics.period import Period
from analytics.source import open_source
from analytics.sums import tried
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Target, Usage
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from tests.support.analytics import START, ask, build, ledgers, ns, priced, settled, temporary

END = START + timedelta(days=2)


def attempt(number: int, provider: str, *, ok: bool, **more: Any) -> Attempt:
    status = AttemptStatus.OK if ok else AttemptStatus.FAILED
    start = ns(START) + number * 10**9
    return Attempt(number, Target(provider, "m"), "openai", status, start, start + 5 * 10**8, **more)


@settings(max_examples=8, deadline=None)
@given(ledgers(), st.integers(1, 5))
def test_pages_put_together_are_all_calls_newest_first(records: list[CallRecord], size: int) -> None:
    with temporary(records) as home:
        got: list[dict[str, Any]] = []
        while page := ask(
            home / "ledger.duckdb",
            calls_question(START, END, after=Place.of(got[-1]) if got else None, limit=size),
        ):
            got += page
    expected = sorted(records, key=lambda each: (each.started_ns, each.seq), reverse=True)
    assert [row["call_id"] for row in got] == [record.call_id for record in expected]


@settings(max_examples=8, deadline=None)
@given(ledgers(), st.sampled_from(["openai", "groq"]))
def test_a_providers_calls_are_those_that_went_there(records: list[CallRecord], provider: str) -> None:
    with temporary(records) as home:
        rows = ask(home / "ledger.duckdb", calls_question(START, END, {"provider": provider}))
    expected = {each.call_id for each in records if provider in {attempt.target.provider for attempt in each.attempts}}
    assert {row["call_id"] for row in rows} == expected


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A failover, a refusal, and a call still open."""
    usage = Usage(input=1000, output=10)
    cost = priced({"input": Decimal(1), "output": Decimal(2)}, usage)
    attempts = [attempt(1, "groq", ok=False, http_status=429), attempt(2, "openai", ok=True, usage=usage, cost=cost)]
    records = [
        settled(1, ns(START), attempts, CallStatus.OK, request_id="REQ-1", alias="smart", workspace="a"),
        settled(2, ns(START) + 10**9, [], CallStatus.REFUSED, alias="fast"),
    ]
    build(tmp_path / "ledger.duckdb", records)
    running = settled(3, ns(START) + 2 * 10**9, [], CallStatus.OPEN, alias="smart")
    book(tmp_path, journal_pb2.Frame(started=to_proto(running)), since=2)
    return tmp_path


def book(home: Path, frame: journal_pb2.Frame, since: int) -> None:
    ledger = Ledger(home / "ledger.duckdb")
    try:
        ledger.book(fold("sidecar-a", (0, since), (0, since + 1), [frame]))
    finally:
        ledger.close()


def test_an_open_call_is_listed_as_open(home: Path) -> None:
    rows = ask(home / "ledger.duckdb", calls_question(START, END))
    assert [(row["status"], row["duration_ms"] is None) for row in rows] == [
        ("open", True), ("refused", False), ("ok", False)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("search", "found"),
    [
        pytest.param("req-1", [1], id="request-id-in-any-case"),
        pytest.param("call" + "2".zfill(20), [2], id="part-of-a-call-id"),
        pytest.param(f"{4:x}", [3], id="part-of-a-trace-id"),
        pytest.param(" ", [3, 2, 1], id="blank-finds-all"),
        pytest.param("%", [], id="no-wildcards"),
    ],
)
def test_search(home: Path, search: str, found: list[int]) -> None:
    rows = ask(home / "ledger.duckdb", calls_question(START, END, search=search))
    assert [row["seq"] for row in rows] == found


def test_one_call_with_its_attempts_and_meters(home: Path) -> None:
    one = one_call(open_source(home), f"01CALL{1:020d}")
    assert one is not None
    assert (one.call["provider"], one.call["fallback_used"]) == ("openai", True)
    assert [(each["provider"], each["status"], each["http_status"]) for each in one.attempts] == [
        ("groq", "failed", 429), ("openai", "ok", None)
    ]  # fmt: skip
    assert [(each["attempt"], each["meter"], each["quantity"]) for each in one.costs] == [
        (2, "input", 1000), (2, "output", 10)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seq", "workspace", "status"),
    [
        pytest.param(1, "a", "ok", id="own-workspace"),
        pytest.param(1, "b", None, id="another-workspace"),
        pytest.param(3, None, "open", id="still-open"),
        pytest.param(9, None, None, id="unknown"),
    ],
)
def test_one_call_or_none(home: Path, seq: int, workspace: str | None, status: str | None) -> None:
    one = one_call(open_source(home), f"01CALL{seq:020d}", workspace)
    assert (one.call["status"] if one else None) == status


def test_a_follower_shows_each_finished_call_once(home: Path) -> None:
    follower = Follower(open_source(home), START)
    first, then = follower.fresh(), follower.fresh()
    late = settled(3, ns(START) - 10**9, [attempt(1, "groq", ok=True)], CallStatus.OK, alias="smart")
    book(home, journal_pb2.Frame(finished=to_proto(late)), since=3)
    assert [[row["seq"] for row in rows] for rows in (first, then, follower.fresh(), follower.fresh())] == [
        [2, 1], [], [3], []
    ]  # fmt: skip


def test_a_follower_starts_where_it_is_told(home: Path) -> None:
    assert Follower(open_source(home), START + timedelta(hours=1)).fresh() == []


def test_the_newest_are_found_wherever_the_period_has_them(home: Path) -> None:
    """One call is from weeks before the last day, where a list is looked for first."""
    source, span = open_source(home), Period(START - timedelta(days=40), END + timedelta(days=20))
    assert [newest(source, span, limit=limit)["seq"].to_pylist() for limit in (1, 9)] == [[3], [3, 2, 1]]


@pytest.mark.parametrize("days", [pytest.param(0, id="where-it-says"), pytest.param(-9, id="elsewhere")])
def test_a_whole_call_id_is_found_wherever_it_is(tmp_path: Path, days: int) -> None:
    call_id = "01KBAR0000" + "7" * 16
    named = begun(f" {call_id.lower()} ")
    assert named is not None
    started = named + timedelta(days=days)
    record = settled(1, ns(started), [], CallStatus.REFUSED, call_id=call_id)
    build(tmp_path / "ledger.duckdb", [record, settled(2, ns(started), [], CallStatus.REFUSED)])
    span = Period(named - timedelta(days=20), named + timedelta(days=20))
    assert newest(open_source(tmp_path), span, search=call_id.lower())["seq"].to_pylist() == [1]


@pytest.mark.parametrize("text", ["", "01KBAR", "8" + "0" * 25, "U" * 26, "f" * 32])
def test_what_is_no_call_id_names_no_time(text: str) -> None:
    assert begun(text) is None


def test_providers_count_attempts(home: Path) -> None:
    rows = tried(open_source(home), Period(START, END)).to_dicts()
    assert rows == [
        {"provider": "groq", "attempts": 1, "failed": 1}, {"provider": "openai", "attempts": 1, "failed": 0}
    ]  # fmt: skip
