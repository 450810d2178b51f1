"""What DuckDB may take: the whole for questions and booking, little while only files are on their way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import Limits, connect
from sidecar.bookkeeper.ledger_memory import Memory
from sidecar.bookkeeper.ledger_reads import QueryLimits, QueryRefused, Stop, select
from tests.support.ledger import batches, finished

WHOLE, LOW = "the whole", "little"
LIMITS = Limits(memory="100MB", streams="10MB")
FILE = QueryLimits(any_size=True)
MANY = "SELECT repeat('x', 100) AS text FROM range(300000)"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(tmp_path / "ledger.duckdb", LIMITS) as connection:
        connection.execute("SET lock_configuration = true")
        yield connection


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.duckdb", LIMITS)
    for batch in batches([finished(seq) for seq in range(20)], []):
        ledger.book(batch)
    yield ledger
    ledger.close()


def memory_of(connection: duckdb.DuckDBPyConnection, limits: Limits = LIMITS) -> Memory:
    memory = Memory(limits)
    memory.opened(connection)
    return memory


def limit(connection: duckdb.DuckDBPyConnection) -> int:
    """Bytes, as DuckDB has it, to the tenth of a MiB."""
    (found,) = connection.execute("SELECT parse_formatted_bytes(current_setting('memory_limit'))").fetchall()
    return int(found[0])


def named(size: int) -> str | int:
    """What a file works with here is less than what is kept beside."""
    return WHOLE if size > 99_000_000 else LOW if size < 20_000_000 else size


def test_the_limit_is_low_while_nothing_but_files_leaves(connection: duckdb.DuckDBPyConnection) -> None:
    memory = memory_of(connection)
    seen = [named(limit(connection))]
    with memory.used("a file"):
        seen.append(named(limit(connection)))
        memory.streams("a file")
        seen.append(named(limit(connection)))
        with memory.used("a question"):
            seen.append(named(limit(connection)))
        seen.append(named(limit(connection)))
        with memory.used("another file"):
            memory.streams("another file")
            seen.append(named(limit(connection)))
    seen.append(named(limit(connection)))
    assert seen == [WHOLE, WHOLE, LOW, WHOLE, LOW, LOW, WHOLE]


def test_what_a_file_works_with_is_not_taken_from_it(connection: duckdb.DuckDBPyConnection) -> None:
    memory = memory_of(connection)
    connection.execute(f"CREATE TEMP TABLE sorted AS {MANY}")
    (worked_with,) = connection.execute("SELECT sum(memory_usage_bytes)::BIGINT FROM duckdb_memory()").fetchall()[0]
    with memory.used("a file"):
        memory.streams("a file")
        assert worked_with > 20_000_000
        assert worked_with < limit(connection) < 99_000_000


def test_a_limit_below_that_of_files_stays(connection: duckdb.DuckDBPyConnection) -> None:
    memory = memory_of(connection, Limits(memory="100MB", streams="200MB"))
    with memory.used("a file"):
        memory.streams("a file")
        assert named(limit(connection)) == WHOLE


def test_an_instance_that_is_gone_is_no_fault_of_its_users(connection: duckdb.DuckDBPyConnection) -> None:
    memory = memory_of(connection)
    connection.close()
    with memory.used("a file"):
        memory.streams("a file")
        assert memory.limit == 100_000_000


def test_a_file_lowers_the_limit_from_its_first_rows_to_its_last(ledger: Ledger) -> None:
    answer = select(ledger, MANY, (), FILE, Stop())
    seen = [(next(answer).num_rows > 0, named(ledger.memory.limit)) for _ in range(2)]
    rows = sum(batch.num_rows for batch in answer)
    assert seen == [(False, WHOLE), (True, LOW)]
    assert rows < 300_000
    assert ledger.memory.limit == 100_000_000


def test_questions_and_booking_have_the_whole_beside_a_file(ledger: Ledger) -> None:
    with ExitStack() as stack:
        answer = select(ledger, MANY, (), FILE, Stop())
        stack.callback(answer.close)  # type: ignore[attr-defined]  # a generator
        next(answer), next(answer)
        question = select(ledger, "SELECT count(*) AS n FROM ai_call_logs", (), QueryLimits(), Stop())
        next(question)
        seen = [named(ledger.memory.limit)]
        assert sum(batch.to_pylist()[0]["n"] for batch in question) == 20
        seen.append(named(ledger.memory.limit))
        with ledger.transaction():
            seen.append(named(ledger.memory.limit))
        seen.append(named(ledger.memory.limit))
    assert seen == [WHOLE, LOW, WHOLE, LOW]
    assert ledger.memory.limit == 100_000_000


def test_a_ledger_that_is_opened_anew_has_the_whole(ledger: Ledger) -> None:
    answer = select(ledger, "FROM range(10000000000)", (), FILE, Stop())
    next(answer), next(answer)
    opening = threading.Thread(target=ledger.reopen)
    opening.start()
    with pytest.raises(QueryRefused, match="Interrupted"):
        for _ in answer:
            pass
    opening.join()
    assert ledger.memory.limit == 100_000_000
    with ledger.reading() as reader:
        assert named(limit(reader)) == WHOLE
