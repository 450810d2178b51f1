"""Summing up a day while calls are booked: how long it takes, and what bookings wait for.

Method. A copy of a ledger of `benchmarks/ledgers.py` (made where there is none, in the folder that
TAXIMETER_BENCH_LEDGERS names) loses the sums of its last `DAYS` days. In one process, as the bookkeeper's two threads
do, one books `RATE` calls a second in batches, `ALONE_S` seconds alone; then the other sums the days up again, resting
after each as long as it took. "Written" is how long the writers' lock is held for a day's rows, the commit included;
it is the longer one where DuckDB folds its log into the file at that commit. CPU is the whole process's.
`python -m benchmarks rolling --calls 1e7` does it with days of 333,000 calls.
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.ledgers import ledger
from sidecar.bookkeeper import ledger_days
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.rolling import roll
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from tests.support.journal_load import finished

RATE, EVERY_S = 500, 0.2
DAYS = 6
ALONE_S = 20.0
_SIDECAR = "01BENCH"


@dataclass
class Took:
    """Seconds."""

    days: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    written: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    """Batches that were booked before."""
    meanwhile: list[float] = field(default_factory=list)


class Timed(Ledger):
    """Says how long a reader wrote."""

    written: list[float]

    @contextmanager
    def writing(self, reader: duckdb.DuckDBPyConnection) -> Iterator[None]:
        with self._writing:  # not the wait for it
            began_s = time.perf_counter()
            with super().writing(reader):
                yield
            self.written.append(time.perf_counter() - began_s)


def book(books: Ledger, took: list[float], stop: threading.Event, since: int) -> int:
    """Until told to stop, from where the journal has come to; returns to where it is then."""
    chance, size = random.Random(since), int(RATE * EVERY_S)
    while not stop.is_set():
        calls = (finished(_SIDECAR, since + n, chance) for n in range(size))
        frames = [journal_pb2.Frame(finished=to_proto(call)) for call in calls]
        batch = fold(_SIDECAR, (0, since), (0, since + size), frames)
        began_s = time.perf_counter()
        books.book(batch)
        took.append(time.perf_counter() - began_s)
        since += size
        stop.wait(max(0.0, EVERY_S - took[-1]))
    return since


@contextmanager
def booking(books: Ledger, took: list[float]) -> Iterator[None]:
    stop, since = threading.Event(), books.standings()
    at = since[_SIDECAR].at[1] if _SIDECAR in since else 0
    thread = threading.Thread(target=book, args=(books, took, stop, at))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def measure(path: Path) -> Took:
    """`path`: of a ledger that may be changed."""
    took = Took()
    with closing(Timed(path)) as books:
        books.written = took.written
        today = _forget(books)
        books.checkpoint()
        with booking(books, took.alone):
            time.sleep(ALONE_S)
        with booking(books, took.meanwhile):
            for _ in range(DAYS):
                took_s, cpu_s = time.perf_counter(), time.process_time()
                books.watch()
                if not roll(books, today):
                    raise AssertionError("calls of today only are booked meanwhile")
                took.days.append(time.perf_counter() - took_s)
                took.cpu.append(time.process_time() - cpu_s)
                time.sleep(took.days[-1])
    return took


def _forget(books: Ledger) -> date:
    """The day behind the last one that was summed up."""
    with books.transaction() as writer:
        last = writer.execute("SELECT max(day) FROM call_days").fetchall()[0][0]
        ledger_days.move_back(writer, last - timedelta(days=DAYS - 1))
        return date.fromordinal(last.toordinal() + 1)


def table(calls: Sequence[int] = (10_000_000,)) -> str:
    """Markdown."""
    folder = Path(os.environ.get("TAXIMETER_BENCH_LEDGERS") or Path(tempfile.gettempdir()) / "taximeter-ledgers")
    shown = []
    for size in calls:
        with tempfile.TemporaryDirectory(dir=folder) as copied:
            took = measure(Path(shutil.copy(ledger(folder / str(size), size), copied)))
        shown += [
            f"| {size / 1e6:g} M calls | median | worst |",
            "|---|---|---|",
            _row("a day, summed up", took.days),
            _row("CPU of that", took.cpu),
            _row("written, with the writers' lock held", took.written),
            _row(f"{int(RATE * EVERY_S)} calls booked, alone", took.alone),
            _row(f"{int(RATE * EVERY_S)} calls booked, meanwhile", took.meanwhile),
            "",
        ]
    return "\n".join(["## Summing up a day", "", *shown])


def _row(what: str, seconds: Sequence[float]) -> str:
    return f"| {what} | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s |"
