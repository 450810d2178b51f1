"""Ledgers as large as wanted, made by DuckDB itself: months of calls as a company could have had them.

`python -m benchmarks.ledgers HOME 1e7` makes one in that folder, summed up by the day as the bookkeeper does it, and
says how long that took. Every figure is drawn from the row's number by a hash, so a ledger of the same size is the same
everywhere. What a row says adds up as the bookkeeper's rows do: a call costs what its attempts do, an attempt what its
meters do. More than 10 million calls are the same month again and again, further and further back.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.ledger_words import ATTEMPTS, CALLS, FACTS, MACROS, MODELS, TRIED
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.rolling import roll

STEP = 1_000_000
"""Calls in one statement: bounds its memory."""
MONTH = 10_000_000
"""Calls that are drawn at most."""
DAYS = 30
_MEMORY = "4GB"
_CALL_TIMES = ("started_at", "ended_at", "first_token_at")


def make(path: Path, calls: int, *, days: int = DAYS, end: datetime | None = None) -> Path:
    """A new ledger of that many calls in the `days` before `end` (UTC; the last midnight by default)."""
    until = end or _midnight()
    start = (until - timedelta(days=days)).replace(tzinfo=None)
    Ledger(path).close()  # its tables and views
    with duckdb.connect(path) as connection:
        for macro in MACROS:
            connection.execute(macro)
        connection.execute(MODELS)
        connection.execute("INSERT INTO ledger_positions VALUES ('generated', 1, 0, 0, true)")
        for low in range(0, calls, STEP):
            known = {"days": days, "calls": calls, "low": low, "high": min(low + STEP, calls), "start": start}
            connection.execute(FACTS, known)
            connection.execute(TRIED)
            connection.execute(ATTEMPTS, {"sidecar": "generated"})
            connection.execute(CALLS, {"sidecar": "generated"})
    return path


def repeat(path: Path, month: Path, times: int, *, days: int = DAYS) -> Path:
    """A new ledger: the calls of `month` so many times, each time of another sidecar and so many days earlier; the
    earliest first, as a bookkeeper would have written them."""
    Ledger(path).close()
    quoted = str(month).replace("'", "''")
    with duckdb.connect(path, config={"memory_limit": _MEMORY, "threads": 2}) as connection:
        connection.execute(f"ATTACH '{quoted}' AS month (READ_ONLY)")
        for back in reversed(range(times)):
            sidecar = f"generated-{times - back:04d}"
            connection.execute("INSERT INTO ledger_positions VALUES (?, 1, 0, 0, true)", [sidecar])
            for table in ("calls", "attempts"):
                earlier = ", ".join(f"{name} - INTERVAL {back * days} DAY AS {name}" for name in _CALL_TIMES)
                own = f"'{sidecar}' AS sidecar_id, {earlier}"
                connection.execute(f"INSERT INTO {table} BY NAME SELECT * REPLACE ({own}) FROM month.{table}")
    return path


def sum_up(path: Path, today: date | None = None) -> int:
    """Every day before `today` (UTC, by default today), as the bookkeeper does it; returns how many there were."""
    with closing(Ledger(path)) as ledger:
        summed = 0
        while roll(ledger, today or _midnight().date()):
            summed += 1
        return summed


def ledger(home: Path, calls: int) -> Path:
    """The ledger of that size in `home`, made and summed up where there is none."""
    path = home / "ledger.duckdb"
    if path.exists():
        return path
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home) as folder:
        new = Path(folder) / "ledger.duckdb"
        if calls <= MONTH:
            make(new, calls)
        else:
            repeat(new, make(Path(folder) / "month.duckdb", MONTH), -(-calls // MONTH))
        sum_up(new)
        new.replace(path)
    return path


def _midnight() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


if __name__ == "__main__":
    home, calls = Path(sys.argv[1]), int(float(sys.argv[2]))
    began = time.monotonic()
    made = ledger(home, calls)
    print(f"{made}: {made.stat().st_size / 1e9:.1f} GB after {time.monotonic() - began:.0f} s")
