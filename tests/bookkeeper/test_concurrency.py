"""Readers and the writer do not wait for each other, and a reader sees whole transactions only."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits, Stop, select
from tests.support.ledger import SIDECAR, finished, rows

BATCHES, CALLS = 40, 25
WHOLE = """SELECT (SELECT count(*) FROM ai_call_logs) AS calls, (SELECT count(*) FROM attempts) AS attempts,
(SELECT coalesce(max(byte_offset), 0) FROM ledger_positions) AS place"""
SLOW = "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range + b.range = 7"


def write(ledger: Ledger) -> None:
    for number in range(BATCHES):
        first = number * CALLS
        frames = [finished(seq, attempts=2) for seq in range(first, first + CALLS)]
        ledger.book(fold(SIDECAR, (0, first), (0, first + CALLS), frames))


def test_many_readers_see_a_growing_ledger_without_holes(ledger: Ledger) -> None:
    seen: list[list[dict[str, int]]] = []
    done = threading.Event()

    def read() -> None:
        own: list[dict[str, int]] = []
        while not done.is_set() or not own:
            own += [row for batch in select(ledger, WHOLE, (), QueryLimits(), Stop()) for row in batch.to_pylist()]
        seen.append(own)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    write(ledger)
    done.set()
    for reader in readers:
        reader.join()
    assert len(seen) == 4
    for own in seen:
        assert all(row["attempts"] == 2 * row["calls"] and row["place"] == row["calls"] for row in own)
        assert [row["calls"] for row in own] == sorted(row["calls"] for row in own)


def test_a_query_that_never_ends_does_not_hold_up_booking(ledger: Ledger) -> None:
    stop = Stop()
    slow = threading.Thread(target=lambda: _swallow(ledger, stop))
    slow.start()
    while not ledger.readers:
        time.sleep(0.005)
    write(ledger)
    still_reading = ledger.readers
    stop.cancel()
    slow.join()
    assert (still_reading, rows(ledger, "SELECT count(*) FROM ai_call_logs")) == (1, [(BATCHES * CALLS,)])


def test_a_copy_and_a_checkpoint_pass_while_a_reader_is_in_the_middle_of_its_rows(
    ledger: Ledger, tmp_path: Path
) -> None:
    write(ledger)
    answer = select(ledger, "SELECT a.seq FROM calls AS a, calls AS b", (), QueryLimits(), Stop())
    got = next(answer).num_rows + next(answer).num_rows
    ledger.copy_to(tmp_path / "copy.duckdb")
    assert got + sum(batch.num_rows for batch in answer) == (BATCHES * CALLS) ** 2


def test_reopening_ends_reads_and_goes_on(ledger: Ledger) -> None:
    stop = Stop()
    slow = threading.Thread(target=lambda: _swallow(ledger, stop))
    slow.start()
    while not ledger.readers:
        time.sleep(0.005)
    ledger.reopen()
    slow.join()
    write(ledger)
    assert rows(ledger, "SELECT count(*) FROM ai_call_logs") == [(BATCHES * CALLS,)]


def _swallow(ledger: Ledger, stop: Stop) -> None:
    try:
        list(select(ledger, SLOW, (), QueryLimits(), stop))
    except Exception:  # noqa: BLE001 - however it ends, it ends
        return
