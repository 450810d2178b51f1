"""A file and its manifest at their place: what the manifest says is what the file holds, and what the ledger has."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from analytics.exports import Format
from analytics.filing import CALL_ROWS, Asked, file, rows, sums
from analytics.period import Period
from analytics.places import place
from analytics.question import BadQuestion, Filters
from analytics.source import Source, open_source
from tests.support.analytics import START, temporary
from tests.support.analytics_week import week

SPAN = Period(START, START + timedelta(days=7))


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with temporary(week(SPAN.end, calls=300)) as home:
        yield open_source(home)


@pytest.mark.parametrize(
    ("filters", "some"),
    [
        pytest.param({}, True, id="all"),
        pytest.param({"tag:team": ["red", "blue"]}, True, id="by-tag"),
        pytest.param({"workspace": ["acme"]}, False, id="a-workspace-without-calls"),
        pytest.param({"provider": "openai", "alias": "smart"}, True, id="by-provider-and-alias"),
    ],
)
def test_manifest_file_and_ledger_agree(source: Source, tmp_path: Path, filters: Filters, some: bool) -> None:
    asked = Asked(CALL_ROWS, SPAN, filters, Format.CSV)
    written, told = file(source, asked, place(str(tmp_path / "calls.csv")))
    content = (tmp_path / "calls.csv").read_bytes()
    manifest = json.loads(told)
    assert told == (tmp_path / "calls.csv.manifest.json").read_bytes()
    assert (manifest["bytes"], manifest["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert (manifest["rows"] > 0) is some
    assert manifest["rows"] == rows(source, asked) == written.rows
    assert sums(source, asked).items() <= manifest.items()


def test_rows_come_in_the_order_of_the_ledger(source: Source, tmp_path: Path) -> None:
    asked = Asked(CALL_ROWS, SPAN, {}, Format.CSV)
    hashes = {file(source, asked, place(str(tmp_path / f"{turn}.csv")))[0].sha256 for turn in range(3)}
    assert len(hashes) == 1


def test_a_filter_that_does_not_exist_writes_nothing(source: Source, tmp_path: Path) -> None:
    with pytest.raises(BadQuestion, match="colour"):
        file(source, Asked(CALL_ROWS, SPAN, {"colour": "red"}, Format.CSV), place(str(tmp_path / "calls.csv")))
    assert list(tmp_path.iterdir()) == []
