"""The recorded exchanges through a running sidecar: what a caller gets, and what the ledger says of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.conformance.families import chosen
from tests.conformance.figure import beyond, unexplained
from tests.conformance.sidecar import through_sidecars
from tests.support.providers_replay import load

FOLDER = os.environ.get("TAXIMETER_RECORDINGS", "")


@pytest.mark.timeout(1800)
@pytest.mark.skipif(not FOLDER, reason="TAXIMETER_RECORDINGS names no folder: recorded exchanges were not replayed")
async def test_every_caller_gets_what_was_recorded_and_the_ledger_has_one_row_saying_the_same() -> None:
    exchanges = chosen(Path(FOLDER))
    found = await through_sidecars(exchanges)
    assert beyond(found.verdicts) == []
    assert unexplained(found.verdicts, len(load(Path(FOLDER)))) == []
    assert found.misbooked == {}
    assert found.told == exchanges.keys()
