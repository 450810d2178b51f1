"""The recorded exchanges through a running sidecar: what a caller gets, and what the ledger says of it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.conformance.check import check
from tests.conformance.families import chosen
from tests.conformance.sidecar import running
from tests.support.providers_replay import replaying

FOLDER = os.environ.get("TAXIMETER_RECORDINGS", "")


@pytest.mark.skipif(not FOLDER, reason="TAXIMETER_RECORDINGS names no folder: recorded exchanges were not replayed")
async def test_every_caller_gets_what_was_recorded_and_the_ledger_has_one_row_saying_the_same() -> None:
    exchanges = chosen(Path(FOLDER))
    async with replaying(exchanges) as replay, running(exchanges, replay) as sidecar:
        verdicts = [await check(exchange, sidecar.drive, replay) for exchange in exchanges.values()]
        misbooked = await asyncio.to_thread(sidecar.misbooked)
    wrong = {verdict.exchange.id: verdict.unexplained for verdict in verdicts if verdict.unexplained}
    assert wrong == {}
    assert misbooked == {}
    assert sidecar.told.keys() == exchanges.keys()
