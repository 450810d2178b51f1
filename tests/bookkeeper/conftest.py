"""A ledger of its own for a test, and journals written by the real writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.bookkeeper.ledger import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.duckdb")
    yield ledger
    ledger.close()
