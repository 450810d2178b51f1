"""Backup, restore, rebuild, compact: no call is lost, and a kill leaves the books whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from sidecar.bookkeeper import files, ledger_schema, lock, maintenance, server
from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.copying import MaintenanceFailed
from sidecar.bookkeeper.ingest import Ingest, Progress
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.usage_service import UsageService
from sidecar.core.clock import Clock
from tests.support.blank import blank
from tests.support.budget_books import alerted, budget_state, state
from tests.support.ledger import SIDECAR, finished, rows, started
from tests.support.ledger_journal import Log, add, segment, snapshot

VIEWS = (
    *("ai_call_logs", "ai_call_attempts", "ai_call_costs", "ai_open_calls", "ai_target_states"),
    *("ai_budget_states", "ai_budget_alerts"),
)


@pytest.fixture
def home() -> Iterator[Path]:
    """Two segments of journal, booked: calls 0 to 9, call 20 open, a budget that has alerted."""
    with tempfile.TemporaryDirectory(prefix="tx") as name:
        home = Path(name) / "home"
        segment(home / "journal", 1, [snapshot(1), *(finished(seq) for seq in range(5))])
        later = [*(finished(seq, attempts=2) for seq in range(5, 10)), started(20)]
        segment(home / "journal", 2, [snapshot(2), alerted(), state(budget_state()), *later])
        book(home)
        yield home


def book(home: Path) -> None:
    """What the bookkeeper does at its start."""
    with closing(Ledger(blank(home / "ledger.duckdb"))) as ledger:
        Ingest(home / "journal", ledger, Log(), Clock()).turn()
        ledger.save_telemetry_position(SIDECAR, (1, 77))


def contents(home: Path) -> dict[str, object]:
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        told: dict[str, object] = {view: rows(ledger, f"SELECT * FROM {view} ORDER BY ALL") for view in VIEWS}
        return told | {"positions": ledger.standings(), "telemetry": ledger.telemetry_positions()}


def first_segment(home: Path) -> Path:
    return home / "journal" / SIDECAR / "0000000001.journal"


@pytest.mark.parametrize("remake", [maintenance.rebuild, maintenance.compact], ids=["rebuild", "compact"])
def test_a_remade_ledger_says_the_same(home: Path, remake: Callable[[Path], object]) -> None:
    before = contents(home)
    remake(home)
    assert contents(home) == before


def test_rebuild_makes_a_ledger_where_there_is_none(home: Path) -> None:
    before = contents(home)
    (home / "ledger.duckdb").unlink()
    made = maintenance.rebuild(home)
    assert (made.calls, made.kept, made.missing) == (10, 0, ())
    assert contents(home) == before | {"telemetry": {}}


def test_rebuild_keeps_calls_that_the_journal_has_no_more(home: Path) -> None:
    before = contents(home)
    first_segment(home).unlink()
    made = maintenance.rebuild(home)
    assert (made.calls, made.kept, contents(home) == before) == (10, 5, True)


def test_rebuild_keeps_calls_of_a_sidecar_whose_journal_is_gone(home: Path) -> None:
    before = contents(home)
    shutil.rmtree(home / "journal")
    assert (maintenance.rebuild(home).kept, contents(home) == before) == (10, True)


def test_a_ledger_that_cannot_be_read_is_set_aside(home: Path) -> None:
    before = contents(home)
    (home / "ledger.duckdb").write_bytes(b"rubbish" * 5000)
    made = maintenance.rebuild(home)
    assert made.set_aside
    assert (made.set_aside.read_bytes()[:7], contents(home)) == (b"rubbish", before | {"telemetry": {}})


def test_what_no_book_has_any_more_is_told(home: Path) -> None:
    (home / "ledger.duckdb").unlink()
    first_segment(home).unlink()
    made = maintenance.rebuild(home)
    assert (made.calls, made.missing) == (5, (SIDECAR,))


def test_compact_of_an_unreadable_ledger_changes_nothing(home: Path) -> None:
    (home / "ledger.duckdb").write_bytes(b"rubbish" * 5000)
    with pytest.raises(MaintenanceFailed, match="taximeter rebuild"):
        maintenance.compact(home)
    assert (home / "ledger.duckdb").read_bytes() == b"rubbish" * 5000


def test_compact_gives_space_back(home: Path) -> None:
    segment(home / "journal", 3, [finished(seq) for seq in range(100, 20_000)])
    book(home)
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        ledger.erase_workspace("acme", 2**50)
        while ledger.erase_calls(5000):
            ledger.checkpoint()
    made = maintenance.compact(home)
    assert made.bytes_after < made.bytes_before


def test_a_ledger_from_a_newer_version_is_left_alone(home: Path) -> None:
    path = home / "ledger.duckdb"
    with closing(duckdb.connect(path)) as connection:
        later = ledger_schema.Migration(99, "later", "SELECT 1")
        ledger_schema.migrate(connection, lambda have: None, (*ledger_schema.migrations(), later))
    before = path.read_bytes()
    with pytest.raises(MaintenanceFailed, match="schema version 99"):
        maintenance.rebuild(home)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(maintenance.rebuild, id="rebuild"),
        pytest.param(maintenance.compact, id="compact"),
        pytest.param(lambda home: maintenance.restore(home, home), id="restore"),
    ],
)
def test_while_somebody_keeps_the_books_they_are_not_remade(home: Path, work: Callable[[Path], object]) -> None:
    with lock.held(home), pytest.raises(lock.AlreadyRunning, match="stop it first"):
        work(home)


class TestBackup:
    def test_backup_and_restore_elsewhere_say_the_same(self, home: Path) -> None:
        made = maintenance.backup(home, home.parent / "copy")
        assert made.segments == 2
        maintenance.restore(home.parent / "other", made.folder)
        assert contents(home.parent / "other") == contents(home)

    def test_a_log_that_is_not_folded_in_belongs_to_it(self, home: Path) -> None:
        book_and_die = (
            "import os, sys; from pathlib import Path; from sidecar.bookkeeper.ledger import Ledger; "
            "ledger = Ledger(Path(sys.argv[1])); ledger.save_telemetry_position('later', (9, 9)); os._exit(0)"
        )
        subprocess.run([sys.executable, "-c", book_and_die, str(home / "ledger.duckdb")], check=True, env=paths())
        assert (home / "ledger.duckdb.wal").stat().st_size
        made = maintenance.backup(home, home.parent / "copy")
        maintenance.restore(home.parent / "other", made.folder)
        assert contents(home.parent / "other") == contents(home)

    def test_without_a_ledger_the_journal_is_the_backup(self, home: Path) -> None:
        (home / "ledger.duckdb").unlink()
        made = maintenance.backup(home, home.parent / "copy")
        assert (made.ledger_bytes, made.segments) == (0, 2)

    def test_a_folder_that_is_there_is_not_touched(self, home: Path) -> None:
        with pytest.raises(MaintenanceFailed, match="already there"):
            maintenance.backup(home, home)

    def test_while_the_bookkeeper_runs_it_gives_the_copy(self, home: Path) -> None:
        with lock.held(home), closing(Ledger(home / "ledger.duckdb")) as ledger:
            asking = Asking(ledger, QueryLimits())
            books = LedgerService(asking, Progress, lambda: 0)
            serving = server.start(home / "bookkeeper.sock", books, UsageService(asking))
            made = maintenance.backup(home, home.parent / "copy")
            serving.stop(None).wait()
        maintenance.restore(home.parent / "other", made.folder)
        assert contents(home.parent / "other") == contents(home)

    def test_a_bookkeeper_that_does_not_answer_is_told_of(self, home: Path) -> None:
        with lock.held(home), pytest.raises(MaintenanceFailed, match="gave no copy"):
            maintenance.backup(home, home.parent / "copy")
        assert list(home.parent.iterdir()) == [home]


class TestRestore:
    @pytest.fixture
    def copy(self, home: Path) -> Path:
        return maintenance.backup(home, home.parent / "copy").folder

    def test_calls_since_the_backup_come_from_the_journal(self, home: Path, copy: Path) -> None:
        add(home / "journal" / SIDECAR / "0000000002.journal", [finished(20)])
        (home / "ledger.duckdb").unlink()
        maintenance.restore(home, copy)
        with closing(Ledger(home / "ledger.duckdb")) as ledger:
            assert rows(ledger, "SELECT count(*), max(seq) FROM ai_call_logs") == [(11, 20)]
            assert rows(ledger, "SELECT count(*) FROM ai_open_calls") == [(0,)]

    def test_calls_since_the_backup_that_only_the_ledger_has_are_kept(self, home: Path, copy: Path) -> None:
        segment(home / "journal", 3, [snapshot(3), finished(30)])
        book(home)
        before = contents(home)
        shutil.rmtree(home / "journal")
        made = maintenance.restore(home, copy)
        assert (made.kept, contents(home)["ai_call_logs"]) == (1, before["ai_call_logs"])

    def test_the_next_start_books_nothing_twice(self, home: Path, copy: Path) -> None:
        maintenance.restore(home, copy)
        book(home)
        assert len(contents(home)["ai_call_logs"]) == 10  # type: ignore[arg-type]

    def test_a_folder_that_is_no_backup_is_refused(self, home: Path) -> None:
        with pytest.raises(MaintenanceFailed, match="is no backup"):
            maintenance.restore(home, home.parent)


@pytest.mark.parametrize("remake", [maintenance.rebuild, maintenance.compact], ids=["rebuild", "compact"])
@pytest.mark.parametrize("step", ["copy_file", "sync_file", "replace"])
def test_stopped_at_any_step_the_books_are_as_they_were(
    home: Path, remake: Callable[[Path], object], step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(home)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, step, stopped)
        if step == "copy_file":
            remake(home)  # copies nothing
        else:
            with pytest.raises(KeyboardInterrupt):
                remake(home)
    assert contents(home) == before


def test_killed_in_the_middle_a_rebuild_leaves_the_old_books_and_can_be_done_again(home: Path) -> None:
    before = contents(home)
    killed = (
        "import os, sys; from pathlib import Path; from sidecar.bookkeeper import files, maintenance; "
        "files.replace = lambda *_: os.kill(os.getpid(), 9); maintenance.rebuild(Path(sys.argv[1]))"
    )
    done = subprocess.run([sys.executable, "-c", killed, str(home)], check=False, env=paths())
    assert (done.returncode, (home / ".ledger.duckdb.new").exists()) == (-9, True)
    assert contents(home) == before
    maintenance.rebuild(home)
    assert (contents(home) == before, (home / ".ledger.duckdb.new").exists()) == (True, False)


def paths() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
