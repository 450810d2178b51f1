"""A home with a sidecar, a bookkeeper and a loopback provider at work in it, for all commands of a module."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Shell
from tests.support.stack import Stack, clean_environment, stack


@pytest.fixture(scope="module")
def at_work() -> Iterator[Stack]:
    with stack() as built:
        built.provider()
        (built.cwd / "taximeter.toml").write_text(
            '[aliases.dead]\nchain = ["loop/dead"]\n[aliases.rescued]\nchain = ["loop/dead", "loop/plain"]\n'
            "[system]\nmax_retries = 1\n"
        )
        built.sidecar()
        built.bookkeeper()
        yield built


@pytest.fixture(scope="module")
def shell(at_work: Stack) -> Shell:
    return Shell(at_work.env, at_work.cwd)


@pytest.fixture
def nowhere() -> Iterator[Shell]:
    """A home that does not exist yet, and nothing running."""
    with tempfile.TemporaryDirectory(prefix="tx") as folder:
        home = Path(folder) / "home"
        yield Shell(clean_environment(TAXIMETER_HOME=str(home), TAXIMETER_LISTEN="127.0.0.1:1"), Path(folder))
