"""Days, weeks and months as people in a zone count them; and what a turn of the window means for calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sidecar.budget import OverBudget, is_zone, window_at
from sidecar.core.control import Window
from tests.support.budgets import NEVER_S, NOON, SECOND_NS, WHO, Bench, Hand, attempt, bound, budget, record

param = pytest.param
HOUR_NS = 3600 * SECOND_NS


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


@pytest.mark.parametrize(
    ("window", "zone", "instant", "start", "end"),
    [
        param("day", "UTC", "2026-03-11 12:00", "2026-03-11 00:00", "2026-03-12 00:00", id="a day in UTC"),
        param("day", "UTC", "2026-03-11 00:00", "2026-03-11 00:00", "2026-03-12 00:00", id="from its first instant"),
        param("day", "Europe/Berlin", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00", id="23 h in spring"),
        param("day", "Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00", id="25 h in autumn"),
        param("day", "Asia/Kathmandu", "2026-03-11 18:14", "2026-03-10 18:15", "2026-03-11 18:15", id="off by 5:45"),
        param("day", "America/St_Johns", "2009-11-01 03:00", "2009-11-01 02:30", "2009-11-02 03:30",
              id="the day before is told twice: set back at 0:01"),
        param("day", "Pacific/Apia", "2011-12-30 09:59", "2011-12-29 10:00", "2011-12-30 10:00", id="before the leap"),
        param("day", "Pacific/Apia", "2011-12-30 10:00", "2011-12-30 10:00", "2011-12-31 10:00",
              id="the 30th was leapt over"),
        param("day", "America/Sao_Paulo", "2018-11-04 12:00", "2018-11-04 03:00", "2018-11-05 02:00",
              id="a day that begins at 1 o'clock"),
        param("week", "UTC", "2026-03-11 12:00", "2026-03-09 00:00", "2026-03-16 00:00", id="a week from Monday"),
        param("week", "UTC", "2026-03-15 23:59", "2026-03-09 00:00", "2026-03-16 00:00", id="to Sunday"),
        param("week", "America/New_York", "2026-03-16 03:59", "2026-03-09 04:00", "2026-03-16 04:00",
              id="by the Monday there"),
        param("month", "UTC", "2026-02-28 12:00", "2026-02-01 00:00", "2026-03-01 00:00", id="28 days"),
        param("month", "UTC", "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00", id="29 days"),
        param("month", "UTC", "2026-03-31 23:59", "2026-03-01 00:00", "2026-04-01 00:00", id="31 days, not 30"),
        param("month", "UTC", "2026-12-31 23:59", "2026-12-01 00:00", "2027-01-01 00:00", id="December"),
        param("month", "America/Los_Angeles", "2026-04-01 06:59", "2026-03-01 08:00", "2026-04-01 07:00",
              id="begins in winter, ends in summer"),
        param("day", "No/Where", "2026-03-11 12:00", "2026-03-11 00:00", "2026-03-12 00:00", id="no such zone: UTC"),
    ],
)  # fmt: skip
def test_window(window: str, zone: str, instant: str, start: str, end: str) -> None:
    assert window_at(Window(window), zone, at(instant)) == (at(start), at(end))


def test_a_total_never_ends() -> None:
    assert window_at(Window.TOTAL, "UTC", NOON) == (0, 0)


@pytest.mark.parametrize(
    ("name", "known"),
    [("UTC", True), ("Pacific/Apia", True), ("", False), ("Mars/Base", False), ("../etc/passwd", False)],
)
def test_zones(name: str, known: bool) -> None:
    assert is_zone(name) is known


ZONES = [
    *("UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Pacific/Chatham", "America/New_York"),
    *("Europe/London", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "America/Sao_Paulo", "Antarctica/Troll"),
]
instants = st.integers(0, at("2037-01-01 00:00") // SECOND_NS)


def local(second: int, zone: str) -> datetime:
    return datetime.fromtimestamp(second, ZoneInfo(zone))


@settings(deadline=None)
@given(st.sampled_from(ZONES), instants)
@example("Pacific/Apia", at("2011-12-30 10:00") // SECOND_NS)
@example("America/St_Johns", at("2009-11-01 02:45") // SECOND_NS)
def test_a_month_is_from_the_first_instant_of_one_to_the_first_instant_of_the_next(zone: str, second: int) -> None:
    """By brute force: of all quarters of an hour around, the boundaries are where the month first changes."""
    start_ns, end_ns = window_at(Window.MONTH, zone, second * SECOND_NS)
    start, end = start_ns // SECOND_NS, end_ns // SECOND_NS
    assert start <= second < end
    for edge in (start, end):
        month = local(edge, zone).month
        before = [local(edge - minutes * 60, zone).month for minutes in range(1, 300)]
        assert all(each == (month - 2) % 12 + 1 for each in before)
        after = {local(edge + minutes * 60, zone).month for minutes in range(120, 600, 15)}
        assert after == {month}
    assert timedelta(days=26) < timedelta(seconds=end - start) < timedelta(days=32)


@settings(deadline=None)
@given(st.sampled_from([Window.DAY, Window.WEEK, Window.MONTH]), st.sampled_from(ZONES), instants)
def test_windows_follow_each_other_without_gap_or_overlap(window: Window, zone: str, second: int) -> None:
    start_ns, end_ns = window_at(window, zone, second * SECOND_NS)
    assert window_at(window, zone, end_ns)[0] == end_ns
    assert window_at(window, zone, end_ns - 1) == (start_ns, end_ns)
    assert window_at(window, zone, start_ns) == (start_ns, end_ns)
    assert window_at(window, zone, start_ns - 1)[1] == start_ns


def turned(zone: str, window: str, first: str, second: str) -> bool:
    """Whether what was spent at the first instant is forgotten at the second."""
    bench = Bench(Hand(at(first))).with_(budget(usd=100, window=Window(window), time_zone=zone))
    bench.spend(100)
    bench.hand.wall_ns = at(second)
    return bench.spent() == (0,)


@pytest.mark.parametrize(
    ("zone", "window", "first", "second", "anew"),
    [
        param("UTC", "month", "2026-03-01 00:00", "2026-03-31 23:59", False, id="day 31 is the same month"),
        param("UTC", "month", "2026-02-28 23:59", "2026-03-01 00:00", True, id="a minute later is another"),
        param("America/New_York", "day", "2026-03-11 03:59", "2026-03-11 04:00", True, id="midnight there"),
        param("America/New_York", "day", "2026-03-11 23:59", "2026-03-12 00:00", False, id="not midnight here"),
        param("UTC", "total", "2026-03-11 12:00", "2036-03-11 12:00", False, id="a total never"),
    ],
)
def test_turn(zone: str, window: str, first: str, second: str, anew: bool) -> None:
    assert turned(zone, window, first, second) is anew


def test_old_spend_does_not_block_after_the_turn() -> None:
    bench = Bench().with_(budget(usd=100, window=Window.DAY))
    bench.spend(100)
    with pytest.raises(OverBudget):
        bench.budgets.reserve(WHO, [bound(1)], NEVER_S)
    bench.hand.wall_ns += 12 * HOUR_NS
    bench.budgets.reserve(WHO, [bound(100)], NEVER_S)


def test_a_call_settles_in_the_window_in_which_it_was_admitted() -> None:
    bench = Bench().with_(budget(usd=100, window=Window.DAY))
    hold = bench.budgets.reserve(WHO, [bound(60)], NEVER_S)
    bench.hand.wall_ns += 12 * HOUR_NS
    bench.budgets.reserve(WHO, [bound(100)], NEVER_S)
    bench.budgets.settle(hold, record(attempts=[attempt(50)], budget_ns=hold.budget_ns))
    assert (bench.spent(), bench.held()) == ((0,), (100,))


def test_a_clock_that_steps_back_does_not_open_the_old_window_again() -> None:
    bench = Bench().with_(budget(usd=100, window=Window.DAY))
    bench.spend(100)
    bench.hand.wall_ns += 12 * HOUR_NS
    bench.budgets.reserve(WHO, [bound(30)], NEVER_S)
    bench.hand.wall_ns -= 20 * HOUR_NS
    hold = bench.budgets.reserve(WHO, [bound(30)], NEVER_S)
    assert hold.budget_ns == NOON + 12 * HOUR_NS
    assert (bench.spent(), bench.held()) == ((0,), (60,))


def test_a_clock_that_leaps_ahead_and_back_leaves_budgets_there_until_time_has_come() -> None:
    bench = Bench().with_(budget(usd=100, window=Window.DAY))
    bench.hand.wall_ns += 48 * HOUR_NS
    bench.spend(70)
    bench.hand.wall_ns -= 48 * HOUR_NS
    bench.budgets.reserve(WHO, [bound(30)], NEVER_S)
    with pytest.raises(OverBudget):
        bench.budgets.reserve(WHO, [bound(1)], NEVER_S)
    bench.hand.wall_ns += 72 * HOUR_NS
    bench.budgets.reserve(WHO, [bound(100)], NEVER_S)


def test_it_is_remembered_how_late_it_was() -> None:
    bench = Bench()
    bench.budgets.see(NOON + 5)
    assert (bench.budgets.now_ns(), bench.budgets.stamp(NOON)) == (NOON + 5, NOON + 5)


def test_a_record_is_not_stamped_where_its_start_says_it() -> None:
    bench = Bench()
    bench.budgets.see(NOON)
    assert bench.budgets.stamp(NOON) == 0
