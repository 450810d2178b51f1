"""Sources: the bookkeeper while it runs, the file while it does not, and what is said when neither can answer."""

from __future__ import annotations

import fcntl
import io
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import grpc
import pyarrow as pa
import pytest

from analytics.ledger_file import LedgerFile
from analytics.source import LedgerBusy, LedgerTooNew, NoLedger, QuestionRefused, held, open_source
from sidecar.bookkeeper.ledger_schema import migrations
from sidecar.core.call import CallStatus
from taximeter.ledger.v1 import ledger_pb2, ledger_pb2_grpc
from tests.support.analytics import START, build, ns, settled

COUNT = "SELECT count(*) AS n FROM ai_call_logs"
Rows = Callable[[ledger_pb2.QueryRequest, grpc.ServicerContext], Iterator[ledger_pb2.QueryResponse]]


@pytest.fixture
def home() -> Iterator[Path]:
    """Short: a unix socket lives in it."""
    with tempfile.TemporaryDirectory(prefix="tx") as directory:
        yield Path(directory)


def ledger(home: Path) -> None:
    build(home / "ledger.duckdb", [settled(n, ns(START), [], CallStatus.REFUSED) for n in range(3)])


@contextmanager
def holding(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def in_chunks(table: pa.Table, size: int) -> Iterator[ledger_pb2.QueryResponse]:
    """An Arrow stream cut without regard to its messages."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    data = sink.getvalue()
    for place in range(0, len(data), size):
        yield ledger_pb2.QueryResponse(arrow_ipc=data[place : place + size])


class Bookkeeper(ledger_pb2_grpc.LedgerServiceServicer):
    """Answers as it is told; keeps what it was asked."""

    def __init__(self, answers: list[Rows], version: int = 2) -> None:
        self.answers, self.version = answers, version
        self.asked: list[tuple[str, object]] = []

    def Query(  # noqa: N802 - gRPC's name
        self, request: ledger_pb2.QueryRequest, context: grpc.ServicerContext
    ) -> Iterator[ledger_pb2.QueryResponse]:
        self.asked.append((request.sql, json.loads(request.parameters_json)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        yield from answer(request, context)

    def Backup(  # noqa: N802
        self, request: ledger_pb2.BackupRequest, context: grpc.ServicerContext
    ) -> Iterator[ledger_pb2.BackupResponse]:
        raise AssertionError("readers make no copies")

    def _never(self, request: Any, context: Any) -> Any:
        raise AssertionError("readers ask nothing of the sort")

    BudgetSpent = EraseWorkspace = ListRatable = ReviseCosts = _never

    def GetStatus(  # noqa: N802
        self, request: ledger_pb2.GetStatusRequest, context: grpc.ServicerContext
    ) -> ledger_pb2.GetStatusResponse:
        return ledger_pb2.GetStatusResponse(schema_version=self.version, calls=7, lag_s=0.5)


@contextmanager
def serving(home: Path, *answers: Rows, version: int = 2) -> Iterator[Bookkeeper]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    bookkeeper = Bookkeeper(list(answers), version)
    ledger_pb2_grpc.add_LedgerServiceServicer_to_server(bookkeeper, server)
    server.add_insecure_port(f"unix:{home / 'bookkeeper.sock'}")
    server.start()
    try:
        with holding(home / "bookkeeper.lock"):
            yield bookkeeper
    finally:
        server.stop(0).wait()


def numbers(request: ledger_pb2.QueryRequest, context: grpc.ServicerContext) -> Iterator[ledger_pb2.QueryResponse]:
    return in_chunks(pa.table({"n": list(range(9))}), 7)


def fails(code: grpc.StatusCode, after: int = 0) -> Rows:
    def answer(request: ledger_pb2.QueryRequest, context: grpc.ServicerContext) -> Iterator[ledger_pb2.QueryResponse]:
        parts = list(in_chunks(pa.table({"n": list(range(9))}), 7))
        yield from parts[:after]
        context.abort(code, "so it is")

    return answer


def test_without_a_ledger_it_says_how_to_get_one(home: Path) -> None:
    with pytest.raises(NoLedger, match="start `taximeter up`"):
        open_source(home).table(COUNT)


def test_without_a_bookkeeper_the_file_answers(home: Path) -> None:
    ledger(home)
    assert open_source(home).table(COUNT).to_pylist() == [{"n": 3}]
    assert (open_source(home).status().live, open_source(home).status().calls) == (False, 3)


def test_the_file_is_not_kept_open(home: Path) -> None:
    ledger(home)
    open_source(home).table(COUNT)
    duckdb.connect(home / "ledger.duckdb").close()


def test_questions_put_together_open_the_file_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger(home)
    connect, opened = duckdb.connect, itertools.count()

    def counted(*given: Any, **more: Any) -> duckdb.DuckDBPyConnection:
        next(opened)
        return connect(*given, **more)

    monkeypatch.setattr(duckdb, "connect", counted)
    source = open_source(home)
    with source.together():
        assert [source.table(COUNT).to_pylist() for _ in range(3)] == [[{"n": 3}]] * 3
    assert next(opened) == 1


def test_and_let_it_go(home: Path) -> None:
    ledger(home)
    source = open_source(home)
    with source.together():
        source.table(COUNT)
    duckdb.connect(home / "ledger.duckdb").close()


def test_what_cannot_be_opened_the_questions_say(home: Path) -> None:
    source = open_source(home)
    with source.together(), pytest.raises(NoLedger):
        source.table(COUNT)


def test_with_a_bookkeeper_the_file_is_left_alone(home: Path) -> None:
    ledger(home)
    with serving(home, numbers), open_source(home).together():
        duckdb.connect(home / "ledger.duckdb").close()


def test_a_bookkeeper_that_comes_meanwhile_gets_the_file(home: Path) -> None:
    ledger(home)
    source = open_source(home)
    with source.together():
        assert source.table(COUNT).to_pylist() == [{"n": 3}]
        with serving(home, numbers):
            assert source.table("SELECT n").num_rows == 9
            duckdb.connect(home / "ledger.duckdb").close()
        assert source.table(COUNT).to_pylist() == [{"n": 3}]
    duckdb.connect(home / "ledger.duckdb").close()


def test_an_export_that_cannot_have_less_memory_has_what_there_is(home: Path) -> None:
    """DuckDB sets no limit below what is in use."""
    ledger(home)
    file = LedgerFile(home / "ledger.duckdb")
    with file.used() as busy:
        busy.execute("SET GLOBAL max_temp_directory_size = '0B'")
        busy.execute("CREATE TEMP TABLE large AS SELECT hash(range) AS a, hash(range + 1) AS b FROM range(12_000_000)")
        with pytest.raises(duckdb.Error):
            busy.execute("SET GLOBAL memory_limit = '128MB'")
        with file.used(streaming=True) as stream:
            assert stream.execute(COUNT).fetchall() == [(3,)]
    duckdb.connect(home / "ledger.duckdb").close()


def test_questions_are_answered_while_an_export_reads(home: Path) -> None:
    """Within one process a file is opened only one way: both are of it."""
    ledger(home)
    source = open_source(home)
    limit = "SELECT current_setting('memory_limit') AS n"
    batches = source.batches("SELECT seq FROM ai_call_logs ORDER BY seq")
    first = next(batches)
    (low,) = source.table(limit).to_pylist()
    assert source.table(COUNT).to_pylist() == [{"n": 3}]
    assert first.num_rows + sum(batch.num_rows for batch in batches) == 3
    assert source.table(limit).to_pylist() != [low]


def test_the_file_gives_batches_and_parameters(home: Path) -> None:
    ledger(home)
    batches = open_source(home).batches("SELECT seq FROM ai_call_logs WHERE seq >= ? ORDER BY seq", (1,))
    assert [row["seq"] for batch in batches for row in batch.to_pylist()] == [1, 2]


@pytest.mark.parametrize(
    "sql",
    [
        "COPY ai_call_logs TO '/tmp/x'",
        "SELECT * FROM read_text('/etc/passwd')",
        "DELETE FROM calls",
        "SELEC",
        "SELECT 1/a",
    ],
)
def test_the_file_only_answers_questions(home: Path, sql: str) -> None:
    ledger(home)
    with pytest.raises(QuestionRefused, match="cannot"):
        open_source(home).table(sql)


def test_a_newer_ledger_is_not_guessed_at(home: Path) -> None:
    ledger(home)
    with duckdb.connect(home / "ledger.duckdb") as connection:
        connection.execute("INSERT INTO schema_version (version) VALUES (99)")
    with pytest.raises(LedgerTooNew, match="version 99"):
        open_source(home).table(COUNT)


def test_a_newer_bookkeeper_is_not_guessed_at(home: Path) -> None:
    with serving(home, numbers, version=99), pytest.raises(LedgerTooNew, match="version 99"):
        open_source(home).table(COUNT)


def test_the_newest_known_version_is_the_newest_migration() -> None:
    from analytics.answering import SCHEMA_VERSION

    assert migrations()[-1].version == SCHEMA_VERSION


def test_a_running_bookkeeper_is_asked(home: Path) -> None:
    ledger(home)
    with serving(home, numbers) as bookkeeper:
        source = open_source(home)
        assert source.table("SELECT n", ("a", 1, None, 0.5)).to_pylist() == [{"n": n} for n in range(9)]
        assert [batch.num_rows for batch in source.batches("SELECT n")] == [2, 2, 2, 2, 1]
        assert (source.status().live, source.status().lag_s) == (True, 0.5)
    assert bookkeeper.asked == [("SELECT n", ["a", 1, None, 0.5]), ("SELECT n", [])]


@pytest.mark.parametrize("after", [0, 3], ids=["at-once", "in-the-middle"])
def test_a_bookkeeper_that_goes_is_asked_again(home: Path, after: int) -> None:
    with serving(home, fails(grpc.StatusCode.UNAVAILABLE, after), numbers) as bookkeeper:
        assert open_source(home).table("SELECT n").num_rows == 9
    assert len(bookkeeper.asked) == 2


def test_once_only(home: Path) -> None:
    with (
        serving(home, fails(grpc.StatusCode.UNAVAILABLE)) as bookkeeper,
        pytest.raises(LedgerBusy, match="does not answer"),
    ):
        open_source(home).table("SELECT n")
    assert len(bookkeeper.asked) == 2


def test_batches_given_out_are_not_given_twice(home: Path) -> None:
    with serving(home, fails(grpc.StatusCode.UNAVAILABLE, after=60), numbers):
        batches = open_source(home).batches("SELECT n")
        next(batches)
        with pytest.raises(LedgerBusy):
            list(batches)


def test_a_refused_question_is_not_repeated(home: Path) -> None:
    with (
        serving(home, fails(grpc.StatusCode.INVALID_ARGUMENT)) as bookkeeper,
        pytest.raises(QuestionRefused, match="so it is"),
    ):
        open_source(home).table("SELECT n")
    assert len(bookkeeper.asked) == 1


def test_a_bookkeeper_that_never_comes_is_not_waited_for_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.bookkeeper._START_S", 0.2)
    with holding(home / "bookkeeper.lock"), pytest.raises(LedgerBusy, match="does not answer"):
        open_source(home).table("SELECT n")


def test_the_same_source_moves_to_the_file_and_back(home: Path) -> None:
    ledger(home)
    source = open_source(home)
    with serving(home, numbers):
        assert source.status().live
    assert not source.status().live
    with serving(home, numbers):
        assert source.status().live


def test_looking_at_a_lock_leaves_it_free(home: Path) -> None:
    lock = home / "bookkeeper.lock"
    assert not held(lock)
    with holding(lock):
        assert held(lock)
    assert not held(lock)
    with holding(lock):
        pass
