"""The sums of days are the sums of their calls: whatever is booked, priced anew, deleted or made anew, and when."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sidecar.bookkeeper import ledger_days, maintenance
from sidecar.bookkeeper.batch import fold
from sidecar.bookkeeper.ledger import Ledger
from sidecar.bookkeeper.ledger_carry import carry_over
from sidecar.bookkeeper.ledger_connection import LedgerFault, Limits
from sidecar.bookkeeper.ledger_days import Rolled
from sidecar.bookkeeper.ledger_revisions import Rerating, ratable, revise
from sidecar.bookkeeper.retention import Keep, expire_calls
from sidecar.bookkeeper.rolling import Rolling, roll
from sidecar.core.call import UNPRICED, Attempt, AttemptStatus, CallRecord, CallStatus, Target, Usage, UsageSource
from sidecar.core.clock import Clock
from sidecar.journal.records import to_proto
from taximeter.journal.v1 import journal_pb2
from taximeter.ledger.v1 import ledger_pb2 as pb
from taximeter.v1 import metering_pb2
from tests.support import analytics
from tests.support.analytics import START
from tests.support.days import close_month, differing, roll_all, rolled
from tests.support.ledger import batches, finished, rows
from tests.support.ledger_journal import Log, add, segment, snapshot
from tests.support.stack import until

param = pytest.param
FIRST = START.date()
"""A Monday; nothing here lasts longer than five days."""
TODAY = FIRST + timedelta(days=5)
DAY_NS = 86_400 * 10**9
LONG_AGO = date(1970, 1, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


class Books:
    """A ledger, and what happens to it. Days are counted from FIRST; its month is closed."""

    def __init__(self, home: Path, blank: Path) -> None:
        """`blank`: a ledger of nothing, which is copied."""
        self.home = home
        shutil.copy(blank, home / "ledger.duckdb")
        self.ledger = Ledger(home / "ledger.duckdb")
        self.booked = 0
        self.told: list[journal_pb2.Frame] = []

    def book(self, *records: CallRecord) -> None:
        frames = [journal_pb2.Frame(finished=to_proto(record)) for record in records]
        self.told += frames
        until = self.booked + len(frames)
        self.ledger.book(fold("sidecar-a", (0, self.booked), (0, until), frames))
        self.booked = until

    def book_one(self, number: int, workspace: str = "a") -> None:
        """A call of that day's afternoon, with one unpriced attempt."""
        seq, began_ns = self.booked, analytics.ns(START) + number * DAY_NS + DAY_NS * 3 // 4
        target, usage = Target("openai", "m1"), Usage(input=100)
        tried = replace(
            Attempt(1, target, "openai", AttemptStatus.OK, began_ns, began_ns + 10**9),
            usage=usage,
            usage_source=UsageSource.REPORTED,
            cost=UNPRICED,
        )
        self.book(analytics.settled(seq, began_ns, [tried], CallStatus.OK, workspace=workspace))

    def reprice(self, picodollars: int) -> None:
        """All that may be."""
        found = ratable(self.ledger, pb.ListRatableRequest(start_ns=0, end_ns=2**62), 1000)
        cost = metering_pb2.Cost(priced=True, amount_picodollars=picodollars, price_source="override")
        cost.lines.add(meter="output", quantity=1, price_per_million_picodollars=1, cost_picodollars=picodollars)
        why = Rerating(f"rer_{picodollars}", "late", "local", picodollars)
        revise(self.ledger, why, [pb.RevisedCost(key=each.key, cost=cost) for each in found])

    def expire(self, number: int) -> None:
        """Calls of days before that one."""
        now_ns = analytics.ns(START) + number * DAY_NS
        while expire_calls(self.ledger, Keep(1e9, ledger_s=0.0), now_ns).calls:
            pass

    def erase(self, workspace: str, number: int) -> None:
        """All of it until the noon of that day."""
        self.ledger.erase_workspace(workspace, (analytics.ns(START) + number * DAY_NS + DAY_NS // 2) // 1000)
        while self.ledger.erase_calls(2):
            pass

    def by_day(self, workspace: str = "a") -> list[int]:
        """Calls of each day, from FIRST to the last that has any, as the sums have it."""
        sql = "SELECT sum(calls) FILTER (workspace = ?)::BIGINT FROM ai_call_days GROUP BY day ORDER BY day"
        return [int(str(calls or 0)) for (calls,) in rows(self.ledger, sql, workspace)]


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blank") / "ledger.duckdb"
    with closing(Ledger(path)) as ledger:
        close_month(ledger, FIRST.replace(day=1))
    return path


@pytest.fixture
def books(tmp_path: Path, blank: Path) -> Iterator[Books]:
    books = Books(tmp_path, blank)
    yield books
    books.ledger.close()


STEPS = st.lists(
    st.tuples(st.sampled_from(["book", "book", "roll", "reprice", "expire", "erase"]), st.integers(0, 4)),
    min_size=4,
    max_size=6,
)


@settings(max_examples=5, deadline=None, phases=[Phase.generate])
@given(data=st.data(), steps=STEPS)
def test_whatever_happens_days_are_the_sums_of_their_calls(
    blank: Path, data: st.DataObject, steps: list[tuple[str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as home:
        books = Books(Path(home), blank)
        with closing(books.ledger) as ledger:
            books.book(*(_moved(each, each.seq, 0) for each in data.draw(analytics.ledgers())))
            for number, (step, at) in enumerate([*steps, ("roll", 4)]):
                match step:
                    case "book":
                        drawn = data.draw(analytics.ledgers())
                        books.book(*(_moved(each, books.booked + each.seq, at) for each in drawn))
                    case "roll":
                        roll_all(ledger, day(at))
                    case "reprice":
                        books.reprice(1000 + number)
                    case "expire":
                        books.expire(at)
                    case _:
                        books.erase("a", at)
                assert differing(ledger, rolled(ledger).since) == [], (step, at)


def _moved(record: CallRecord, seq: int, number: int) -> CallRecord:
    """The same call, so many days later and with a key of its own."""
    later = number * DAY_NS

    def moved(attempt: Attempt) -> Attempt:
        ended_ns = None if attempt.ended_ns is None else attempt.ended_ns + later
        return replace(attempt, started_ns=attempt.started_ns + later, ended_ns=ended_ns)

    attempts = tuple(map(moved, record.attempts))
    return replace(record, seq=seq, started_ns=record.started_ns + later, attempts=attempts)


@pytest.mark.parametrize(
    ("happens", "until"),
    [
        param(lambda books: books.book_one(1), 1, id="a-late-call"),
        param(lambda books: books.reprice(7), 0, id="costs-priced-anew"),
        param(lambda books: books.erase("a", 3), 4, id="a-workspace-deleted-takes-its-own-sums-only"),
        param(lambda books: books.erase("a", 2), 2, id="but-on-its-last-day-a-call-was-later"),
        param(lambda books: books.book_one(4), 4, id="a-call-of-today"),
    ],
)
def test_what_changes_a_summed_day_takes_its_sums_back(books: Books, happens: Any, until: int) -> None:
    for number in (0, 1, 2, 3):
        books.book_one(number)
    with books.ledger.transaction() as writer:  # an older one, so that the last day has a call to go
        writer.execute("UPDATE calls SET started_at = started_at - INTERVAL 8 HOUR WHERE seq = 2")
    roll_all(books.ledger, day(4))
    happens(books)
    assert rolled(books.ledger).until == day(until)
    assert differing(books.ledger) == []
    roll_all(books.ledger, day(4))
    assert (rolled(books.ledger).until, differing(books.ledger)) == (day(4), [])


def test_a_day_that_changes_while_it_is_read_is_left_for_later(books: Books) -> None:
    books.book_one(0)
    assert not roll(books.ledger, TODAY, begins=lambda _: books.book_one(0))
    assert rolled(books.ledger).until == LONG_AGO
    assert not roll(books.ledger, TODAY), "it has just changed"
    assert roll(books.ledger, TODAY)
    assert (rolled(books.ledger).until, books.by_day()) == (day(1), [2])


def test_calls_of_today_do_not_hold_up_yesterdays_sums(books: Books) -> None:
    books.book_one(0)
    books.ledger.watch()
    assert roll(books.ledger, day(1), begins=lambda _: books.book_one(1))
    assert (rolled(books.ledger).until, books.by_day()) == (day(1), [1, 1])


def test_days_without_calls_are_passed_over(books: Books) -> None:
    books.book_one(3)
    roll_all(books.ledger, TODAY)
    assert rolled(books.ledger).until == TODAY


@pytest.mark.parametrize(
    ("minutes", "lag_s", "until"),
    [
        param(9, 0.0, day(0), id="not-at-midnight"),
        param(10, 0.0, day(1), id="ten-minutes-later"),
        param(10, 11.0, LONG_AGO, id="not-while-the-journal-is-ahead"),
    ],
)
def test_when_a_day_is_finished(books: Books, minutes: int, lag_s: float, until: date) -> None:
    books.book_one(0)
    books.ledger.watch()
    now_ns = analytics.ns(START) + DAY_NS + minutes * 60 * 10**9
    Rolling(books.ledger, lambda: lag_s, Log(), Clock(wall_ns=lambda: now_ns)).turn()
    assert rolled(books.ledger).until == until


def test_it_works_by_itself_and_ends_when_told(books: Books) -> None:
    books.book_one(0)
    books.ledger.watch()
    working = Rolling(books.ledger, lambda: 0.0, Log(), Clock())
    working.start()
    until(lambda: rolled(books.ledger).until > day(1), "all is summed up")
    working.end(5.0)
    assert "rolling" not in [thread.name for thread in threading.enumerate()]


def test_what_goes_wrong_is_logged_and_tried_again(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    books.book_one(0)
    books.ledger.watch()
    log = Log()
    working = Rolling(books.ledger, lambda: 0.0, log, Clock())
    with monkeypatch.context() as broken:
        broken.setattr(ledger_days, "SUMS", {"call_days": ledger_days.SUMS["attempt_days"]})
        assert not working.turn()
    assert log.events == ["rolling_failed"]
    assert working.turn()


def test_a_ledger_is_opened_anew_while_a_day_waits_to_be_written(books: Books) -> None:
    def read_and_write() -> None:
        with suppress(LedgerFault), books.ledger.reading() as reader:
            reading.set()
            with books.ledger.writing(reader):
                pass

    reading = threading.Event()
    with books.ledger.transaction():
        thread = threading.Thread(target=read_and_write, daemon=True)
        thread.start()
        assert reading.wait(5)
    books.ledger.reopen()
    thread.join(5)
    assert not thread.is_alive()


class TestSumsWithoutCalls:
    """Of two workspaces' calls on days 0 to 2 the first two days have gone."""

    @pytest.fixture
    def aged(self, books: Books) -> Books:
        for number in (0, 1, 2):
            books.book_one(number)
            books.book_one(number, "b")
        roll_all(books.ledger, day(3))
        books.expire(2)
        assert rows(books.ledger, "SELECT count(*) FROM calls") == [(2,)]
        return books

    def test_a_workspace_that_is_deleted_takes_them_along(self, aged: Books) -> None:
        aged.erase("a", 3)
        assert (aged.by_day("a"), aged.by_day("b")) == ([0, 0, 0], [1, 1, 1])

    def test_one_of_the_same_name_has_its_own(self, aged: Books) -> None:
        aged.erase("a", 3)
        aged.book_one(3)
        roll_all(aged.ledger, TODAY)
        aged.expire(4)
        aged.ledger.close()
        aged.ledger = Ledger(aged.home / "ledger.duckdb")
        aged.ledger.erase_calls(10)
        assert aged.by_day("a") == [0, 0, 0, 1]

    def test_they_are_not_priced_anew(self, aged: Books) -> None:
        aged.reprice(7)
        assert rolled(aged.ledger) == Rolled(day(2), day(2))
        costs = "SELECT day, sum(cost_usd) IS NOT NULL FROM ai_attempt_days GROUP BY day ORDER BY day"
        assert rows(aged.ledger, costs) == [(day(0), False), (day(1), False), (day(2), True)]


REMADE: dict[str, Callable[[Path], object]] = {
    "rebuild": maintenance.rebuild,
    "compact": maintenance.compact,
    "restore": lambda home: maintenance.restore(home, home / "aged"),
    "restore-from-before": lambda home: maintenance.restore(home, home / "young"),
}


@pytest.mark.parametrize("remake", REMADE.values(), ids=REMADE)
def test_a_ledger_that_is_made_anew_has_sums_without_calls_once(books: Books, remake: Callable[[Path], object]) -> None:
    """Though its journal tells of their calls again, and so does a backup from before."""
    for number in (0, 1, 2):
        books.book_one(number)
    journal = segment(books.home / "journal", 1, [snapshot(1), *books.told], sidecar_id="sidecar-a")
    with books.ledger.transaction() as writer:
        writer.execute("UPDATE ledger_positions SET segment = 1, byte_offset = ?", [journal.stat().st_size])
    roll_all(books.ledger, day(3))
    for name in ("young", "aged"):
        books.ledger.close()
        maintenance.backup(books.home, books.home / name)
        books.ledger = Ledger(books.home / "ledger.duckdb")
        books.expire(2)
    books.ledger.close()
    remake(books.home)
    books.ledger = Ledger(books.home / "ledger.duckdb")
    assert (books.by_day(), rolled(books.ledger)) == ([1, 1, 1], Rolled(day(2), day(2)))
    roll_all(books.ledger, day(3))
    assert (books.by_day(), differing(books.ledger, day(2))) == ([1, 1, 1], [])


@pytest.mark.parametrize("remake", [maintenance.rebuild, REMADE["restore"]], ids=["rebuild", "restore"])
def test_a_late_call_that_only_the_journal_has_comes_into_the_sums(
    books: Books, remake: Callable[[Path], object]
) -> None:
    """Of a day that has only sums, recorded while no bookkeeper ran."""
    for number in (0, 1, 2):
        books.book_one(number)
    journal = segment(books.home / "journal", 1, [snapshot(1), *books.told], sidecar_id="sidecar-a")
    with books.ledger.transaction() as writer:
        writer.execute("UPDATE ledger_positions SET segment = 1, byte_offset = ?", [journal.stat().st_size])
    roll_all(books.ledger, day(3))
    books.expire(2)
    books.ledger.close()
    maintenance.backup(books.home, books.home / "aged")
    late = journal_pb2.Frame()
    late.CopyFrom(books.told[0])
    late.finished.seq = 99
    add(journal, [late])
    remake(books.home)
    books.ledger = Ledger(books.home / "ledger.duckdb")
    assert (books.by_day(), rolled(books.ledger)) == ([2, 1, 1], Rolled(day(2), day(2)))
    assert rows(books.ledger, "SELECT byte_offset FROM ledger_positions") == [(journal.stat().st_size,)]


def test_a_strangers_calls_of_such_days_come_into_the_sums(books: Books, tmp_path: Path) -> None:
    """A backup of another machine, restored where those days have only sums."""
    for number in (0, 1):
        books.book_one(number)
    roll_all(books.ledger, day(2))
    books.expire(2)
    books.ledger.close()
    with closing(Ledger(tmp_path / "other.duckdb")) as other:
        for batch in batches([finished(1)], []):
            other.book(batch)
        with other.transaction() as writer:
            for table in ("calls", "attempts"):
                writer.execute(f"UPDATE {table} SET started_at = TIMESTAMP '2026-11-02 12:00:00'")
    carry_over(books.home / "ledger.duckdb", tmp_path / "other.duckdb", Limits())
    books.ledger = Ledger(tmp_path / "other.duckdb")
    assert (books.by_day("a"), books.by_day("acme")) == ([1, 1], [1, 0])
    assert rows(books.ledger, "SELECT sum(attempts) FROM ai_attempt_days") == [(3,)]
