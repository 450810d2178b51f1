"""Stores grow from one version to the next, whole or not at all, and a newer one is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from sidecar.control.database import Database
from sidecar.control.errors import CannotOpen, StoreTooNew
from sidecar.control.schema import Migration, backup_path, migrate, migrations
from sidecar.control.store import ControlStore
from sidecar.control.tables import METADATA
from sidecar.core.clock import Clock
from sidecar.core.control import Workspace
from tests.support.control import ACTOR, sqlite_url

NEWEST = migrations()[-1].version
NEXT = Migration(NEWEST + 1, "note", "ALTER TABLE ai_workspaces ADD COLUMN note TEXT;\n")
BROKEN = Migration(NEWEST + 2, "broken", "ALTER TABLE nothing ADD COLUMN x TEXT;\n")


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    """With a workspace in it."""
    with closing(ControlStore(url, Clock())) as store:
        store.change(ACTOR, lambda change: change.put("workspace.create", Workspace("kept")))
    database = Database(url)
    yield database
    database.close()


def columns(database: Database, table: str) -> dict[str, tuple[type, bool]]:
    with database.reading() as connection:
        found = sa.inspect(connection).get_columns(table)
    return {each["name"]: (each["type"].python_type, each["nullable"]) for each in found}


def names(database: Database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(sa.text("SELECT name FROM ai_workspaces ORDER BY name")).scalars())


def test_the_migrations_lead_to_the_tables(database: Database) -> None:
    with database.reading() as connection:
        assert set(sa.inspect(connection).get_table_names()) == {*METADATA.tables, "control_schema"}
    for name, table in METADATA.tables.items():
        expected = {each.name: (each.type.python_type, bool(each.nullable)) for each in table.columns}
        assert columns(database, name) == expected


def test_what_is_in_an_older_store_stays(database: Database) -> None:
    migrate(database, 7, (*migrations(), NEXT))
    assert names(database) == ["default", "kept"]
    assert "note" in columns(database, "ai_workspaces")


def test_a_file_is_copied_before_it_is_migrated(tmp_path: Path) -> None:
    with closing(ControlStore(sqlite_url(tmp_path), Clock())):
        pass
    assert not backup_path(tmp_path / "control.db", NEWEST).exists()
    with closing(Database(sqlite_url(tmp_path))) as database:
        migrate(database, 7, (*migrations(), NEXT))
    copied = backup_path(tmp_path / "control.db", NEXT.version)
    assert copied.stat().st_mode & 0o777 == 0o600
    with closing(ControlStore(f"sqlite:///{copied}", Clock())) as store:
        assert set(store.read().workspaces) == {"default"}


def test_a_migration_that_fails_leaves_all_as_it_was(database: Database) -> None:
    with pytest.raises(Exception, match="nothing"):
        migrate(database, 7, (*migrations(), NEXT, BROKEN))
    assert "note" not in columns(database, "ai_workspaces")
    migrate(database, 7)


def test_a_newer_store_is_left_alone(url: str, database: Database) -> None:
    migrate(database, 7, (*migrations(), NEXT))
    with pytest.raises(StoreTooNew, match=rf"newer Taximeter: .* schema version {NEXT.version}.*Install the newer"):
        ControlStore(url, Clock())


def test_several_may_open_a_new_store_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: ControlStore(url, Clock()), range(4)))
    for store in stores:
        assert store.generation() == 0
        store.close()


def test_a_damaged_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "control.db").write_bytes(b"no database at all" * 1000)
    with pytest.raises(CannotOpen, match=r"control\.db cannot be read: file is not a database\. Put back a copy"):
        ControlStore(sqlite_url(tmp_path), Clock())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="No such file or directory"):
        ControlStore(sqlite_url(tmp_path / "none"), Clock())


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(CannotOpen, match=r"postgresql\+psycopg://u:\*\*\*@127\.0\.0\.1:1/d does not answer") as told:
        ControlStore("postgres://u:hunter2-secret@127.0.0.1:1/d?sslpassword=hunter3-secret", Clock())
    assert "secret" not in str(told.value)
