"""The recorded exchanges through codec and engine: what came out, and what was sent, as recorded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from sidecar.providers.transport import HttpxTransport
from tests.conformance.cases import on_the_openai_wire
from tests.conformance.check import check, explained
from tests.conformance.drive import through_codec
from tests.support.providers_replay import Exchange, load, replaying

FOLDER = os.environ.get("TAXIMETER_RECORDINGS", "")


def groups() -> Iterator[object]:
    """One case for each provider, operation and kind."""
    if not FOLDER:
        reason = "TAXIMETER_RECORDINGS names no folder: recorded exchanges were not replayed"
        yield pytest.param([], marks=pytest.mark.skip(reason=reason), id="no-recordings")
        return
    chosen = [exchange for exchange in load(Path(FOLDER)) if on_the_openai_wire(exchange)]
    for (provider, operation, stream), found in groupby(sorted(chosen, key=_group), key=_group):
        yield pytest.param(list(found), id=f"{provider}-{operation}-{'stream' if stream else 'unary'}")


def _group(exchange: Exchange) -> tuple[str, str, bool]:
    return exchange.provider, exchange.operation, exchange.stream


@pytest.mark.parametrize("exchanges", list(groups()))
async def test_as_recorded(exchanges: list[Exchange]) -> None:
    transport = HttpxTransport()
    driver = through_codec(transport)
    async with replaying({exchange.id: exchange for exchange in exchanges}) as replay:
        verdicts = [await check(exchange, driver, replay) for exchange in exchanges]
    await transport.close()
    wrong = {
        verdict.exchange.id: unexplained
        for verdict in verdicts
        if (unexplained := [miss for miss in verdict.misses if not explained(miss)])
    }
    assert wrong == {}
