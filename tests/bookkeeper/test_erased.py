"""A workspace that was deleted stays deleted, whatever is read again."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from sidecar.bookkeeper import erased, maintenance, server
from sidecar.bookkeeper.answering import Asking
from sidecar.bookkeeper.ingest import Ingest, Progress
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits
from sidecar.bookkeeper.ledger_service import LedgerService
from sidecar.bookkeeper.usage_service import UsageService
from sidecar.core.clock import Clock
from taximeter.journal.v1 import journal_pb2
from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from tests.support.blank import blank
from tests.support.budget_books import alerted, budget_state, state
from tests.support.ledger import T0_NS, finished, record, rows, started
from tests.support.ledger_journal import Log, segment, snapshot

UNTIL_US = (T0_NS + 100 * 10**9) // 1000
"""The first hundred calls began before."""
TABLES = ("calls", "open_calls", "budget_states", "budget_alerts")


@pytest.fixture
def home() -> Iterator[Path]:
    """Twenty finished calls, every other one acme's; two open ones; budgets of acme's. All booked."""
    with tempfile.TemporaryDirectory(prefix="tx") as name:
        home = Path(name)
        budgets = [alerted(at_ns=T0_NS), state(budget_state(), at_ns=T0_NS)]
        frames = [snapshot(1), *(finished(seq, attempts=2) for seq in range(20)), started(30), started(31), *budgets]
        segment(home / "journal", 1, frames)
        with closing(Ledger(blank(home / "ledger.duckdb"))) as ledger:
            Ingest(home / "journal", ledger, Log(), Clock()).turn()
        yield home


def counts(home: Path, workspace: str = "acme") -> dict[str, int]:
    """Rows of each table that names the workspace, and attempts that belong to no call."""
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        found = {name: rows(ledger, f"SELECT count(*) FROM {name} WHERE workspace = ?", workspace) for name in TABLES}
        lone = "SELECT count(*) FROM attempts WHERE (sidecar_id, seq) NOT IN (SELECT (sidecar_id, seq) FROM calls)"
        return {name: int(str(row[0][0])) for name, row in {**found, "lone attempts": rows(ledger, lone)}.items()}


NOTHING = dict.fromkeys((*TABLES, "lone attempts"), 0)


def erase(home: Path, step: int = 3) -> int:
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        ledger.erase_workspace("acme", UNTIL_US)
        total = 0
        while done := ledger.erase_calls(step):
            assert done <= step
            total += done
        return total


def again(home: Path) -> None:
    """The bookkeeper reads the journal from its beginning into a new ledger."""
    (home / "ledger.duckdb").unlink()
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        Ingest(home / "journal", ledger, Log(), Clock()).turn()


def test_all_that_was_the_workspaces_goes_and_nothing_else(home: Path) -> None:
    others = counts(home, "default")
    assert counts(home) == {"calls": 10, "open_calls": 1, "budget_states": 1, "budget_alerts": 1, "lone attempts": 0}
    assert erase(home) == 10
    assert counts(home) == NOTHING
    assert counts(home, "default") == others


@pytest.mark.parametrize(
    "read_again", [again, maintenance.rebuild, maintenance.compact], ids=["again", "rebuild", "compact"]
)
def test_the_journal_does_not_bring_it_back(home: Path, read_again: Callable[[Path], object]) -> None:
    erase(home)
    others = counts(home, "default")
    read_again(home)
    assert counts(home) == NOTHING
    assert counts(home, "default") == others


def test_a_ledger_that_cannot_be_read_makes_no_difference(home: Path) -> None:
    erase(home)
    (home / "ledger.duckdb").write_bytes(b"rubbish" * 5000)
    maintenance.rebuild(home)
    assert counts(home) == NOTHING


def test_a_backup_from_before_does_not_bring_it_back_where_it_was_deleted(home: Path) -> None:
    maintenance.backup(home, home / "saved")
    erase(home)
    maintenance.restore(home, home / "saved")
    assert counts(home) == NOTHING


def test_a_backup_from_afterwards_knows_elsewhere_too(home: Path) -> None:
    """Its journal still has the calls."""
    erase(home)
    maintenance.backup(home, home / "saved")
    with tempfile.TemporaryDirectory(prefix="tx") as name:
        maintenance.restore(Path(name), home / "saved")
        maintenance.rebuild(Path(name))
        assert counts(Path(name)) == NOTHING


def test_what_comes_after_a_kill_is_deleted_at_the_next_tidying(home: Path) -> None:
    """The end was written down, and not a call was deleted yet."""
    erased.write(home / erased.FILE, {"acme": UNTIL_US})
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        assert ledger.erase_calls(1000) == 10
    assert counts(home) == NOTHING


def test_a_workspace_of_the_same_name_made_later_has_its_own(home: Path) -> None:
    erase(home)
    segment(home / "journal", 2, [snapshot(2), finished(200), finished(201, attempts=2)])
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        Ingest(home / "journal", ledger, Log(), Clock()).turn()
        assert ledger.erase_calls(1000) == 0
    assert counts(home)["calls"] == 1


def test_an_end_never_moves_back(home: Path) -> None:
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        ledger.erase_workspace("acme", UNTIL_US)
        ledger.erase_workspace("acme", 1)
    assert json.loads((home / erased.FILE).read_text()) == {"acme": UNTIL_US}


@pytest.mark.parametrize("content", ["", "[]", '{"acme": "soon"}', "{"])
def test_without_knowing_what_was_deleted_nothing_is_booked(home: Path, content: str) -> None:
    (home / erased.FILE).write_text(content)
    with pytest.raises(OSError, match=r"erased\.json cannot be read"):
        Ledger(home / "ledger.duckdb")


def test_the_owner_of_the_socket_erases(home: Path) -> None:
    with closing(Ledger(home / "ledger.duckdb")) as ledger:
        asking = Asking(ledger, QueryLimits(timeout_s=5.0, max_rows=1000))
        serving = server.start(home / "b.sock", LedgerService(asking, Progress, lambda: 0), UsageService(asking))
        with grpc.insecure_channel(f"unix:{home / 'b.sock'}") as channel:
            books = ledger_pb2_grpc.LedgerServiceStub(channel)
            asked = ledger_pb2.EraseWorkspaceRequest(workspace="acme", before_ns=UNTIL_US * 1000)
            assert [books.EraseWorkspace(asked).deleted_calls for _ in range(2)] == [10, 0]
            with pytest.raises(grpc.RpcError, match="required"):
                books.EraseWorkspace(ledger_pb2.EraseWorkspaceRequest(workspace="acme"))
        serving.stop(None).wait()


def test_a_batch_that_was_read_before_and_booked_after_has_nothing_of_it(home: Path) -> None:
    from tests.support.ledger import batches

    with tempfile.TemporaryDirectory(prefix="tx") as name, closing(Ledger(Path(name) / "ledger.duckdb")) as ledger:
        (batch,) = batches([journal_pb2.Frame(finished=record(1)), journal_pb2.Frame(finished=record(2))], [])
        ledger.erase_workspace("acme", UNTIL_US)
        ledger.book(batch)
        assert rows(ledger, "SELECT workspace FROM calls") == [("default",)]
        assert len(rows(ledger, "FROM attempts")) == 1
