"""A home whose bookkeeper is killed, and what its ledger comes to beside one that nobody ever killed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from sidecar.bookkeeper import ledger_days
from sidecar.bookkeeper.ingest import Ingest
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_days import Rolled, rolled
from sidecar.core.clock import Clock
from taximeter.journal.v1 import journal_pb2
from tests.support.days import from_days, from_facts
from tests.support.ledger import finished, rows
from tests.support.ledger_journal import Log, add, segment

SINCE = date(1970, 1, 1)
_DAY_S = 86_400
_CLOSED = "SELECT month, cost_usd FROM billing_periods ORDER BY month"
_BILLED = """SELECT month, coalesce(sum(billed.cost_usd), 0) FROM billing_periods
FULL JOIN billed_costs AS billed USING (month) GROUP BY month ORDER BY month"""
_SUMMED = {table: sums.when for table, sums in ledger_days.SUMS.items()}
_PAID = "SELECT coalesce(sum(cost_usd), 0) FROM ai_cost_days"


class Told:
    """Every call that a home's journal tells, and a ledger of them in which nothing is ever summed up or deleted."""

    def __init__(self, home: Path, folder: Path) -> None:
        """`folder`: for that ledger."""
        self.home = home
        self._segment = segment(home / "journal", 1, [])
        self._calls: dict[int, int] = {}
        self._unkilled = Ledger(folder / "unkilled.duckdb")
        self._known: dict[str, list[tuple[Any, ...]]] = {}

    def close(self) -> None:
        self._unkilled.close()

    def calls(self, days: Iterable[int]) -> int:
        return sum(self._calls[day] for day in days)

    def tell(self, days: Iterable[int], calls: int) -> None:
        """So many more calls of each of these days, of which 0 is the first of 2026; every other one fell back."""
        frames: list[journal_pb2.Frame] = []
        for day in days:
            had = self._calls.get(day, 0)
            self._calls[day] = had + calls
            frames += [finished(day * _DAY_S + n, attempts=1 + n % 2) for n in range(had, had + calls)]
        add(self._segment, frames)
        self._known = {}
        _catch_up(self.home, self._unkilled)

    def book(self) -> None:
        """All of it, in this process."""
        with closing(Ledger(self.home / "ledger.duckdb")) as ledger:
            _catch_up(self.home, ledger)

    def wrong(self) -> list[str]:
        """What is not as it would be without the kills, once the rest of the journal is booked. Of a copy: the home
        stays as it is."""
        with self.copy() as ledger:
            _catch_up(self.home, ledger)
            known = state(ledger)
            found = [table for table, sums in self._sums().items() if from_days(ledger, table, SINCE) != sums]
            found += [f"{table} of a day without sums" for table in _SUMMED if _count(ledger, table, known.until)]
            found += ["rows of calls"] if not self._rows(ledger, known.since) else []
            found += ["what was billed"] if rows(ledger, _BILLED) != rows(ledger, _CLOSED) else []
        return found

    def cost_usd(self) -> object:
        """Of all calls."""
        return rows(self._unkilled, _PAID)[0][0]

    @contextmanager
    def copy(self) -> Iterator[Ledger]:
        """The ledger as whoever was killed left it."""
        with tempfile.TemporaryDirectory() as folder:
            for file in self.home.glob("ledger.duckdb*"):
                shutil.copy(file, folder)
            with closing(Ledger(Path(folder) / "ledger.duckdb")) as ledger:
                yield ledger

    def _sums(self) -> dict[str, list[tuple[Any, ...]]]:
        """By table, summed up from every single call."""
        if not self._known:
            self._known = {table: from_facts(self._unkilled, table, SINCE) for table in ledger_days.SUMS}
        return self._known

    def _rows(self, ledger: Ledger, since: date) -> bool:
        """Those of days from `since` on are all there; those before may be, until age has come to them."""
        calls = "SELECT sidecar_id, seq, call_id, cost_usd FROM calls WHERE started_at >= ? ORDER BY ALL"
        all_rows = rows(self._unkilled, calls, SINCE)
        young = rows(self._unkilled, calls, since)
        there = rows(ledger, calls, SINCE)
        return rows(ledger, calls, since) == young and set(there) <= set(all_rows) and len(there) == len(set(there))


def _count(ledger: Ledger, table: str, since: date) -> int:
    found = rows(ledger, f"SELECT count(*) FROM {table} WHERE {_SUMMED[table]} >= ?::DATE", since)
    return int(str(found[0][0]))


def state(ledger: Ledger) -> Rolled:
    with ledger.reading() as reader:
        return rolled(reader)


def _catch_up(home: Path, ledger: Ledger) -> None:
    ingest = Ingest(home / "journal", ledger, Log(), Clock(), marks=False)
    while ingest.turn():
        pass
