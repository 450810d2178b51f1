"""How soon things are there, and what they hold when idle."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from benchmarks.processes import memory_mib
from tests.support.stack import ROOT, clean_environment, stack

ROUNDS = 7


def help_s() -> float:
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "sidecar", "--help"], check=True, capture_output=True, env=clean_environment(), cwd=ROOT
    )
    return time.perf_counter() - began


def ready_s() -> tuple[float, float]:
    """Seconds until the sidecar's health says SERVING, and its memory 2 s later."""
    with stack() as running:
        running.provider()
        began = time.perf_counter()
        process = running.sidecar()
        took = time.perf_counter() - began
        time.sleep(2)
        return took, memory_mib(process.popen.pid)


def table() -> str:
    """Markdown."""
    helps = [help_s() for _ in range(ROUNDS)]
    starts = [ready_s() for _ in range(3)]
    ready, memory = [took for took, _ in starts], [mib for _, mib in starts]
    rows = [
        ("`taximeter --help`", f"{statistics.median(helps):.2f} s", f"{max(helps):.2f} s"),
        ("sidecar ready", f"{statistics.median(ready):.2f} s", f"{max(ready):.2f} s"),
        ("sidecar memory, idle", f"{statistics.median(memory):.0f} MiB", f"{max(memory):.0f} MiB"),
    ]
    lines = [f"| {name} | {middle} | {worst} |" for name, middle, worst in rows]
    return "\n".join(["## Start", "", "| what | median | worst |", "|---|---|---|", *lines, ""])
