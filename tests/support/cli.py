"""The command line as a person or a script uses it: real processes, with or without a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TAXIMETER = [sys.executable, "-m", "sidecar"]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output as one JSON document."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """Standard output as one JSON document a line."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Shell:
    """An environment and a folder to type commands in."""

    env: Mapping[str, str]
    cwd: Path

    def run(self, *argv: str, stdin: str = "", **env: str) -> Done:
        """`taximeter ARGV`, without a terminal."""
        done = subprocess.run(
            [*TAXIMETER, *argv],
            env={**self.env, **env},
            cwd=self.cwd,
            input=stdin.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        print(f"taximeter {shlex.join(argv)} -> {done.returncode}\n{done.stderr.decode()}")  # beside a failure
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def on_terminal(self, columns: int, *argv: str) -> list[str]:
        """The lines that `taximeter ARGV` shows on a terminal of that width, without colours."""
        ours, theirs = pty.openpty()
        try:
            fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            env = {**self.env, "TERM": "xterm", "NO_COLOR": "1"}
            env.pop("COLUMNS", None)
            process = subprocess.Popen(
                [*TAXIMETER, *argv], env=env, cwd=self.cwd, stdin=theirs, stdout=theirs, stderr=theirs
            )
            os.close(theirs)
            shown = _drained(ours)
            process.wait(60)
        finally:
            os.close(ours)
        return _without_styles(shown.decode()).splitlines()

    def typing(self, prompt: str, answer: str, *argv: str) -> tuple[int, str]:
        """`taximeter ARGV` on a terminal; `answer` is typed once it has asked `prompt`. Exit code, and all it shows."""
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                [*TAXIMETER, *argv],
                env={**self.env, "TERM": "dumb"},
                cwd=self.cwd,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
            os.close(theirs)
            shown = _until(ours, prompt.encode())
            os.write(ours, answer.encode())
            shown += _drained(ours)
            return process.wait(60), shown.decode()
        finally:
            os.close(ours)


def _until(terminal: int, wanted: bytes) -> bytes:
    shown = b""
    while wanted not in shown:
        readable, _, _ = select.select([terminal], [], [], 30)
        assert readable, f"{wanted!r} was not asked: {shown!r}"
        shown += os.read(terminal, 65536)
    return shown


def _drained(terminal: int) -> bytes:
    shown = b""
    # Linux ends a terminal that nobody holds any more with EIO.
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65536):
            shown += piece
    return shown


def _without_styles(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
