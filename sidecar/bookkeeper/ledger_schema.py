"""The ledger's shape: numbered migrations, applied in order, each in a transaction of its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources

import duckdb


class LedgerTooNew(Exception):
    """A newer Taximeter has been here. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str


def migrations() -> tuple[Migration, ...]:
    """`migrations/NNN_name.sql`, in order."""
    folder = resources.files("sidecar.bookkeeper") / "migrations"
    found = [(re.fullmatch(r"(\d{3})_(\w+)\.sql", file.name), file) for file in folder.iterdir()]
    return tuple(
        sorted(
            (Migration(int(match[1]), match[2], file.read_text("utf-8")) for match, file in found if match),
            key=lambda migration: migration.version,
        )
    )


def version(connection: duckdb.DuckDBPyConnection) -> int:
    """Of the ledger behind `connection`; 0 = empty."""
    known = connection.execute("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_version'").fetchone()
    if not known or not known[0]:
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    return int(row[0]) if row else 0


def migrate(
    connection: duckdb.DuckDBPyConnection,
    backup: Callable[[int], object],
    steps: tuple[Migration, ...] | None = None,
) -> int:
    """Bring the ledger to the newest schema and return its version. `backup(from_version)` goes before any change
    to a ledger that holds something. Raises LedgerTooNew."""
    steps = migrations() if steps is None else steps
    have, newest = version(connection), steps[-1].version
    if have > newest:
        raise LedgerTooNew(
            f"the ledger has schema version {have}, and this Taximeter knows versions up to {newest}. Install the "
            f"newer Taximeter again; or move the ledger's file away and go back to the copy that was made before it "
            f"was migrated: `taximeter restore <home>/backups/before-schema-{newest + 1}`."
        )
    due = [step for step in steps if step.version > have]
    if due and have:
        backup(have)
    for step in due:
        _apply(connection, step)
    return newest


def _apply(connection: duckdb.DuckDBPyConnection, step: Migration) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER, name VARCHAR, applied_at TIMESTAMP)"
        )
        connection.execute(step.sql)
        connection.execute(
            "INSERT INTO schema_version VALUES (?, ?, CAST(current_timestamp AT TIME ZONE 'UTC' AS TIMESTAMP))",
            [step.version, step.name],
        )
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
