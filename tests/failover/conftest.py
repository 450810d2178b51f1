"""The whole table is played once for all tests that read it."""

from __future__ import annotations

import asyncio

import pytest

from tests.failover.play import Played, play


@pytest.fixture(scope="session")
def played() -> Played:
    return asyncio.run(play())
