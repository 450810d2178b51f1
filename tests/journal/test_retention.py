from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.journal import Position, backlog_bytes, ingested, mark_ingested, retire, sidecars
from sidecar.journal.segments import numbers, path_of
from tests.support.journal import SIDECAR, a_record, entries, open_journal

YOUNGER = SIDECAR.replace("01J", "01K")
"""An incarnation that came after."""
LONG_AGO_NS, LATER_NS = 1_000_000_000, 2_000_000_000


@pytest.fixture
async def old(tmp_path: Path) -> Path:
    """A closed journal of some segments, all last written long ago."""
    journal = open_journal(tmp_path)
    while len(numbers(tmp_path / SIDECAR)) < 5:
        await journal.finished(a_record(journal.begin()))
    await journal.close()
    for path in (tmp_path / SIDECAR).iterdir():
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    (tmp_path / YOUNGER).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("before", "older_than_ns", "left"),
    [
        pytest.param(Position(3, 5), LATER_NS, [3, 4], id="only-whole-segments-before-the-position"),
        pytest.param(Position(3, 0), LONG_AGO_NS, [1, 2, 3, 4], id="none-that-is-young"),
        pytest.param(Position(0, 0), LATER_NS, [1, 2, 3, 4], id="none-that-was-not-read"),
        pytest.param(Position(4, 1), LATER_NS, [4], id="not-the-newest-before-it-was-read-whole"),
        pytest.param(Position(4, 1 << 40), LATER_NS, [], id="the-newest-of-a-closed-journal-too"),
    ],
)
def test_what_may_go(old: Path, before: Position, older_than_ns: int, left: list[int]) -> None:
    gone = retire(old, SIDECAR, before, older_than_ns)
    assert (numbers(old / SIDECAR), gone) == (left, 4 - len(left))


def test_with_its_last_segment_a_sidecar_is_gone(old: Path) -> None:
    end = entries(old / SIDECAR)[-1].position
    mark_ingested(old, SIDECAR, end)
    (old / SIDECAR / "ingested.new").write_text("a mark that was never finished")
    retire(old, SIDECAR, end, LATER_NS)
    assert sidecars(old) == [YOUNGER]


def test_the_newest_of_the_newest_incarnation_stays(old: Path) -> None:
    """Budgets go on from what stands in it, however long ago that was."""
    (old / YOUNGER).rmdir()
    retire(old, SIDECAR, Position(4, 1 << 40), LATER_NS)
    assert numbers(old / SIDECAR) == [4]


def test_a_young_segment_keeps_those_behind_it(old: Path) -> None:
    os.utime(path_of(old / SIDECAR, 2), ns=(LATER_NS, LATER_NS))
    retire(old, SIDECAR, Position(4, 0), LATER_NS)
    assert numbers(old / SIDECAR) == [2, 3, 4]


async def test_the_newest_of_a_journal_that_is_written_stays(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    await journal.finished(a_record(journal.begin()))
    end = entries(tmp_path / SIDECAR)[-1].position
    assert retire(tmp_path, SIDECAR, end, 1 << 62) == 0
    await journal.close()


def test_the_mark_comes_back(old: Path) -> None:
    mark_ingested(old, SIDECAR, Position(2, 77))
    mark_ingested(old, SIDECAR, Position(3, 5))
    assert ingested(old, SIDECAR) == Position(3, 5)


@pytest.mark.parametrize("content", [None, "", "x y", "3"], ids=["absent", "empty", "words", "half"])
def test_a_mark_that_cannot_be_read_means_the_beginning(old: Path, content: str | None) -> None:
    if content is not None:
        (old / SIDECAR / "ingested").write_text(content)
    assert ingested(old, SIDECAR) == Position(0, 0)


def test_the_backlog_shrinks_with_the_mark(old: Path) -> None:
    found = entries(old / SIDECAR)
    whole = sum(path.stat().st_size for path in (old / SIDECAR).iterdir())
    before = backlog_bytes(old)
    mark_ingested(old, SIDECAR, found[-1].position)
    assert (before, backlog_bytes(old)) == (whole, 0)
