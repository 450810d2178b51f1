"""The data dictionary: dictionary.toml, the ledger's views and the page in docs say the same of every column."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from sidecar.bookkeeper import ledger_dictionary as dictionary
from sidecar.bookkeeper import ledger_schema

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data-dictionary.md"


@pytest.fixture(scope="module")
def ledger() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        ledger_schema.migrate(connection, lambda _: None)
        yield connection


def test_every_view_is_told(ledger: duckdb.DuckDBPyConnection) -> None:
    assert set(dictionary.columns(ledger)) == set(dictionary.told()["views"])


def test_every_column_is_told(ledger: duckdb.DuckDBPyConnection) -> None:
    words = dictionary.told()
    for view, named in dictionary.columns(ledger).items():
        for column, _ in named:
            assert dictionary.meaning(words, view, column), (view, column)


def test_nothing_is_told_of_what_is_not_there(ledger: duckdb.DuckDBPyConnection) -> None:
    words, views = dictionary.told(), dictionary.columns(ledger)
    there = {view: {column for column, _ in named} for view, named in views.items()}
    assert {column for named in there.values() for column in named} >= set(words["columns"])
    for view, said in words["views"].items():
        assert there[view] >= set(said.get("columns", {})), view


def test_the_page_is_made_of_it(ledger: duckdb.DuckDBPyConnection) -> None:
    assert PAGE.read_text() == dictionary.page(ledger), "run `make dictionary`"


def test_the_words_stand_in_the_ledger(ledger: duckdb.DuckDBPyConnection) -> None:
    assert dictionary.comment(ledger)
    said = ledger.execute(
        "SELECT comment FROM duckdb_columns() WHERE table_name = 'ai_call_logs' AND column_name = 'error_type'"
    ).fetchone()
    assert said == ("what was wrong, as rate_limited, timeout, key_missing; '' if nothing",)
    assert not dictionary.comment(ledger), "once is enough"
