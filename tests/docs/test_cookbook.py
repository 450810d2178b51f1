"""docs: every query shown runs, through the bookkeeper's guard, on a week of calls with budgets."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_reads import QueryLimits, Stop, select
from tests.support.analytics import build
from tests.support.analytics_week import week

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = ("cookbook.md", "ledger.md", "data-dictionary.md")
SHOWN = re.compile(r"^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
QUERIES = [
    pytest.param(sql, id=f"{page}-{number}")
    for page in PAGES
    for number, sql in enumerate(SHOWN.findall((DOCS / page).read_text()), 1)
]
MAY_BE_EMPTY = ("ai_open_calls", "ai_budget_states", "ai_budget_alerts")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("books") / "ledger.duckdb"
    build(path, week(datetime.now(UTC), calls=1500))
    ledger = Ledger(path)
    yield ledger
    ledger.close()


def test_there_are_queries() -> None:
    assert len(QUERIES) >= 15


def test_now_is_utc_wherever_the_machine_stands(ledger: Ledger) -> None:
    """A process has read its TZ by now, so it is the setting that is looked at."""
    (zone,) = pa.Table.from_batches(
        list(select(ledger, "SELECT current_setting('TimeZone') AS zone", (), QueryLimits(), Stop()))
    )["zone"].to_pylist()
    assert zone == "UTC"


@pytest.mark.parametrize("sql", QUERIES)
def test_a_query_that_is_shown_answers(ledger: Ledger, sql: str) -> None:
    answer = pa.Table.from_batches(list(select(ledger, sql, (), QueryLimits(), Stop())))
    assert answer.num_rows or any(view in sql for view in MAY_BE_EMPTY)
