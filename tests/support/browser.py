"""The dashboard in a process of its own, and an installed Chromium to look at it with."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dashboards import launch

_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in _NAMES if (path := shutil.which(name))), "")
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip

needs_chromium = pytest.mark.skipif(
    not CHROMIUM, reason="NO CHROMIUM INSTALLED: the dashboard was not looked at. Debian: apt-get install chromium"
)
SCREENSHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"


@contextmanager
def dashboard(home: Path, *, trace_url: str = "") -> Iterator[str]:
    """Its URL. Ends the process it started."""
    port = _free_port()
    log = (home / "dashboard.log").open("wb")
    process = subprocess.Popen(
        launch.command(home, "127.0.0.1", port, trace_url), stdout=log, stderr=subprocess.STDOUT, cwd=home
    )
    try:
        _await_health(f"http://127.0.0.1:{port}/_stcore/health", process, home / "dashboard.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the dashboard ended at once: {log.read_text()}")
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the dashboard never answered: {log.read_text()}")
