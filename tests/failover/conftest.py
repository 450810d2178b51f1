"""The whole table is played once for all tests that read it."""

from __future__ import annotations

import asyncio

import pytest

from tests.failover.play import Seen, play


@pytest.fixture(scope="session")
def played() -> dict[str, Seen]:
    """Case name -> what was seen of it."""
    return asyncio.run(play())
