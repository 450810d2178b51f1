"""Reads while the journal receives 500 calls a second: how soon a call is seen, and whether any read fails.

Method. The real journal writer in a process of its own writes `RATE` calls a second for `SECONDS`; a real
bookkeeper tails it. A watcher asks every 50 ms which calls are new: the time from a call's end to its first
sighting, the asking included. Meanwhile one reader runs the dashboard's overview without a pause, and another the
command line's `usage`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from analytics.source import Source, SourceError, open_source
from analytics.usage import usage_question
from tests.support.stack import Stack, stack

RATE = 500
SECONDS = 20.0
WATCH_EVERY_S = 0.05


@dataclass
class Seen:
    """What watcher and readers came to."""

    lag_s: list[float] = field(default_factory=list)
    reads: int = 0
    failed: list[str] = field(default_factory=list)
    overview_s: list[float] = field(default_factory=list)
    command_s: list[float] = field(default_factory=list)


def watch(source: Source, seen: Seen, stop: threading.Event) -> None:
    """First sightings, by the time of a call's end."""
    known: set[tuple[str, int]] = set()
    since = time.time_ns()
    while not stop.is_set():
        began = time.monotonic()
        sql = "SELECT sidecar_id, seq, epoch_ns(ended_at) AS ended_ns FROM ai_call_logs WHERE ended_at >= ?::TIMESTAMP"
        start = datetime.fromtimestamp(since / 1e9 - 3, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        for row in source.table(sql, (start,)).to_pylist():
            key = row["sidecar_id"], row["seq"]
            if key not in known:
                known.add(key)
                seen.lag_s.append((time.time_ns() - row["ended_ns"]) / 1e9)
                since = max(since, row["ended_ns"])
        seen.reads += 1
        time.sleep(max(0.0, WATCH_EVERY_S - (time.monotonic() - began)))


def overview(source: Source, seen: Seen, stop: threading.Event) -> None:
    """What the dashboard's first page asks."""
    while not stop.is_set():
        began = time.monotonic()
        now = datetime.now(UTC)
        for by in ((), ("hour",), ("provider",), ("alias",)):
            question = usage_question(now - timedelta(days=7), now, by)
            source.table(question.sql, question.params)
            seen.reads += 1
        seen.overview_s.append(time.monotonic() - began)
        stop.wait(0.5)


def command(running: Stack, seen: Seen, stop: threading.Event) -> None:
    """`taximeter usage`, as a person would."""
    while not stop.is_set():
        began = time.monotonic()
        argv = [sys.executable, "-m", "sidecar", "usage", "--json"]
        done = subprocess.run(argv, env=running.env, cwd=running.cwd, capture_output=True, text=True, check=False)
        seen.reads += 1
        seen.command_s.append(time.monotonic() - began)
        if done.returncode:
            seen.failed.append(done.stderr)
        stop.wait(1)


def measure(seconds: float = SECONDS) -> tuple[int, Seen]:
    """(calls written, what was seen of them)"""
    seen, stop = Seen(), threading.Event()
    with stack() as running:
        running.bookkeeper()
        source = open_source(running.home)

        def guarded(work: Callable[[], None]) -> Callable[[], None]:
            def run() -> None:
                try:
                    work()
                except SourceError as failed:
                    seen.failed.append(str(failed))

            return run

        jobs = (
            lambda: watch(source, seen, stop),
            lambda: overview(source, seen, stop),
            lambda: command(running, seen, stop),
        )
        threads = [threading.Thread(target=guarded(job)) for job in jobs]
        for thread in threads:
            thread.start()
        argv = [sys.executable, "-m", "tests.support.journal_load", str(running.home), str(RATE), str(seconds)]
        written = int(subprocess.run(argv, env=running.env, capture_output=True, text=True, check=True).stdout)
        time.sleep(2)
        stop.set()
        for thread in threads:
            thread.join()
    return written, seen


def table() -> str:
    """Markdown."""
    written, seen = measure()
    lag = statistics.quantiles(seen.lag_s, n=100)
    rows = [
        ("calls written", f"{written:,} at {RATE}/s"),
        ("calls seen", f"{len(seen.lag_s):,}"),
        ("seen after, p50 / p99 / worst", f"{lag[49]:.2f} / {lag[98]:.2f} / {max(seen.lag_s):.2f} s"),
        ("reads, of which failed", f"{seen.reads:,}, {len(seen.failed)}"),
        ("the overview's questions, median", f"{1000 * statistics.median(seen.overview_s):.0f} ms"),
        ("`taximeter usage`, median", f"{statistics.median(seen.command_s):.2f} s"),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(["## Reads under load", "", "| what | figure |", "|---|---|", *lines, ""])
