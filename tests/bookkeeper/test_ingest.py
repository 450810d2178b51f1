"""Journals into the ledger: everything once, whatever happens between."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from sidecar.bookkeeper import ingest as ingest_module
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger, Standing
from sidecar.bookkeeper.ledger_connection import LedgerFault
from sidecar.core.clock import Clock
from sidecar.journal import ingested
from taximeter.journal.v1 import journal_pb2
from tests.support.ledger import SIDECAR, batches, finished, opening, record, rows, started
from tests.support.ledger_journal import Log, add, segment, snapshot
from tests.support.ledger_journal import closing as closed_frame

COUNT = "SELECT count(*), count(DISTINCT (sidecar_id, seq)) FROM ai_call_logs"


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def ingest(journal: Path, ledger: Ledger, log: Log) -> Ingest:
    return Ingest(journal, ledger, log, Clock())


def test_what_is_written_later_is_booked_later(ingest: Ingest, ledger: Ledger, journal: Path) -> None:
    path = segment(journal, 1, [snapshot(1), started(1), finished(1), started(2)])
    ingest.turn()
    first = rows(ledger, "SELECT seq FROM ai_call_logs"), rows(ledger, "SELECT seq FROM ai_open_calls")
    add(path, [finished(2)])
    ingest.turn()
    then = rows(ledger, "SELECT seq FROM ai_call_logs ORDER BY seq"), rows(ledger, "SELECT seq FROM ai_open_calls")
    assert (first, then) == (([(1,)], [(2,)]), ([(1,), (2,)], []))


def test_a_new_process_goes_on_where_the_last_one_stood(journal: Path, tmp_path: Path) -> None:
    path = segment(journal, 1, [finished(1), finished(2)])
    for more in (3, 4):
        with closing(Ledger(tmp_path / "own.duckdb")) as ledger:
            Ingest(journal, ledger, Log(), Clock()).turn()
            assert rows(ledger, COUNT) == [(more - 1, more - 1)]
        add(path, [finished(more)])


def test_segments_follow_one_another(ingest: Ingest, ledger: Ledger, journal: Path) -> None:
    for number in (1, 2, 3):
        segment(journal, number, [snapshot(number), *(finished(number * 10 + each) for each in range(3))])
    ingest.turn()
    assert rows(ledger, COUNT) == [(9, 9)]


def test_a_journal_without_its_first_segments_begins_with_the_snapshot(
    ingest: Ingest, ledger: Ledger, journal: Path
) -> None:
    segment(journal, 5, [snapshot(5, opening(41), opening(42)), finished(42), finished(43)])
    ingest.turn()
    assert (rows(ledger, "SELECT seq FROM ai_call_logs ORDER BY 1"), rows(ledger, "SELECT seq FROM ai_open_calls")) == (
        [(42,), (43,)],
        [(41,)],
    )


def test_every_sidecars_journal_is_read(ingest: Ingest, ledger: Ledger, journal: Path) -> None:
    for sidecar_id in ("A", "B"):
        told = journal_pb2.Frame(finished=record(1, sidecar_id=sidecar_id))
        segment(journal, 1, [told], sidecar_id=sidecar_id)
    ingest.turn()
    assert rows(ledger, "SELECT sidecar_id, seq FROM ai_call_logs ORDER BY 1") == [("A", 1), ("B", 1)]


def test_a_corrupt_stretch_is_counted_told_and_passed(ingest: Ingest, ledger: Ledger, journal: Path, log: Log) -> None:
    path = segment(journal, 1, [finished(1), finished(2), finished(3)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    ingest.turn()
    ingest.turn()
    assert rows(ledger, "SELECT seq FROM ai_call_logs ORDER BY seq") == [(1,), (3,)]
    assert rows(ledger, "SELECT corrupt_frames FROM ledger_positions") == [(1,)]
    assert log.events == ["corrupt_frames_skipped"]


def test_a_cut_tail_waits_for_its_rest(ingest: Ingest, ledger: Ledger, journal: Path) -> None:
    path = segment(journal, 1, [finished(1), finished(2)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    ingest.turn()
    seen = rows(ledger, COUNT)
    path.write_bytes(whole)
    ingest.turn()
    assert (seen, rows(ledger, COUNT)) == ([(1, 1)], [(2, 2)])


def test_a_closed_journal_is_not_looked_at_again(ingest: Ingest, ledger: Ledger, journal: Path) -> None:
    path = segment(journal, 1, [finished(1), closed_frame()])
    ingest.turn()
    assert ledger.standings()[SIDECAR] == Standing((1, path.stat().st_size), closed=True)
    add(path, [finished(2)])
    ingest.turn()
    assert (rows(ledger, COUNT), ingest.progress().backlog_bytes) == ([(1, 1)], 0)


def test_an_entry_of_a_later_version_is_passed(ingest: Ingest, ledger: Ledger, journal: Path) -> None:
    segment(journal, 1, [journal_pb2.Frame(), finished(1)])
    ingest.turn()
    assert rows(ledger, COUNT) == [(1, 1)]


def test_a_hole_in_the_ledger_is_refilled_from_the_journal_after_an_error(
    ingest: Ingest, ledger: Ledger, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = segment(journal, 1, [finished(1)])
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "book", failing)
        with pytest.raises(LedgerFault):
            ingest.turn()
    waiting = ingest.progress()
    ingest.turn()
    assert (waiting.backlog_bytes, rows(ledger, COUNT)) == (path.stat().st_size, [(1, 1)])


def failing(batch: object) -> None:
    raise LedgerFault("disk full")


def test_a_commit_whose_answer_was_lost_is_not_repeated(
    ingest: Ingest, ledger: Ledger, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment(journal, 1, [finished(1)])
    book: Callable[..., None] = ledger.book

    def book_and_fail(batch: object) -> None:
        book(batch)
        raise LedgerFault("after the commit")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "book", book_and_fail)
        with pytest.raises(LedgerFault):
            ingest.turn()
    ingest.turn()
    assert rows(ledger, COUNT) == [(1, 1)]


def test_progress_counts_what_is_not_committed_yet(ingest: Ingest, journal: Path) -> None:
    path = segment(journal, 1, [finished(1)], room=1000)
    before = ingest.progress()
    ingest.turn()
    after = ingest.progress()
    assert (before.backlog_bytes, after.backlog_bytes, after.lag_s) == (path.stat().st_size - 1000, 0, 0.0)


def test_lag_grows_while_something_waits(journal: Path, ledger: Ledger) -> None:
    now = [0]
    ingest = Ingest(journal, ledger, Log(), dataclasses.replace(Clock(), monotonic_ns=lambda: now[0]))
    segment(journal, 1, [finished(1)])
    now[0] = 3_000_000_000
    assert ingest.progress().lag_s == 3.0


def test_the_writer_is_told_how_far_the_ledger_is(ingest: Ingest, journal: Path) -> None:
    path = segment(journal, 1, [finished(1)])
    ingest.turn()
    mark = ingested(journal, SIDECAR)
    assert (mark.segment, mark.offset) == (1, path.stat().st_size)


def test_after_an_older_ledger_came_back_the_writer_is_told_so(journal: Path, ledger: Ledger, tmp_path: Path) -> None:
    segment(journal, 1, [finished(1)])
    Ingest(journal, ledger, Log(), Clock()).turn()
    journal.joinpath(SIDECAR, "0000000001.journal").write_bytes(b"")
    with closing(Ledger(tmp_path / "older.duckdb")) as older:
        Ingest(journal, older, Log(), Clock()).turn()
    mark = ingested(journal, SIDECAR)
    assert (mark.segment, mark.offset) == (1, 0)


def test_a_long_backlog_is_taken_in_pieces(
    ingest: Ingest, ledger: Ledger, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "BATCH_BYTES", 2000)
    for number in range(1, 6):
        segment(journal, number, [finished(number * 100 + each) for each in range(40)])
    turns = 1
    while ingest.turn():
        turns += 1
    assert (rows(ledger, COUNT), turns > 3) == ([(200, 200)], True)


def test_the_ledger_equals_the_journal_folded_by_hand(ledger: Ledger) -> None:
    """Sums per workspace, counted in Python from the records."""
    records = [record(seq, attempts=1 + seq % 3) for seq in range(60)]
    for batch in batches([journal_pb2.Frame(finished=each) for each in records], [7, 13, 1]):
        ledger.book(batch)
    expected = {
        workspace: (
            sum(each.usage.input_tokens for each in records if each.workspace == workspace),
            sum(each.cost.amount_picodollars for each in records if each.workspace == workspace),
            sum(len(each.attempts) for each in records if each.workspace == workspace),
        )
        for workspace in ("default", "acme")
    }
    found = rows(
        ledger,
        "SELECT workspace, sum(input_tokens), (sum(cost_usd) * 1000000000000)::BIGINT, sum(attempts) "
        "FROM ai_call_logs GROUP BY 1",
    )
    assert {row[0]: row[1:] for row in found} == expected
