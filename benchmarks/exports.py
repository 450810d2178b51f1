"""Exports of every call: rows a second, and the memory of each process that takes part, at its peak.

Method. A ledger of `benchmarks/ledgers.py` (made where there is none, in the folder that TAXIMETER_BENCH_LEDGERS names;
a copy of it is used) is exported in each format, in three ways: by the command line's own code from the file, by the
same through a running bookkeeper's socket, and by a caller of ExportUsage through sidecar and bookkeeper. Whoever
exports is a process of its own, and so are sidecar and bookkeeper, begun anew for each file, with the settings that
they have in production. The file goes to disk. Memory is the kernel's own high-water mark of each process (resident,
with what it has mapped of libraries). `python -m benchmarks exports --calls 1e6` does it with a million calls.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import grpc

from analytics.exports import Format
from analytics.filing import CALL_ROWS, Asked, file
from analytics.period import Period
from analytics.places import place
from analytics.source import open_source
from benchmarks.ledgers import ledger
from taximeter.v1 import usage_pb2 as pb
from taximeter.v1.usage_pb2_grpc import UsageServiceStub
from tests.support.stack import Process, Stack, stack

ALWAYS = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
_FORMATS = {
    Format.CSV: pb.EXPORT_FORMAT_CSV,
    Format.PARQUET: pb.EXPORT_FORMAT_PARQUET,
    Format.JSON_LINES: pb.EXPORT_FORMAT_JSON_LINES,
}


@dataclass(frozen=True, slots=True)
class Export:
    """One file, and what it took: seconds; MiB at the peak of who exports, and by name of who serves."""

    way: str
    form: Format
    rows: int
    size: int
    seconds: float
    memory_mib: float
    serving_mib: dict[str, float]


def filed(home: str, form: Format, to: Path) -> int:
    """As `taximeter export` does it; returns the rows."""
    return file(open_source(Path(home)), Asked(CALL_ROWS, ALWAYS, {}, form), place(str(to)))[0].rows


def called(address: str, form: Format, to: Path) -> int:
    """ExportUsage for an operator, who sees all workspaces."""
    asked = pb.ExportUsageRequest(format=_FORMATS[form], filters={"workspace": "*"})
    asked.period.start.FromDatetime(ALWAYS.start)
    asked.period.end.FromDatetime(ALWAYS.end)
    with grpc.insecure_channel(address) as channel, to.open("wb") as out:
        for part in UsageServiceStub(channel).ExportUsage(asked):
            out.write(part.data)
    return int(part.manifest.rows)


def peak_mib(pid: int | str) -> float:
    """Of a process; getrusage would tell a child of its parent's."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def apart(way: str, form: Format, export: str, source: str, serving: dict[str, Process]) -> Export:
    """`export`, a function of this module by name, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        to = Path(folder) / f"calls.{form}"
        argv = [sys.executable, "-m", "benchmarks.exports", export, source, form.value, str(to)]
        done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
        size = to.stat().st_size
    peaks = {name: peak_mib(process.popen.pid) for name, process in serving.items()}
    return Export(way, form, size=size, serving_mib=peaks, **json.loads(done.stdout))


def measure(running: Stack) -> Iterator[Export]:
    """Each way and format, of the ledger in this stack's home."""
    starts: dict[str, tuple[str, str, Sequence[tuple[str, Callable[[], Process]]]]] = {
        "from the file": ("filed", str(running.home), ()),
        "through the bookkeeper": ("filed", str(running.home), (("bookkeeper", running.bookkeeper),)),
        "ExportUsage": ("called", running.address, (("bookkeeper", running.bookkeeper), ("sidecar", running.sidecar))),
    }
    for way, (export, source, parts) in starts.items():
        for form in Format:
            serving = {name: start() for name, start in parts}
            yield apart(way, form, export, source, serving)
            for process in serving.values():
                process.stop()


def rows(calls: int) -> Iterator[str]:
    folder = Path(os.environ.get("TAXIMETER_BENCH_LEDGERS") or Path(tempfile.gettempdir()) / "taximeter-ledgers")
    with stack() as running:
        running.provider()
        running.home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ledger(folder / str(calls), calls), running.home / "ledger.duckdb")
        for each in measure(running):
            serving = " | ".join(f"{mib:.0f}" if (mib := each.serving_mib.get(name)) else "" for name in _SERVING)
            yield (
                f"| {each.way} | {each.form} | {each.rows / each.seconds:,.0f} | {each.seconds:.0f} "
                f"| {each.size / 1e6:,.0f} | {each.memory_mib:.0f} | {serving} |"
            )


_SERVING = ("bookkeeper", "sidecar")


def table(sizes: Sequence[int]) -> str:
    """Markdown."""
    head = [
        "| way | format | rows/s | seconds | MB of file | exporter, MiB | bookkeeper, MiB | sidecar, MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    parts = [line for calls in sizes for line in (f"## Exports of {calls:,} calls", "", *head, *rows(calls), "")]
    return "\n".join(parts)


def main(export: str, source: str, form: str, to: str) -> None:
    began = time.perf_counter()
    found = {"filed": filed, "called": called}[export](source, Format(form), Path(to))
    print(json.dumps({"rows": found, "seconds": time.perf_counter() - began, "memory_mib": peak_mib("self")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
