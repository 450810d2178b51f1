"""Exports of every call: rows a second, and the memory of the processes that take part, at their peak.

Method. A generated ledger (`benchmarks/ledgers.py`) is exported by the command line's own code in a process of its own,
once from the file and once through a running bookkeeper's socket; the file goes to disk, with its manifest. Memory is
the kernel's own high-water mark of each process (resident, with what it has mapped of libraries).
`python -m benchmarks exports --calls 1e6` does it with a million calls.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from analytics.exports import Format
from analytics.filing import CALL_ROWS, Asked, file
from analytics.period import Period
from analytics.places import place
from analytics.source import open_source
from benchmarks.ledgers import make
from tests.support.stack import stack

ALWAYS = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def export(home: Path, form: Format, to: Path) -> dict[str, float]:
    """In this process: rows, bytes, seconds, memory in MB."""
    began = time.perf_counter()
    written, _ = file(open_source(home), Asked(CALL_ROWS, ALWAYS, {}, form), place(str(to)))
    took_s = time.perf_counter() - began
    return {"rows": written.rows, "bytes": written.size, "seconds": took_s, "memory_mb": peak_mb("self")}


def peak_mb(pid: int | str) -> float:
    """Of a process; getrusage would tell a child of its parent's."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def apart(home: Path, form: Format) -> dict[str, float]:
    """The same in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "benchmarks.exports", str(home), form.value, f"{folder}/calls.{form}"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def measure(calls: int) -> list[tuple[str, dict[str, float], float]]:
    """What, how it went, and the bookkeeper's memory in MB (0: none took part)."""
    rows = []
    with stack() as running:
        running.home.mkdir(parents=True, exist_ok=True)
        make(running.home / "ledger.duckdb", calls)
        rows += [(f"{form}, from the file", apart(running.home, form), 0.0) for form in Format]
        bookkeeper = running.bookkeeper()
        rows.append(
            (f"{Format.CSV}, from the bookkeeper", apart(running.home, Format.CSV), peak_mb(bookkeeper.popen.pid))
        )
    return rows


def table(sizes: Sequence[int]) -> str:
    """Markdown."""
    head = [
        "| what | rows a second | seconds | MB of file | MB of memory | of the bookkeeper's |",
        "|---|---|---|---|---|---|",
    ]
    parts = []
    for calls in sizes:
        lines = [
            f"| {what} | {each['rows'] / each['seconds']:,.0f} | {each['seconds']:.1f} | {each['bytes'] / 1e6:,.0f} "
            f"| {each['memory_mb']:.0f} | {f'{beside:.0f}' if beside else ''} |"
            for what, each, beside in measure(calls)
        ]
        parts += [f"## Exports of {calls:,} calls", "", *head, *lines, ""]
    return "\n".join(parts)


if __name__ == "__main__":
    print(json.dumps(export(Path(sys.argv[1]), Format(sys.argv[2]), Path(sys.argv[3]))))
