"""Rows from one ledger file into another: what the other does not have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb

from sidecar.bookkeeper import ledger_revisions
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
    journal told first. Raises LedgerFault."""
    with translated(), _both(old, new, limits) as connection:
        connection.execute("BEGIN")
        connection.execute(
            "DELETE FROM telemetry_positions WHERE sidecar_id IN (SELECT sidecar_id FROM old.telemetry_positions)"
        )
        connection.execute("CREATE TEMP TABLE had AS SELECT sidecar_id, seq FROM calls")
        carried = {table: _carry(connection, table, missing) for table, missing in _MISSING.items()}
        ledger_revisions.reapply(connection)
        connection.execute("COMMIT")
        return carried["calls"]


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
