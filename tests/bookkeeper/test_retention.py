"""What may go, and what may not yet."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sidecar.bookkeeper import retention
from sidecar.bookkeeper.batch import At
from sidecar.bookkeeper.bookkeeping import Bookkeeping
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_days import SUMS, Rolled
from sidecar.bookkeeper.ledger_deletes import Expired
from sidecar.bookkeeper.retention import Keep, expire_calls, retire_journal
from sidecar.commands.doctor import _retention
from sidecar.core.clock import Clock
from tests.support.days import close_month, from_days, roll_all, rolled
from tests.support.ledger import SIDECAR, batches, finished, rows
from tests.support.ledger_journal import Log, segment, snapshot
from tests.support.ledger_journal import closing as closing_frame

WEEK_S = 7 * 86400.0
KEEP = Keep(journal_s=WEEK_S)


@pytest.fixture
def journal(tmp_path: Path, ledger: Ledger) -> Path:
    """Three segments of a closed journal, all booked; the first two are older than a week."""
    journal = tmp_path / "journal"
    for number in (1, 2, 3):
        ending = [closing_frame()] if number == 3 else []
        path = segment(journal, number, [snapshot(number), finished(number), *ending])
        age_s = 0 if number == 3 else WEEK_S + 3600
        os.utime(path, (time.time() - age_s,) * 2)
    Ingest(journal, ledger, Log(), Clock()).turn()
    return journal


def left(journal: Path) -> list[str]:
    return sorted(path.name[9] for path in journal.glob("*/*.journal"))


@pytest.mark.parametrize(
    ("exported", "stays"),
    [
        pytest.param(None, ["3"], id="nobody-exports"),
        pytest.param({SIDECAR: (3, 1)}, ["3"], id="exported-too"),
        pytest.param({SIDECAR: (2, 1)}, ["2", "3"], id="exported-up-to-the-second"),
        pytest.param({}, ["1", "2", "3"], id="not-exported-at-all"),
    ],
)
def test_segments_go_when_booked_exported_and_old(
    journal: Path, ledger: Ledger, exported: Mapping[str, At] | None, stays: list[str]
) -> None:
    retire_journal(journal, ledger, exported, KEEP, time.time_ns())
    assert left(journal) == stays


def test_young_segments_stay(journal: Path, ledger: Ledger) -> None:
    assert (retire_journal(journal, ledger, None, Keep(3 * WEEK_S), time.time_ns()), left(journal)) == (
        0,
        ["1", "2", "3"],
    )


def test_a_closed_journal_goes_whole_and_its_calls_stay(journal: Path, ledger: Ledger) -> None:
    ledger.save_telemetry_position(SIDECAR, (3, 1))
    younger = journal / "01ZZ0000000000000000000000"
    younger.mkdir()
    retire_journal(journal, ledger, None, KEEP, time.time_ns() + int(2 * WEEK_S * 1e9))
    assert (list(journal.iterdir()), ledger.telemetry_positions()) == ([younger], {})
    assert rows(ledger, "SELECT count(*) FROM ai_call_logs") == [(3,)]


def test_what_is_not_booked_stays(journal: Path, tmp_path: Path) -> None:
    empty = Ledger(tmp_path / "empty.duckdb")
    retire_journal(journal, empty, None, Keep(0.0), time.time_ns() + 10**18)
    empty.close()
    assert left(journal) == ["1", "2", "3"]


TODAY = date(2026, 1, 3)
"""The calls of `dated` are of the two days before; to keep none is to keep those of today."""
NONE = Keep(WEEK_S, ledger_s=0.0)


@pytest.fixture
def dated(ledger: Ledger) -> Ledger:
    """Ten calls on 2026-01-01 and ten on 2026-01-02."""
    frames = [finished(seq + 86_400 * (seq >= 10), attempts=2) for seq in range(20)]
    for batch in batches(frames, []):
        ledger.book(batch)
    return ledger


def expired(ledger: Ledger, today: date = TODAY, keep: Keep = NONE) -> Expired:
    at = datetime.combine(today, datetime.min.time(), UTC)
    return expire_calls(ledger, keep, int(at.timestamp()) * 10**9)


def test_old_calls_go_with_their_attempts_step_by_step(dated: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP_CALLS", 4)
    close_month(dated, date(2026, 1, 1))
    roll_all(dated, TODAY)
    assert [expired(dated, date(2026, 1, 2)).calls for _ in range(4)] == [4, 4, 2, 0]
    assert rows(dated, "SELECT min(seq), count(*) FROM ai_call_logs") == [(86_410, 10)]
    assert rows(dated, "SELECT min(seq), count(*) FROM attempts") == [(86_410, 20)]


def test_their_sums_stay(dated: Ledger) -> None:
    close_month(dated, date(2026, 1, 1))
    roll_all(dated, TODAY)
    before = {table: from_days(dated, table, date(2026, 1, 1)) for table in SUMS}
    while expired(dated).calls:
        pass
    assert rows(dated, "SELECT count(*) FROM calls") == [(0,)]
    assert {table: from_days(dated, table, date(2026, 1, 1)) for table in SUMS} == before
    assert rolled(dated) == Rolled(TODAY, TODAY)


def test_a_day_that_is_not_summed_up_keeps_its_calls(dated: Ledger) -> None:
    close_month(dated, date(2026, 1, 1))
    roll_all(dated, date(2026, 1, 2))
    assert [expired(dated).calls for _ in range(3)] == [10, 0, 0]
    assert rows(dated, "SELECT min(seq), count(*) FROM calls") == [(86_410, 10)]


def test_a_month_that_is_not_closed_keeps_its_calls_and_those_behind_it(dated: Ledger) -> None:
    close_month(dated, date(2025, 12, 1))
    roll_all(dated, TODAY)
    assert expired(dated) == Expired(waits_for=date(2026, 1, 1))
    assert rows(dated, "SELECT count(*) FROM calls") == [(20,)]


def test_that_is_logged_once_and_doctor_tells_of_it(dated: Ledger, tmp_path: Path) -> None:
    log = Log()
    roll_all(dated, TODAY)
    ingest = Ingest(tmp_path / "journal", dated, log, Clock())
    keep = Keep(WEEK_S, ledger_s=1.0)
    books = Bookkeeping(
        ingest=ingest, ledger=dated, journal=tmp_path, keep=keep, exported=lambda: None, log=log, clock=Clock()
    )
    for _ in range(2):
        books.turn()
    assert [details["month"] for event, details in log.said if event == "retention_waits"] == ["2026-01"]
    dated.close()
    (found,) = _retention(tmp_path, 1.0)
    assert "taximeter periods close 2026-01" in found.says
    with closing(Ledger(tmp_path / "ledger.duckdb")) as ledger:
        close_month(ledger, date(2026, 1, 1))
    assert list(_retention(tmp_path, 1.0)) == []


@pytest.mark.parametrize("half_way", [False, True], ids=["all-gone", "half-gone"])
def test_a_call_that_comes_later_than_its_day_went_is_in_its_sums_once(
    dated: Ledger, monkeypatch: pytest.MonkeyPatch, half_way: bool
) -> None:
    monkeypatch.setattr(retention, "STEP_CALLS", 4)
    close_month(dated, date(2026, 1, 1))
    roll_all(dated, TODAY)
    for _ in range(1 if half_way else 3):
        expired(dated, date(2026, 1, 2))
    for batch in batches([finished(100)], [], since=(0, 20)):
        dated.book(batch)
    for _ in range(3):
        expired(dated, date(2026, 1, 2))
    assert rows(dated, "SELECT day, sum(calls), sum(attempts) FROM ai_call_days GROUP BY day ORDER BY day") == [
        (date(2026, 1, 1), 11, 21),
        (date(2026, 1, 2), 10, 20),
    ]
    assert rows(dated, "SELECT sum(attempts) FROM ai_attempt_days") == [(41,)]
    assert rows(dated, "SELECT min(seq), count(*) FROM calls") == [(86_410, 10)]


def test_without_a_limit_calls_are_kept_for_ever(dated: Ledger) -> None:
    roll_all(dated, TODAY)
    close_month(dated, date(2026, 1, 1))
    assert expire_calls(dated, KEEP, 2**62) == Expired()
