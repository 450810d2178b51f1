"""No process that holds keys or prompts leaves an image of its memory behind."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path

from tests.support.stack import clean_environment

FORBID_AND_ABORT = """
import os, resource, signal
from sidecar import dumps
resource.setrlimit(resource.RLIMIT_CORE, resource.getrlimit(resource.RLIMIT_CORE)[1:] * 2)
dumps.forbid()
print(*resource.getrlimit(resource.RLIMIT_CORE), flush=True)
os.abort()
"""


def test_an_abort_dumps_nothing(tmp_path: Path) -> None:
    """Whatever the limit was before."""
    crashed = subprocess.run(
        [sys.executable, "-c", FORBID_AND_ABORT],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    soft, hard = map(int, crashed.stdout.split())
    assert crashed.returncode == -signal.SIGABRT
    assert soft == (1 if hard else 0)
    assert hard == resource.getrlimit(resource.RLIMIT_CORE)[1], "whoever needs a dump can have one"
    assert list(tmp_path.iterdir()) == []
