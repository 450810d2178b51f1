"""From any earlier schema forward, and never from a later one."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import date
from pathlib import Path

import duckdb
import pytest

from sidecar.bookkeeper import ledger_schema
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import LedgerBusy, LedgerFault
from sidecar.bookkeeper.ledger_days import Rolled
from sidecar.bookkeeper.ledger_schema import LedgerTooNew, Migration
from tests.support.days import differing, roll_all, rolled
from tests.support.ledger import batches, finished, rows

NEWEST = ledger_schema.migrations()[-1].version
LATER = Migration(NEWEST + 1, "later", "ALTER TABLE calls ADD COLUMN colour VARCHAR DEFAULT ''")


def old_ledger(path: Path, version: int) -> None:
    """A ledger of that version with one call of old in it."""
    steps = tuple(step for step in ledger_schema.migrations() if step.version <= version)
    with closing(duckdb.connect(path)) as connection:
        ledger_schema.migrate(connection, lambda have: None, steps)
        if version:
            names = [row[0] for row in connection.execute("SELECT column_name FROM (DESCRIBE calls)").fetchall()]
            values = {"seq": "7", "record_version": "1", "attempts": "0", "skips": "[]", "tags": "MAP {}"}
            defaults = {name: values.get(name, f"DEFAULT_{name}") for name in names}
            row = ", ".join(_default(connection, name, value) for name, value in defaults.items())
            connection.execute(f"INSERT INTO calls VALUES ({row})")


def _default(connection: duckdb.DuckDBPyConnection, name: str, value: str) -> str:
    if not value.startswith("DEFAULT_"):
        return value
    found = connection.execute("SELECT column_type FROM (DESCRIBE calls) WHERE column_name = ?", [name]).fetchone()
    assert found
    known = {"VARCHAR": "''", "VARCHAR[]": "[]", "BOOLEAN": "false", "TIMESTAMP": "TIMESTAMP '2026-01-01'"}
    return known.get(found[0], "0")


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert [step.version for step in ledger_schema.migrations()] == list(range(1, NEWEST + 1))


@pytest.mark.parametrize("version", range(1, NEWEST))
def test_an_older_ledger_is_brought_forward_with_its_rows(tmp_path: Path, version: int) -> None:
    path = tmp_path / "ledger.duckdb"
    old_ledger(path, version)
    with closing(Ledger(path)) as ledger:
        for batch in batches([finished(8)], []):
            ledger.book(batch)
        assert rows(ledger, "SELECT seq FROM ai_call_logs ORDER BY seq") == [(7,), (8,)]
        assert rows(ledger, "SELECT version FROM schema_version ORDER BY version") == [
            (step,) for step in range(1, NEWEST + 1)
        ]


def test_sums_are_made_anew_with_hours_and_those_of_expired_days_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    old_ledger(path, 6)
    with closing(duckdb.connect(path)) as connection:
        connection.execute("INSERT INTO call_days BY NAME SELECT DATE '2025-12-01' AS day, 3 AS calls")
        connection.execute("INSERT INTO call_days BY NAME SELECT DATE '2026-01-01' AS day, 99 AS calls")
        connection.execute("INSERT INTO call_hours BY NAME SELECT TIMESTAMP '2025-12-01 05:00' AS hour, 3 AS calls")
        connection.execute("""UPDATE rolled SET "since" = DATE '2025-12-02', "until" = DATE '2026-01-02'""")
    with closing(Ledger(path)) as ledger:
        calls = "SELECT sum(calls)::BIGINT FROM ai_call_{} GROUP BY ALL ORDER BY 1"
        assert rows(ledger, calls.format("days")) == rows(ledger, calls.format("hours")) == [(4,)]
        roll_all(ledger, date(2026, 1, 3))
        assert rolled(ledger) == Rolled(date(2025, 12, 2), date(2026, 1, 3))
        assert differing(ledger, date(2025, 12, 2)) == []
        assert rows(ledger, calls.format("days")) == rows(ledger, calls.format("hours")) == [(4,)]


def test_before_a_migration_a_copy_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    old_ledger(path, 1)
    Ledger(path).close()
    with closing(duckdb.connect(tmp_path / "backups" / "before-schema-2" / "ledger.duckdb")) as copy:
        assert (ledger_schema.version(copy), copy.execute("SELECT seq FROM calls").fetchall()) == (1, [(7,)])


def test_a_new_ledger_keeps_no_copy_of_nothing(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.duckdb").close()
    assert not (tmp_path / "backups").exists()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    with closing(duckdb.connect(path)) as connection:
        broken = (*ledger_schema.migrations(), Migration(NEWEST + 1, "bad", "DROP TABLE target_states; SELECT no"))
        with pytest.raises(duckdb.Error):
            ledger_schema.migrate(connection, lambda have: None, broken)
        assert ledger_schema.version(connection) == NEWEST
        assert connection.execute("SELECT count(*) FROM target_states").fetchall() == [(0,)]


def test_a_ledger_from_a_newer_version_is_refused_with_both_versions_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.duckdb"
    with closing(duckdb.connect(path)) as connection:
        ledger_schema.migrate(connection, lambda have: None, (*ledger_schema.migrations(), LATER))
    before = path.read_bytes()
    said = rf"has schema version {NEWEST + 1}.*up to {NEWEST}\. Install the newer.*taximeter restore"
    with pytest.raises(LedgerTooNew, match=re.compile(said)):
        Ledger(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.duckdb").write_bytes(b"rubbish" * 1000)
    with pytest.raises(LedgerFault, match="cannot be opened"):
        Ledger(tmp_path / "ledger.duckdb")


def test_a_ledger_that_a_reader_has_open_is_busy(tmp_path: Path) -> None:
    import subprocess
    import sys

    Ledger(tmp_path / "ledger.duckdb").close()
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "ledger.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout
        assert reader.stdout.readline() == "open\n"
        with pytest.raises(LedgerBusy):
            Ledger(tmp_path / "ledger.duckdb")
        reader.communicate("\n")
