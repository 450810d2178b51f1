"""A ledger of its own for a test, and journals written by the real writer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.bookkeeper.ledger import Ledger
from tests.support.blank import blank


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(blank(tmp_path / "ledger.duckdb"))
    yield ledger
    ledger.close()
