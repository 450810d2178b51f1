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
from tests.support.providers_replay import Exchange, replaying

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


@pytest.mark.parametrize("exchanges", list(groups()))
async def test_as_recorded(exchanges: list[Exchange]) -> None:
    transport = HttpxTransport()
    driver = through_codec(transport)
    async with replaying({exchange.id: exchange for exchange in exchanges}) as replay:
        verdicts = [await check(exchange, driver, replay) for exchange in exchanges]
    await transport.close()
    wrong = {verdict.exchange.id: verdict.unexplained for verdict in verdicts if verdict.unexplained}
    assert wrong == {}
