from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sidecar.core.clock import Clock
from sidecar.journal import Journal, recover
from sidecar.journal.standing import Left, left_behind
from taximeter.journal.v1 import journal_pb2
from tests.support.journal import SIDECAR, TINY, a_record, a_start, abandoned, open_journal

OTHER = SIDECAR.replace("01J", "01K")


@dataclass
class Budgets:
    """One budget that counts requests."""

    spent: int = 0
    clock_ns: int = 7
    size_bytes: int = 64
    extra: list[journal_pb2.BudgetWindow] = field(default_factory=list)

    def windows(self) -> list[journal_pb2.BudgetWindow]:
        return [window("b1", self.spent), *self.extra]


def window(budget_id: str, spent: int) -> journal_pb2.BudgetWindow:
    return journal_pb2.BudgetWindow(budget_id=budget_id, start_ns=1, spent_requests=spent)


@pytest.fixture
def budgets() -> Budgets:
    return Budgets()


@pytest.fixture
async def journal(tmp_path: Path, budgets: Budgets) -> AsyncIterator[Journal]:
    yield (made := Journal.open(tmp_path, SIDECAR, TINY, Clock(), lambda _: None, standing=budgets))
    await made.close()


async def call(journal: Journal, budgets: Budgets) -> None:
    """As the invoker does: written first, counted then."""
    await journal.finished(a_record(journal.begin()))
    budgets.spent += 1


def requests(left: Left, budget_id: str = "b1") -> int:
    """The fold: what stood, and every finish that is not in it."""
    return left.windows[budget_id].spent_requests + sum(budget_id not in inside for _, inside in left.records)


@pytest.mark.parametrize("calls", [0, 1, 5, 60], ids=lambda n: f"{n}-calls")
async def test_after_a_kill_nothing_is_lost_or_counted_twice(
    tmp_path: Path, journal: Journal, budgets: Budgets, calls: int
) -> None:
    for _ in range(calls):
        await call(journal, budgets)
    left = left_behind(tmp_path)
    assert (requests(left), left.known, left.clock_ns) == (calls, True, 7)


async def test_only_what_followed_the_newest_snapshot_is_read(
    tmp_path: Path, journal: Journal, budgets: Budgets
) -> None:
    for _ in range(60):
        await call(journal, budgets)
    left = left_behind(tmp_path)
    assert len(left.records) < 60


async def test_after_a_good_end_nothing_is_left_to_fold(tmp_path: Path, budgets: Budgets) -> None:
    journal = Journal.open(tmp_path, SIDECAR, TINY, Clock(), lambda _: None, standing=budgets)
    for _ in range(5):
        await call(journal, budgets)
    await journal.close()
    left = left_behind(tmp_path)
    assert (requests(left), left.records) == (5, [])


async def test_a_call_that_a_recovery_ended_counts(tmp_path: Path, journal: Journal, budgets: Budgets) -> None:
    await call(journal, budgets)
    journal.started(a_start(journal.begin()))
    assert recover(tmp_path, Clock(), abandoned) == 1
    left = left_behind(tmp_path)
    assert [record.status for record, _ in left.records] == ["ok", "abandoned"]


async def test_a_window_that_was_opened_has_what_came_before_in_it(
    tmp_path: Path, journal: Journal, budgets: Budgets
) -> None:
    await call(journal, budgets)
    journal.budget_window(window("b2", 1))
    await call(journal, budgets)
    left = left_behind(tmp_path)
    assert (requests(left, "b2"), requests(left)) == (2, 2)


@pytest.mark.parametrize(("threshold", "told"), [("soft", (9, 0)), ("hard", (0, 9))])
async def test_an_alert_that_was_given_is_known(
    tmp_path: Path, journal: Journal, threshold: str, told: tuple[int, int]
) -> None:
    journal.alert(journal_pb2.BudgetAlert(budget_id="b1", threshold=threshold, at_ns=9, window_start_ns=1))
    found = left_behind(tmp_path).windows["b1"]
    assert (found.soft_alert_ns, found.hard_alert_ns) == told


async def test_an_alert_of_another_window_is_not_this_ones(tmp_path: Path, journal: Journal) -> None:
    journal.alert(journal_pb2.BudgetAlert(budget_id="b1", threshold="soft", at_ns=9, window_start_ns=2))
    left = left_behind(tmp_path)
    assert (left.windows["b1"].soft_alert_ns, [alert.window_start_ns for alert in left.alerts]) == (0, [2])


def test_where_no_journal_is_nothing_was_spent(tmp_path: Path) -> None:
    assert left_behind(tmp_path).fresh


async def test_a_journal_that_tells_of_no_budgets_leaves_them_unknown(tmp_path: Path) -> None:
    await open_journal(tmp_path).close()
    left = left_behind(tmp_path)
    assert (left.known, left.fresh) == (False, False)


async def test_an_incarnation_that_never_began_does_not_hide_the_one_before(
    tmp_path: Path, journal: Journal, budgets: Budgets
) -> None:
    await call(journal, budgets)
    (tmp_path / OTHER).mkdir()
    assert requests(left_behind(tmp_path)) == 1
    assert not left_behind(tmp_path).fresh


async def test_calls_of_an_incarnation_that_knew_no_budgets_leave_them_unknown(
    tmp_path: Path, journal: Journal, budgets: Budgets
) -> None:
    """An older version ran for a while: what the one before it has left is not all that was spent."""
    await call(journal, budgets)
    older = open_journal(tmp_path, sidecar_id=OTHER)
    await older.finished(replace(a_record(older.begin()), sidecar_id=OTHER))
    await older.close()
    left = left_behind(tmp_path)
    assert (left.known, left.fresh, left.windows) == (False, False, {})


async def test_many_budgets_fit_into_every_snapshot(tmp_path: Path) -> None:
    budgets = Budgets(extra=[window(f"budget-{number:04d}", number) for number in range(2000)], size_bytes=100_000)
    journal = Journal.open(tmp_path, SIDECAR, TINY, Clock(), lambda _: None, standing=budgets)
    for _ in range(40):
        await call(journal, budgets)
    left = left_behind(tmp_path)
    await journal.close()
    assert (requests(left), len(left.windows)) == (40, 2001)


async def test_an_alert_that_meets_a_failed_disk_stops_nobody_who_is_counting(
    tmp_path: Path, budgets: Budgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[BaseException] = []
    journal = Journal.open(tmp_path, SIDECAR, TINY, Clock(), failures.append, standing=budgets)

    def broken(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr("sidecar.journal.roll.write_all", broken)
    journal.alert(journal_pb2.BudgetAlert(alert_id="a"))
    assert (len(failures), journal.healthy) == (1, False)
    await journal.close()
