"""Kill -9 of a bookkeeper that sums days up, lets age take calls, or closes a month: every call stands once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.retention import Keep, expire_calls
from tests.support.bookkeeper_victim import __name__ as victim
from tests.support.days import roll_all
from tests.support.ledger import rows
from tests.support.stack import Process, Stack, stack
from tests.support.wholeness import Told, close_period

JANUARY, FEBRUARY = (28, 29, 30), (31, 32)
"""Days: the last of one month and the first of the next."""
TODAY = date(2026, 3, 1)
KILLED = -9


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Stack]:
    """Age takes calls of all days before today."""
    with stack(TAXIMETER_LEDGER_KEEP="1d") as made:
        made.home.mkdir(mode=0o700)
        yield made


@pytest.fixture
def told(running: Stack, tmp_path: Path) -> Iterator[Told]:
    """Five days of calls, booked."""
    told = Told(running.home, tmp_path)
    told.tell((*JANUARY, *FEBRUARY), 10)
    told.book()
    yield told
    told.close()


def doomed(running: Stack, *before: str) -> Process:
    return running.run("bookkeeper", victim, *before)


def test_killed_while_it_sums_up_closes_and_deletes_it_counts_every_call_once(running: Stack, told: Told) -> None:
    assert doomed(running, "rolling.roll", "13").popen.wait(30) == KILLED, "sums of a day half written"
    assert told.wrong() == []

    billing = doomed(running, "ledger_periods.close", "7")
    running.wait_answering(billing)
    assert not close_period(running, "2026-01")
    assert billing.popen.wait(30) == KILLED, "charges frozen, and the month not closed yet"
    assert told.wrong() == []

    deleting = doomed(running, "ledger.expire_calls", "11")
    running.wait_answering(deleting)
    assert close_period(running, "2026-01")
    assert deleting.popen.wait(30) == KILLED, "attempts deleted, and their calls not yet"
    assert told.wrong() == []

    with closing(Ledger(running.home / "ledger.duckdb")) as ledger:
        roll_all(ledger, TODAY)
        while expire_calls(ledger, Keep(0.0, ledger_s=0.0), time.time_ns()).calls:
            pass
        assert rows(ledger, "SELECT min(started_at)::DATE, count(*) FROM calls") == [(date(2026, 2, 1), 20)]
    assert told.wrong() == [], "January's calls have gone, February is not closed"
