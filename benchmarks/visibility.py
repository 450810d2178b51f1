"""Reads while the journal receives 500 calls a second: how soon a call is seen, and whether any read fails.

Method. The real journal writer in a process of its own writes `RATE` calls a second for `SECONDS`; a real
bookkeeper tails it. A watcher asks every 50 ms which calls are new: the time from a call's end to its first
sighting, the asking included. Meanwhile one reader asks the overview's questions without a pause to speak of, another
runs the command line's `usage`, and a headless Chromium has the Overview page of a real dashboard open, live: every
alert, exception or toast that ever appears in it is a failed read.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from analytics.source import Source, SourceError, open_source
from analytics.usage import usage_question
from tests.support.browser import CHROMIUM, dashboard, watched
from tests.support.stack import Stack, stack, until

RATE = 500
SECONDS = 20.0
WATCH_EVERY_S = 0.05
_NEW = "SELECT sidecar_id, seq, epoch_ns(ended_at) AS ended_ns FROM ai_call_logs WHERE ended_at >= ?::TIMESTAMP"
_BOOKED = "SELECT count(*) AS rows, count(DISTINCT (sidecar_id, seq)) AS calls FROM ai_call_logs"


@dataclass
class Seen:
    """What the readers came to."""

    written: int = 0
    rows: int = 0
    """In the ledger at last."""
    calls: int = 0
    """Distinct ones among them."""
    lag_s: list[float] = field(default_factory=list)
    """A call's end to its first sighting; one a call that the watcher saw."""
    reads: int = 0
    failed: list[str] = field(default_factory=list)
    overview_s: list[float] = field(default_factory=list)
    command_s: list[float] = field(default_factory=list)
    shown: list[int] = field(default_factory=list)
    """The calls that the page counted, each figure once, as they came."""

    @contextmanager
    def reading(self) -> Iterator[None]:
        self.reads += 1
        try:
            yield
        except SourceError as error:
            self.failed.append(str(error))

    @property
    def percentiles_s(self) -> list[float]:
        """Of the lag: p1 to p99."""
        return statistics.quantiles(self.lag_s, n=100)


def watch(source: Source, seen: Seen, stop: threading.Event) -> None:
    """First sightings, by the time of a call's end."""
    known: set[tuple[str, int]] = set()
    since = time.time_ns()
    while not stop.is_set():
        began = time.monotonic()
        start = datetime.fromtimestamp(since / 1e9 - 3, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        with seen.reading():
            for row in source.table(_NEW, (start,)).to_pylist():
                key = row["sidecar_id"], row["seq"]
                if key not in known:
                    known.add(key)
                    seen.lag_s.append((time.time_ns() - row["ended_ns"]) / 1e9)
                    since = max(since, row["ended_ns"])
        stop.wait(max(0.0, WATCH_EVERY_S - (time.monotonic() - began)))


def overview(source: Source, seen: Seen, stop: threading.Event) -> None:
    """What the dashboard's first page asks."""
    while not stop.wait(0.5):
        began = time.monotonic()
        now = datetime.now(UTC)
        for by in ((), ("hour",), ("provider",), ("alias",)):
            question = usage_question(now - timedelta(days=7), now, by)
            with seen.reading():
                source.table(question.sql, question.params)
        seen.overview_s.append(time.monotonic() - began)


def command(running: Stack, seen: Seen, stop: threading.Event) -> None:
    """`taximeter usage`, as a person would."""
    while not stop.wait(1):
        began = time.monotonic()
        argv = [sys.executable, "-m", "sidecar", "usage", "--json"]
        done = subprocess.run(argv, env=running.env, cwd=running.cwd, capture_output=True, text=True, check=False)
        seen.reads += 1
        seen.command_s.append(time.monotonic() - began)
        if done.returncode:
            seen.failed.append(done.stderr)


def page(url: str, seen: Seen, ready: threading.Event, stop: threading.Event) -> None:
    """The overview in a browser, which refreshes by itself."""
    with watched(f"{url}/overview") as looked:
        looked.count()
        ready.set()
        while not stop.is_set():
            count = looked.count()
            if count not in seen.shown[-1:]:
                seen.shown.append(count)
                seen.reads += 1
            looked.wait(200)
        seen.failed += looked.alerts()


def write(running: Stack, rate: int, seconds: float) -> int:
    """The real writer in its own process, to its end; returns how many calls it wrote."""
    argv = [sys.executable, "-m", "tests.support.journal_load", str(running.home), str(rate), str(seconds)]
    return int(subprocess.run(argv, env=running.env, capture_output=True, text=True, check=True).stdout)


def measure(seconds: float = SECONDS, *, browser: bool = bool(CHROMIUM)) -> Seen:
    """Everything at once, `browser` too if wanted."""
    seen, stop, ready = Seen(), threading.Event(), threading.Event()
    with stack() as running, ThreadPoolExecutor() as pool:
        running.bookkeeper()
        source = open_source(running.home)
        jobs: list[Callable[[], None]] = [
            lambda: watch(source, seen, stop),
            lambda: overview(source, seen, stop),
            lambda: command(running, seen, stop),
        ]
        seen.written = write(running, RATE, 0.1)  # a page without a call is another page
        until(lambda: _booked(source)["calls"] == seen.written, "the first calls are booked")
        with _dashboard(running, browser) as url:
            opened = [pool.submit(page, url, seen, ready, stop)] if browser else []
            try:
                until(lambda: not browser or ready.is_set() or opened[0].done(), "the page stands", 60)
                opened += [pool.submit(job) for job in jobs]
                seen.written += write(running, RATE, seconds)
                until(lambda: _booked(source)["calls"] == seen.written, "every call is booked")
                until(lambda: not browser or seen.shown[-1:] == [seen.written], "the page counts them all", 60)
            finally:
                stop.set()
            for done in opened:
                done.result()
        booked = _booked(source)
        seen.rows, seen.calls = booked["rows"], booked["calls"]
    return seen


@contextmanager
def _dashboard(running: Stack, wanted: bool) -> Iterator[str]:
    if not wanted:
        yield ""
        return
    with dashboard(running.home) as url:
        yield url


def _booked(source: Source) -> dict[str, int]:
    booked: dict[str, int] = source.table(_BOOKED).to_pylist()[0]
    return booked


def figures(seen: Seen) -> list[tuple[str, str]]:
    """What is worth telling of it."""
    lag = seen.percentiles_s
    return [
        ("calls written", f"{seen.written:,} at {RATE}/s"),
        ("rows in the ledger, of distinct calls", f"{seen.rows:,}, {seen.calls:,}"),
        ("calls that the watcher saw come", f"{len(seen.lag_s):,}"),
        ("seen after, p50 / p99 / worst", f"{lag[49]:.2f} / {lag[98]:.2f} / {max(seen.lag_s):.2f} s"),
        ("reads, of which failed", f"{seen.reads:,}, {len(seen.failed)}"),
        ("the overview's questions, median", f"{1000 * statistics.median(seen.overview_s):.0f} ms"),
        ("`taximeter usage`, median", f"{statistics.median(seen.command_s):.2f} s"),
        ("the page in Chromium counted", f"{' → '.join(map(str, seen.shown)) or 'not looked at: no Chromium'}"),
    ]


def table() -> str:
    """Markdown."""
    lines = [f"| {name} | {value} |" for name, value in figures(measure())]
    return "\n".join(["## Reads under load", "", "| what | figure |", "|---|---|", *lines, ""])
