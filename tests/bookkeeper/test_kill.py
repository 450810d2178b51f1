"""Kill -9 of a bookkeeper that sums days up, lets age take calls, or closes a month: every call stands once."""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sidecar.bookkeeper import ledger_periods
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_periods import Moment
from sidecar.bookkeeper.retention import Keep, expire_calls
from tests.support.bookkeeper_kills import KILLED, Killer, close_period, doomed, ended_whole
from tests.support.days import roll_all
from tests.support.ledger import rows
from tests.support.stack import Stack, stack
from tests.support.wholeness import Told

JANUARY, FEBRUARY = (28, 29, 30), (31, 32)
"""Days: the last of one month and the first of the next."""
SUMMED = "2026-02-03"
"""The day behind them."""
LATER = datetime(2026, 4, 1, tzinfo=UTC)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Stack]:
    """Age takes calls of all days before today."""
    with stack(TAXIMETER_LEDGER_KEEP="1d") as made:
        made.home.mkdir(mode=0o700)
        yield made


@pytest.fixture
def told(running: Stack, tmp_path: Path) -> Iterator[Told]:
    """Five days of ten calls, booked."""
    told = Told(running.home, tmp_path)
    told.tell((*JANUARY, *FEBRUARY), 10)
    told.book()
    yield told
    told.close()


def test_killed_while_it_sums_up_closes_and_deletes_it_counts_every_call_once(running: Stack, told: Told) -> None:
    """And goes on where it was: what is not summed up and closed would not be deleted."""
    assert doomed(running, "rolling.roll", "13").popen.wait(30) == KILLED, "sums of a day half written"
    assert told.wrong() == []

    billing = doomed(running, "ledger_periods.close", "6")
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
        roll_all(ledger, LATER.date())
        while expire_calls(ledger, Keep(0.0, ledger_s=0.0), time.time_ns()).calls:
            pass
        assert rows(ledger, "SELECT min(started_at)::DATE, count(*) FROM calls") == [(date(2026, 2, 1), 20)]
    assert told.wrong() == [], "January's calls have gone, February is not closed"


def get_ready(function: str, ledger: Ledger) -> None:
    """As far as the ledger has to be for that one to have something to do."""
    if function != "rolling.roll":
        roll_all(ledger, LATER.date())
    if function in ("ledger.expire_calls", "ledger.book"):
        ledger_periods.close(ledger, date(2026, 1, 1), "test", Moment(LATER, LATER), force=True)
    if function == "ledger.book":
        assert [ledger.expire_calls(date(2026, 1, 31), step).calls for step in (10, 5)] == [10, 5]


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("function", ["rolling.roll", "ledger_periods.close", "ledger.expire_calls", "ledger.book"])
def test_killed_before_each_of_its_statements_it_goes_on_where_it_was(
    running: Stack, told: Told, tmp_path: Path, function: str
) -> None:
    """What is booked are late calls: of days that have lost theirs, are losing them, and have them all."""
    path = running.home / "ledger.duckdb"
    with closing(Ledger(path)) as ledger:
        get_ready(function, ledger)
    shutil.copy(path, tmp_path / "ready.duckdb")
    if function == "ledger.book":
        told.tell((*JANUARY, *FEBRUARY), 3)
    end = (["2026-01"], SUMMED, told.calls(FEBRUARY))
    for number in itertools.count(1):
        shutil.copy(tmp_path / "ready.duckdb", path)
        if ended_whole(running, *end, before=(function, str(number))):
            break
        assert told.wrong() == [], number
        assert ended_whole(running, *end)
        assert told.wrong() == [], number
    print(f"\n{function}: killed {number - 1} times")
    assert number > 7, "it has as many statements"


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_killed_sixty_times_while_calls_come_late_it_bills_every_call_once(running: Stack, told: Told) -> None:
    chance, months = random.Random(60), ("2026-01", "2026-02")
    killer, days = Killer(running, chance), (*JANUARY, *FEBRUARY)
    for number in range(60):
        if number % 2:
            told.tell(chance.sample(days, 2), chance.randrange(1, 40))
        killer.kill_one(months[: number // 20])
        assert told.wrong() == [], number
    assert ended_whole(running, (*months, "2026-03"), SUMMED, calls=0)
    assert told.wrong() == []
    with told.copy() as ledger:
        assert rows(ledger, "SELECT sum(cost_usd) FROM billed_costs") == [(told.cost_usd(),)]
    print(f"\nkilled {dict(killer.killed)}; {told.calls(days)} calls")
