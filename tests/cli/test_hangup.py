"""SIGHUP: a terminal that was closed ends a process, as it always did; anybody else wants a reload."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

CODE = """
import signal, sys, time
from sidecar.hangup import Hangup
hangup = Hangup()
def told(*_):
    open(sys.argv[1], "w").write("stop" if hangup.means_stop() else "reload")
signal.signal(signal.SIGHUP, told)
open(sys.argv[1], "w").write("ready")
while True:
    time.sleep(0.02)
"""


def until_said(file: Path, *words: str) -> str:
    end = time.monotonic() + 10
    while not (file.exists() and file.read_text() in words):
        assert time.monotonic() < end, f"never said one of {words}"
        time.sleep(0.01)
    return file.read_text()


def test_without_a_terminal_it_is_a_reload(tmp_path: Path) -> None:
    said = tmp_path / "said"
    child = subprocess.Popen([sys.executable, "-c", CODE, str(said)], start_new_session=True)
    try:
        until_said(said, "ready")
        child.send_signal(signal.SIGHUP)
        assert until_said(said, "stop", "reload") == "reload"
    finally:
        child.kill()
        child.wait()


def test_at_a_terminal_it_is_a_reload_until_the_terminal_is_closed(tmp_path: Path) -> None:
    said = tmp_path / "said"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", CODE, str(said)])
    try:
        until_said(said, "ready")
        os.kill(pid, signal.SIGHUP)
        assert until_said(said, "stop", "reload") == "reload"
        os.close(terminal)
        assert until_said(said, "stop") == "stop"
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
