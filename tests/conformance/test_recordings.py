"""The recorded exchanges through codec and engine: what came out, and what was sent, as recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from sidecar.providers.transport import HttpxTransport
from tests.conformance.check import check
from tests.conformance.drive import through_codec
from tests.conformance.families import chosen
from tests.conformance.figure import beyond, unexplained
from tests.support.providers_replay import Exchange, load, replaying

FOLDER = os.environ.get("TAXIMETER_RECORDINGS", "")


def groups() -> Iterator[object]:
    """One case for each provider, operation and kind."""
    if not FOLDER:
        reason = "TAXIMETER_RECORDINGS names no folder: recorded exchanges were not replayed"
        yield pytest.param([], marks=pytest.mark.skip(reason=reason), id="no-recordings")
        return
    for (provider, operation, stream), found in groupby(sorted(chosen(Path(FOLDER)).values(), key=_group), key=_group):
        yield pytest.param(list(found), id=f"{provider}-{operation}-{'stream' if stream else 'unary'}")


def _group(exchange: Exchange) -> tuple[str, str, bool]:
    return exchange.provider, exchange.operation, exchange.stream


@pytest.fixture(scope="session")
def size() -> int:
    """Of the whole set."""
    return len(load(Path(FOLDER)))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("exchanges", list(groups()))
async def test_as_recorded(exchanges: list[Exchange], size: int) -> None:
    transport = HttpxTransport()
    driver = through_codec(transport)
    async with replaying({exchange.id: exchange for exchange in exchanges}) as replay:
        verdicts = [await check(exchange, driver, replay) for exchange in exchanges]
    await transport.close()
    assert [line for line in beyond(verdicts) if not line.startswith("usage as recorded")] == []
    assert unexplained(verdicts, size) == []
