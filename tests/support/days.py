"""What the ledger's sums by the day come to, beside the facts that they are sums of."""

from __future__ import annotations

from datetime import date
from typing import Any

from sidecar.bookkeeper import ledger_days
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.rolling import roll
from tests.support.ledger import rows

_HOUR = "date_trunc('hour', started_at)"
_TO = {
    "call_hours": ("ai_call_facts", "ai_call_hours", _HOUR, "hour"),
    "attempt_hours": ("ai_attempt_facts", "ai_attempt_hours", _HOUR, "hour"),
}


def roll_all(ledger: Ledger, today: date) -> None:
    """Every day before `today` that is quiet by now."""
    ledger.watch()
    while roll(ledger, today):
        pass


def rolled(ledger: Ledger) -> ledger_days.Rolled:
    with ledger.reading() as reader:
        return ledger_days.rolled(reader)


def close_month(ledger: Ledger, month: date) -> None:
    """As far as retention asks for it: `expire_calls` takes calls of closed billing periods only."""
    with ledger.transaction() as writer:
        writer.execute("INSERT INTO billing_periods VALUES (?, ?, 'test', 0, 0, 0, 0, '')", [month, month])


def from_facts(ledger: Ledger, table: str, since: date) -> list[tuple[Any, ...]]:
    """Sums by all that is no measure, of days from `since` on; floats to the microsecond."""
    facts, _, when, _ = _TO.get(table, (ledger_days.SUMS[table].facts, "", "day", ""))
    return _grouped(ledger, table, facts, when, since)


def from_days(ledger: Ledger, table: str, since: date) -> list[tuple[Any, ...]]:
    """The same as the public view has it."""
    _, view, _, when = _TO.get(table, ("", f"ai_{table}", "", "day"))
    return _grouped(ledger, table, view, when, since)


def _grouped(ledger: Ledger, table: str, relation: str, when: str, since: date) -> list[tuple[Any, ...]]:
    measures = ledger_days.SUMS[table].measures.split()
    columns = [name for name, *_ in rows(ledger, f"DESCRIBE {table}")]
    by = [f"{when} AS {name}" if name in ("day", "hour") else str(name) for name in columns if name not in measures]
    sums = [f"round(sum({name}), 3)" if name.endswith("_ms") else f"sum({name})" for name in measures]
    sql = f"SELECT {', '.join([*by, *sums])} FROM {relation} WHERE {when} >= ? GROUP BY ALL"
    return sorted(rows(ledger, sql, since), key=repr)


def differing(ledger: Ledger, since: date = date(1970, 1, 1)) -> list[str]:
    """Tables whose days are not the sums of their facts."""
    return [table for table in ledger_days.SUMS if from_facts(ledger, table, since) != from_days(ledger, table, since)]
