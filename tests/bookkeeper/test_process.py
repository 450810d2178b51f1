"""The real process: one a home, killed at any moment, out of disk, told to stop."""

from __future__ import annotations

import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from analytics.source import open_source
from sidecar.bookkeeper import ledger_schema
from sidecar.bookkeeper.ledger import Ledger
from sidecar.journal import Position, Tail, sidecars
from taximeter.journal.v1 import journal_pb2
from tests.support.ledger import finished, rows
from tests.support.ledger_journal import segment
from tests.support.stack import Process, Stack, until

KILLS = 8
Row = tuple[str, int, str, int]


@pytest.fixture
def stack() -> Iterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="tx"))
    stack = Stack(folder)
    stack.home.mkdir(mode=0o700)
    yield stack
    stack.end()
    shutil.rmtree(folder)


def journaled(home: Path) -> list[Row]:
    """Every finished call that the journal has, straight from it."""
    found = []
    for sidecar_id in sidecars(home / "journal"):
        tail = Tail(home / "journal" / sidecar_id, Position(0, 0))
        while entries := tail.read():
            found += [_row(entry.frame.finished) for entry in entries if entry.frame.HasField("finished")]
    return sorted(found)


def _row(call: journal_pb2.CallRecord) -> Row:
    return call.sidecar_id, call.seq, call.call_id, call.cost.amount_picodollars


def booked(home: Path) -> list[Row]:
    """The same, from the ledger of a home whose bookkeeper has stopped."""
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        sql = "SELECT sidecar_id, seq, call_id, (cost_usd * 1000000000000)::BIGINT FROM ai_call_logs ORDER BY ALL"
        return [(str(a), int(str(b)), str(c), int(str(d or 0))) for a, b, c, d in rows(ledger, sql)]


def load(stack: Stack, calls_a_second: int, seconds: float) -> Process:
    return stack.run("load", "tests.support.journal_load", str(stack.home), str(calls_a_second), str(seconds))


def caught_up(stack: Stack) -> None:
    source = open_source(stack.home)
    until(lambda: source.status().backlog_bytes == 0, "everything is booked")


def test_killed_again_and_again_under_load_the_ledger_equals_the_journal(stack: Stack) -> None:
    chance = random.Random(7)
    writing = load(stack, 400, 8)
    for _ in range(KILLS):
        process = stack.bookkeeper()
        time.sleep(chance.uniform(0.0, 0.4))
        process.kill()
    assert writing.popen.wait(30) == 0
    process = stack.bookkeeper()
    caught_up(stack)
    assert process.stop() == 0
    books = journaled(stack.home)
    assert len(books) > 1000
    assert booked(stack.home) == books


def test_a_second_one_is_refused_with_the_first_ones_pid(stack: Stack) -> None:
    first = stack.bookkeeper()
    second = subprocess.run(
        [sys.executable, "-m", "sidecar", "bookkeeper"],
        env=stack.env,
        cwd=stack.cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (second.returncode, f"pid {first.popen.pid}" in second.stderr) == (2, True)


def test_told_to_stop_it_books_what_is_in_the_journal_and_leaves_one_whole_file(stack: Stack) -> None:
    process = stack.bookkeeper()
    segment(stack.home / "journal", 1, [finished(seq) for seq in range(3000)])
    assert process.stop() == 0
    left = sorted(path.name for path in stack.home.iterdir() if path.name not in {"journal", "logs"})
    assert (left, len(booked(stack.home))) == (["bookkeeper.lock", "ledger.duckdb"], 3000)


def test_files_are_for_their_owner_only(stack: Stack) -> None:
    stack.bookkeeper()
    modes = {path.name: path.stat().st_mode & 0o077 for path in stack.home.iterdir()}
    assert not any(modes.values()), modes


def test_out_of_disk_it_says_so_goes_on_trying_and_loses_nothing(stack: Stack) -> None:
    process = stack.bookkeeper()
    size = max(path.stat().st_size for path in stack.home.glob("ledger.duckdb*"))
    pid, endless = process.popen.pid, resource.RLIM_INFINITY
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, endless))
    segment(stack.home / "journal", 1, [finished(seq) for seq in range(2000)])
    until(lambda: "booking_failed" in process.said(), "the log tells of it")
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (endless, endless))
    caught_up(stack)
    until(lambda: "booking_works_again" in process.said(), "the log tells of its end")
    assert process.stop() == 0
    assert len(booked(stack.home)) == 2000


def test_a_ledger_from_a_newer_version_is_refused_with_what_to_do(stack: Stack) -> None:
    newer = ledger_schema.Migration(99, "later", "SELECT 1")
    with closing(duckdb.connect(stack.home / "ledger.duckdb")) as connection:
        ledger_schema.migrate(connection, lambda have: None, (*ledger_schema.migrations(), newer))
    process = stack.run("bookkeeper", "sidecar", "bookkeeper")
    assert process.popen.wait(30) == 2
    assert "schema version 99" in process.said()
    assert "Install the newer Taximeter" in process.said()
