"""SQLAlchemy takes as long to import as all else of a command: only what needs it waits for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.stack import ROOT, clean_environment

SLOW = ("sqlalchemy", "psycopg", "cryptography", "jwt")


@pytest.mark.parametrize("module", ["sidecar.cli", "sidecar.app", "sidecar.commands.doctor", "taximeter"])
def test_what_opens_no_store_imports_no_database(module: str) -> None:
    found = f"import {module}, sys; print([each for each in {SLOW} if each in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", found], env=clean_environment(), cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout == b"[]\n"
