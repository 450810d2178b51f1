"""What may go, and what may not yet."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sidecar.bookkeeper import retention
from sidecar.bookkeeper.batch import At
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.retention import Keep, expire_calls, retire_journal
from sidecar.core.clock import Clock
from tests.support.ledger import SIDECAR, T0_NS, batches, finished, rows
from tests.support.ledger_journal import Log, closing, segment, snapshot

WEEK_S = 7 * 86400.0
KEEP = Keep(journal_s=WEEK_S)


@pytest.fixture
def journal(tmp_path: Path, ledger: Ledger) -> Path:
    """Three segments of a closed journal, all booked; the first two are older than a week."""
    journal = tmp_path / "journal"
    for number in (1, 2, 3):
        ending = [closing()] if number == 3 else []
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


def test_old_calls_go_with_their_attempts_step_by_step(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP_CALLS", 4)
    for batch in batches([finished(seq, attempts=2) for seq in range(20)], []):
        ledger.book(batch)
    now_ns = T0_NS + 110 * 10**9
    steps = [expire_calls(ledger, Keep(WEEK_S, ledger_s=100.0), now_ns) for _ in range(4)]
    assert steps == [4, 4, 2, 0]
    assert rows(ledger, "SELECT min(seq), count(*) FROM ai_call_logs") == [(10, 10)]
    assert rows(ledger, "SELECT min(seq), count(*) FROM attempts") == [(10, 20)]


def test_without_a_limit_calls_are_kept_for_ever(ledger: Ledger) -> None:
    for batch in batches([finished(1)], []):
        ledger.book(batch)
    assert expire_calls(ledger, KEEP, 2**62) == 0
