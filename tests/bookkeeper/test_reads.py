"""What can be asked with SQL, and what cannot."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_connection import Limits
from sidecar.bookkeeper.ledger_reads import QueryCancelled, QueryLimits, QueryRefused, QueryTooLarge, Stop, select
from tests.support.ledger import batches, finished, rows

ENDLESS = "SELECT count(*) FROM range(10000000) AS a, range(10000000) AS b WHERE a.range + b.range = 7"


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path_factory.mktemp("reads") / "ledger.duckdb", Limits(memory="300MB"))
    for batch in batches([finished(seq) for seq in range(20)], []):
        ledger.book(batch)
    yield ledger
    ledger.close()


def ask(ledger: Ledger, sql: str, *parameters: object, limits: QueryLimits | None = None) -> list[dict[str, object]]:
    answer = select(ledger, sql, parameters, limits or QueryLimits(), Stop())
    return [row for batch in answer for row in batch.to_pylist()]


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("SELECT count(*) AS n FROM ai_call_logs", id="select"),
        pytest.param("FROM ai_call_logs SELECT count(*) AS n", id="from-first"),
        pytest.param("WITH a AS (SELECT * FROM ai_call_logs) SELECT count(*) AS n FROM a", id="with"),
        pytest.param("VALUES (20)", id="values"),
        pytest.param("SELECT sum(calls)::BIGINT FROM ai_call_days", id="sums-of-days"),
        pytest.param("SELECT sum(attempts)::BIGINT FROM ai_attempt_days", id="a-macro-within-a-view"),
        pytest.param("SELECT sum(times)::BIGINT FROM ai_latency_days WHERE measure = 'duration'", id="bins"),
        pytest.param("SELECT CAST(round(latency_ms(latency_bin(20.0))) AS BIGINT)", id="a-bins-middle"),
    ],
)
def test_one_select_is_answered(ledger: Ledger, sql: str) -> None:
    assert [list(row.values()) for row in ask(ledger, sql)] == [[20]]


def test_parameters_are_values(ledger: Ledger) -> None:
    assert ask(
        ledger,
        "SELECT seq FROM ai_call_logs WHERE started_at >= ?::TIMESTAMP AND alias = ? ORDER BY seq",
        "2026-01-01 00:00:17.000000",
        "smart",
    ) == [{"seq": 18}]


def test_an_empty_answer_has_a_schema(ledger: Ledger) -> None:
    (only,) = select(ledger, "SELECT seq FROM ai_call_logs WHERE false", (), QueryLimits(), Stop())
    assert (only.num_rows, only.schema.names) == (0, ["seq"])


@pytest.mark.parametrize(
    "sql",
    [
        pytest.param("COPY calls TO '{folder}/out.csv'", id="copy-to"),
        pytest.param("EXPORT DATABASE '{folder}/out'", id="export"),
        pytest.param("SELECT * FROM read_csv('/etc/passwd')", id="read-csv"),
        pytest.param("SELECT * FROM read_text('/etc/passwd')", id="read-text"),
        pytest.param("SELECT * FROM '/etc/passwd'", id="file-as-table"),
        pytest.param("SELECT * FROM glob('/etc/*')", id="glob"),
        pytest.param("ATTACH '{folder}/other.duckdb'", id="attach"),
        pytest.param("INSTALL httpfs", id="install"),
        pytest.param("LOAD httpfs", id="load"),
        pytest.param("SET memory_limit = '99GB'", id="set"),
        pytest.param("PRAGMA threads = 99", id="pragma"),
        pytest.param("DELETE FROM calls", id="delete"),
        pytest.param("INSERT INTO ledger_positions VALUES ('x', 1, 1, 0, false)", id="insert"),
        pytest.param("CREATE TEMP TABLE t AS SELECT 1", id="create-temp"),
        pytest.param("DROP TABLE calls", id="drop"),
        pytest.param("EXPLAIN ANALYZE DELETE FROM calls", id="explain-analyze"),
        pytest.param("SELECT 1; DELETE FROM calls", id="two-statements"),
        pytest.param("SELECT 1; SELECT 2", id="two-selects"),
        pytest.param("", id="nothing"),
        pytest.param("CALL force_checkpoint()", id="call"),
        pytest.param("SELECT * FROM force_checkpoint()", id="checkpoint-in-a-select"),
        pytest.param(
            "SELECT * FROM main.Enable_Logging('QueryLog', storage_path = '{folder}')", id="logging-in-a-select"
        ),
        pytest.param("FROM attempt_facts_since(TIMESTAMP '2026-01-01')", id="a-macro-that-is-no-view"),
        pytest.param("SELECT 1 WHERE EXISTS (FROM enable_profiling())", id="profiling-in-a-subquery"),
        pytest.param("SELECT * FROM query('SELECT * FROM enable_profiling()')", id="sql-in-sql"),
        pytest.param("SELECT * FROM ledger", id="a-variable-of-this-process"),
        pytest.param("SELEC 1", id="no-sql"),
        pytest.param("SELECT nothing FROM ai_call_logs", id="no-such-column"),
        pytest.param("SELECT CAST('x' AS INTEGER)", id="no-such-value"),
        pytest.param("SELECT ?", id="parameter-missing"),
    ],
)
def test_anything_else_is_refused_and_changes_nothing(ledger: Ledger, tmp_path: Path, sql: str) -> None:
    with pytest.raises(QueryRefused):
        ask(ledger, sql.format(folder=tmp_path))
    assert (list(tmp_path.iterdir()), rows(ledger, "SELECT count(*) FROM calls")) == ([], [(20,)])


@pytest.mark.parametrize(
    ("sql", "limits", "which"),
    [
        pytest.param(ENDLESS, QueryLimits(timeout_s=0.2), "took longer than 0.2 s", id="time"),
        pytest.param("FROM range(100000)", QueryLimits(max_rows=50_000), "more than 50000 rows", id="rows"),
        pytest.param("SELECT list(range) FROM range(200000000)", QueryLimits(), "more memory", id="memory"),
    ],
)
def test_limits_end_a_query_and_leave_the_ledger_well(
    ledger: Ledger, sql: str, limits: QueryLimits, which: str
) -> None:
    with pytest.raises(QueryTooLarge, match=which):
        ask(ledger, sql, limits=limits)
    assert ask(ledger, "SELECT count(*) AS n FROM calls") == [{"n": 20}]


def test_a_reader_who_takes_rows_slowly_meets_the_time_limit_too(ledger: Ledger) -> None:
    answer = select(ledger, "FROM range(100000000)", (), QueryLimits(timeout_s=0.2), Stop())
    next(answer)
    time.sleep(0.4)
    with pytest.raises(QueryTooLarge):
        list(answer)


def test_an_answer_of_any_size_meets_neither_limit_while_it_is_taken(ledger: Ledger) -> None:
    limits = QueryLimits(timeout_s=1.0, max_rows=10, any_size=True)
    rows = 0
    for batch in select(ledger, "FROM range(100000)", (), limits, Stop()):
        time.sleep(0.12)  # eleven of them: longer than the limit
        rows += batch.num_rows
    assert rows == 100_000


def test_an_answer_of_any_size_that_nobody_takes_ends(ledger: Ledger) -> None:
    answer = select(ledger, "FROM range(100000000)", (), QueryLimits(timeout_s=0.2, any_size=True), Stop())
    next(answer)
    time.sleep(0.4)
    with pytest.raises(QueryTooLarge, match="none taken"):
        list(answer)


@pytest.mark.parametrize("before", [True, False], ids=["before-it-began", "while-it-runs"])
def test_a_cancelled_query_ends_at_once(ledger: Ledger, before: bool) -> None:
    stop = Stop()
    if before:
        stop.cancel()
    else:
        threading.Timer(0.2, stop.cancel).start()
    began = time.monotonic()
    with pytest.raises(QueryCancelled):
        list(select(ledger, ENDLESS, (), QueryLimits(), stop))
    assert time.monotonic() - began < 5
