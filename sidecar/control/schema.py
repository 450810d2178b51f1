"""The store's shape: numbered migrations, applied in order; all that are due in one transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

import sqlalchemy as sa

from sidecar.control.copying import copy
from sidecar.control.database import Database
from sidecar.control.errors import StoreTooNew

_LOCK = 7_405_912_204
"""PostgreSQL's advisory lock of whoever migrates; the number says nothing."""
_BYTES = {"sqlite": "BLOB", "postgresql": "BYTEA"}


@dataclass(frozen=True, slots=True)
class Migration:
    version: int
    name: str
    sql: str
    """Statements, each ended by a semicolon at a line's end; $BYTES is the database's type for bytes."""


def migrations() -> tuple[Migration, ...]:
    """`migrations/NNN_name.sql`, in order."""
    folder = resources.files("sidecar.control") / "migrations"
    found = [(re.fullmatch(r"(\d{3})_(\w+)\.sql", file.name), file) for file in folder.iterdir()]
    return tuple(
        sorted(
            (Migration(int(match[1]), match[2], file.read_text("utf-8")) for match, file in found if match),
            key=lambda migration: migration.version,
        )
    )


def migrate(database: Database, now_ns: int, steps: tuple[Migration, ...] | None = None) -> None:
    """Brings the store to the newest schema, whole or not at all; a SQLite file that holds something is copied before.
    Raises StoreTooNew, StoreUnavailable."""
    steps = migrations() if steps is None else steps
    newest = steps[-1].version
    with database.reading() as connection:
        if _version(connection) == newest:
            return
    with database.writing() as connection:
        if connection.dialect.name == "postgresql":  # others may start at this moment too
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        have = _version(connection)
        if have > newest:
            raise StoreTooNew(_too_new(database, have, newest))
        due = [step for step in steps if step.version > have]
        if due and have and database.path:
            copy(database.path, backup_path(database.path, newest))
        for step in due:
            _apply(connection, step, now_ns)


def backup_path(path: Path, version: int) -> Path:
    """Of the copy that is made before the file is migrated to `version`."""
    return path.with_name(f"{path.name}.before-schema-{version}")


def _version(connection: sa.Connection) -> int:
    """0 = empty."""
    if not sa.inspect(connection).has_table("control_schema"):
        return 0
    found = connection.execute(sa.text("SELECT max(version) FROM control_schema")).scalar()
    return int(found or 0)


def _apply(connection: sa.Connection, step: Migration, now_ns: int) -> None:
    connection.exec_driver_sql(
        "CREATE TABLE IF NOT EXISTS control_schema "
        "(version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_ns BIGINT NOT NULL)"
    )
    sql = Template(step.sql).substitute(BYTES=_BYTES[connection.dialect.name])
    for statement in re.split(r";[ ]*\n", re.sub(r"^--.*\n", "", sql, flags=re.MULTILINE)):
        if statement.strip():
            connection.exec_driver_sql(statement)
    connection.execute(
        sa.text("INSERT INTO control_schema (version, name, applied_ns) VALUES (:version, :name, :now)"),
        {"version": step.version, "name": step.name, "now": now_ns},
    )


def _too_new(database: Database, have: int, newest: int) -> str:
    back = (
        f"put back the copy that was made before it was migrated, {database.path}.before-schema-*"
        if database.path
        else "restore the database from a backup made before"
    )
    return (
        f"The control store is from a newer Taximeter: {database.name} has schema version {have}, and this one knows "
        f"versions up to {newest}. Install the newer Taximeter again, or {back}."
    )
