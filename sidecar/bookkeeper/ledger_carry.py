"""Rows from one ledger file into another: what the other does not have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import duckdb

from sidecar.bookkeeper import ledger_days, ledger_revisions
from sidecar.bookkeeper.ledger_connection import Limits, translated

_CALL = "WHERE h.sidecar_id = t.sidecar_id AND h.seq = t.seq"
_SIDECAR = "WHERE h.sidecar_id = t.sidecar_id"
_ALERT = "WHERE h.alert_id = t.alert_id"
_REVISION = f"{_CALL} AND h.attempt = t.attempt AND h.rerating_id = t.rerating_id"
# Table -> which of the old rows (`t`) are missing. `had`: calls that the new ledger had before.
_MISSING = {
    "calls": f"NOT EXISTS (FROM had AS h {_CALL})",
    "attempts": f"NOT EXISTS (FROM had AS h {_CALL})",
    "cost_revisions": f"NOT EXISTS (FROM cost_revisions AS h {_REVISION}) AND EXISTS (FROM calls AS h {_CALL})",
    "open_calls": f"NOT EXISTS (FROM had AS h {_CALL}) AND NOT EXISTS (FROM open_calls AS h {_CALL})",
    "target_states": f"NOT EXISTS (FROM target_states AS h {_SIDECAR})",
    "budget_states": f"NOT EXISTS (FROM budget_states AS h {_SIDECAR})",
    "budget_alerts": f"NOT EXISTS (FROM budget_alerts AS h {_ALERT})",
    "alert_deliveries": f"NOT EXISTS (FROM alert_deliveries AS h {_ALERT})",
    "ledger_positions": f"NOT EXISTS (FROM ledger_positions AS h {_SIDECAR})",
    "billed_costs": "NOT EXISTS (FROM billing_periods AS h WHERE h.month = t.month)",
    "billing_periods": "NOT EXISTS (FROM billing_periods AS h WHERE h.month = t.month)",
    "telemetry_positions": f"NOT EXISTS (FROM telemetry_positions AS h {_SIDECAR})",
}


def carry_over(old: Path, new: Path, limits: Limits) -> int:
    """What `old` has and `new` has not, in one transaction; returns the number of calls. `new` is up to date, neither
    is open elsewhere. Of telemetry's positions `old` knows best. Costs that were priced anew stay so, whatever the
    journal told first. Days that are only sums stay so. Raises LedgerFault."""
    with translated(), _both(old, new, limits) as connection:
        connection.execute("BEGIN")
        connection.execute(
            "DELETE FROM telemetry_positions WHERE sidecar_id IN (SELECT sidecar_id FROM old.telemetry_positions)"
        )
        connection.execute("CREATE TEMP TABLE had AS SELECT sidecar_id, seq FROM calls")
        known, old_knows = ledger_days.rolled(connection), ledger_days.rolled(connection, "old.rolled")
        theirs = old_knows.since >= known.since
        connection.execute(f"CREATE TEMP TABLE summed AS SELECT sidecar_id FROM {'old.' * theirs}ledger_positions")  # noqa: S608 - ours
        carried = {table: _carry(connection, table, missing) for table, missing in _MISSING.items()}
        ledger_revisions.reapply(connection)
        _carry_sums(connection, old_knows.since if theirs else None)
        connection.execute("COMMIT")
        return carried["calls"]


def _carry_sums(connection: duckdb.DuckDBPyConnection, before: date | None) -> None:
    """Sums stay of days only whose calls age has taken: other days are summed up anew. They are the old ledger's, of
    days `before` that one, or our own. `summed`: sidecars whose calls are in them; what is here of these on such a day
    comes from the journal or a backup, and goes again. Calls of others, that are as old, come in."""
    if before is None:
        ledger_days.move_back(connection, date.min)
    else:
        for table, sums in ledger_days.SUMS.items():
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own names
            connection.execute(f"INSERT INTO {table} BY NAME FROM old.{table} WHERE {sums.when} < ?::DATE", [before])
        connection.execute('UPDATE rolled SET "since" = $1, "until" = $1', [before])
    ledger_days.remove_expired(connection, "sidecar_id IN (FROM summed)")
    ledger_days.absorb(connection)


def _carry(connection: duckdb.DuckDBPyConnection, table: str, missing: str) -> int:
    done = connection.execute(
        f"INSERT INTO {table} BY NAME SELECT * FROM old.{table} AS t WHERE {missing}"  # noqa: S608 - our own words
    ).fetchone()
    return int(done[0]) if done else 0


@contextmanager
def _both(old: Path, new: Path, limits: Limits) -> Iterator[duckdb.DuckDBPyConnection]:
    """Unlike the bookkeeper's own, an instance that can reach a second file."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": limits.memory,
        "threads": limits.threads,
    }
    quoted = str(old).replace("'", "''")
    with closing(duckdb.connect(new, config=config)) as connection:
        connection.execute(f"ATTACH '{quoted}' AS old")
        yield connection
