"""Telemetry's own way through the journal: at least once, and never past what the collector has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from sidecar.bookkeeper.feed import Feed
from sidecar.bookkeeper.ledger import Ledger
from taximeter.journal.v1 import journal_pb2
from tests.support.ledger import SIDECAR, finished
from tests.support.ledger_journal import Log, add, segment


class Collector:
    """An exporter that remembers; `takes` says whether the collector is there."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.takes = True
        self.full = False
        self.closed = False

    def handle(self, frames: Sequence[journal_pb2.Frame]) -> None:
        self.handled += [frame.finished.seq for frame in frames]

    def flush(self, timeout_s: float) -> bool:
        return self.takes

    def close(self, timeout_s: float = 5.0) -> None:
        self.closed = True


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    segment(tmp_path / "journal", 1, [finished(1), finished(2)])
    return tmp_path / "journal"


def test_frames_are_handled_once_and_the_position_is_saved(journal: Path, ledger: Ledger) -> None:
    collector = Collector()
    feed = Feed(journal, ledger, collector, Log())
    turns = [feed.turn(), feed.turn()]
    assert (turns, collector.handled, feed.backlog_bytes()) == ([True, False], [1, 2], 0)
    assert ledger.telemetry_positions() == feed.exported()


def test_while_the_collector_is_away_the_position_stays_and_a_new_process_sends_again(
    journal: Path, ledger: Ledger
) -> None:
    away, back = Collector(), Collector()
    away.takes = False
    first = Feed(journal, ledger, away, Log())
    first.turn()
    second = Feed(journal, ledger, back, Log())
    second.turn()
    assert (first.exported(), first.backlog_bytes() > 0, back.handled) == ({}, True, [1, 2])


def test_a_collector_that_comes_back_gets_nothing_twice_from_the_same_process(journal: Path, ledger: Ledger) -> None:
    collector = Collector()
    collector.takes = False
    feed = Feed(journal, ledger, collector, Log())
    feed.turn()
    add(journal / SIDECAR / "0000000001.journal", [finished(3)])
    collector.takes = True
    feed.turn()
    assert (collector.handled, feed.backlog_bytes()) == ([1, 2, 3], 0)


def test_a_full_exporter_is_not_fed(journal: Path, ledger: Ledger) -> None:
    collector = Collector()
    collector.full, collector.takes = True, False
    Feed(journal, ledger, collector, Log()).turn()
    assert collector.handled == []


def test_ending_sends_what_is_there(journal: Path, ledger: Ledger) -> None:
    collector = Collector()
    feed = Feed(journal, ledger, collector, Log())
    feed.start()
    feed.end(10)
    assert (collector.handled, collector.closed, feed.backlog_bytes()) == ([1, 2], True, 0)


def test_an_exporter_that_fails_is_tried_again(journal: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    log, collector = Log(), Collector()
    monkeypatch.setattr(collector, "flush", lambda timeout_s: 1 / 0)
    feed = Feed(journal, ledger, collector, log)
    feed.start()
    feed.end(10)
    assert ("telemetry_failed" in log.events, feed.exported()) == (True, {})
