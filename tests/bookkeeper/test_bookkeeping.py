"""Whatever goes wrong, the bookkeeper says so and goes on; and its lock is one process's at a time."""

from __future__ import annotations

import fcntl
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.bookkeeper import lock
from sidecar.bookkeeper.bookkeeping import Bookkeeping
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import LedgerBroken, LedgerFault
from sidecar.bookkeeper.retention import Keep
from sidecar.core.clock import Clock
from tests.support.ledger import finished, rows
from tests.support.ledger_journal import Log, segment


class Books:
    """A bookkeeper of a small journal, whose ingest can be made to fail."""

    def __init__(self, home: Path, ledger: Ledger) -> None:
        segment(home / "journal", 1, [finished(seq) for seq in range(10)])
        self.log = Log()
        self.ledger = ledger
        self.ingest = Ingest(home / "journal", ledger, self.log, Clock())
        self.books = Bookkeeping(
            ingest=self.ingest,
            ledger=ledger,
            journal=home / "journal",
            keep=Keep(journal_s=1e9),
            exported=lambda: None,
            log=self.log,
            clock=Clock(),
        )


@pytest.fixture
def books(tmp_path: Path, ledger: Ledger) -> Books:
    return Books(tmp_path, ledger)


def raising(error: Exception) -> Callable[[Any], bool]:
    def turn(self: Any) -> bool:
        raise error

    return turn


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(LedgerFault("disk full"), id="not-written"),
        pytest.param(LedgerBroken("invalidated"), id="given-up-by-duckdb"),
        pytest.param(OSError("no such directory"), id="journal-unreadable"),
        pytest.param(ValueError("our own mistake"), id="our-own-mistake"),
    ],
)
def test_after_a_failure_it_goes_on(books: Books, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Ingest, "turn", raising(error))
        books.books.turn()
        failures = books.books.failures
    books.books.turn()
    assert (failures, books.books.failures) == (1, 0)
    assert books.log.events == ["booking_failed", "booking_works_again"]
    assert rows(books.ledger, "SELECT count(*) FROM ai_call_logs") == [(10,)]


def test_a_ledger_that_cannot_be_opened_again_yet_is_opened_later(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    reopen = books.ledger.reopen
    books.ledger.close()
    with monkeypatch.context() as patch:
        patch.setattr(books.ledger, "reopen", lambda: (_ for _ in ()).throw(LedgerFault("still full")))
        books.books.turn()
    monkeypatch.setattr(books.ledger, "reopen", reopen)
    for _ in range(2):
        books.books.turn()
    assert (books.books.failures, rows(books.ledger, "SELECT count(*) FROM ai_call_logs")) == (0, [(10,)])


def test_it_stops_when_told(books: Books) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=books.books.keep_until, args=(stop, 0.01))
    thread.start()
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


class TestLock:
    def test_a_reader_who_looks_for_an_instant_is_waited_for(self, tmp_path: Path) -> None:
        looking = os.open(tmp_path / "bookkeeper.lock", os.O_RDWR | os.O_CREAT)
        fcntl.flock(looking, fcntl.LOCK_SH)
        threading.Timer(0.1, os.close, [looking]).start()
        with lock.held(tmp_path):
            pass

    def test_it_tells_who_holds_it(self, tmp_path: Path) -> None:
        with lock.held(tmp_path, "rebuilds the ledger"):
            told = json.loads((tmp_path / "bookkeeper.lock").read_text())
            with (
                pytest.raises(lock.AlreadyRunning, match=f"pid {os.getpid()}, which rebuilds the ledger"),
                lock.held(tmp_path),
            ):
                pass
        assert (told["pid"], told["doing"]) == (os.getpid(), "rebuilds the ledger")

    def test_afterwards_it_is_free(self, tmp_path: Path) -> None:
        for _ in range(2):
            with lock.held(tmp_path):
                pass
