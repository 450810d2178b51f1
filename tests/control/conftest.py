"""Every fact of the store is shown in SQLite and in a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.control.store import ControlStore
from sidecar.core.clock import Clock
from tests.support.control import sqlite_url
from tests.support.postgres import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a store that nobody has opened yet."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    running: Postgres = request.getfixturevalue("server")
    return running.database()


@pytest.fixture
def store(url: str) -> Iterator[ControlStore]:
    opened = ControlStore(url, Clock())
    yield opened
    opened.close()
