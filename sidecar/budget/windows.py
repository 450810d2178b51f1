"""Windows of time: days, weeks and months as people in a time zone count them. Pure."""

from __future__ import annotations

from bisect import bisect_left
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from sidecar.core.control import Window

SECOND_NS = 1_000_000_000
_UTC = "UTC"


def window_at(window: Window, zone: str, at_ns: int) -> tuple[int, int]:
    """The window that an instant lies in: [start, end) in UTC ns; (0, 0) for `total`, which never ends.

    A window begins at the first instant of its first day, whatever the clocks there do at midnight. What comes after
    that instant is in it, also where a clock set back tells the day before once more.
    """
    if window is Window.TOTAL:
        return 0, 0
    at_s, where = at_ns // SECOND_NS, _zone(zone)
    first = _first_day(window, datetime.fromtimestamp(at_s, where).date())
    start_s, end_s = _begins(first, where), _begins(_after(window, first), where)
    while at_s >= end_s:
        first = _after(window, first)
        start_s, end_s = end_s, _begins(_after(window, first), where)
    return start_s * SECOND_NS, end_s * SECOND_NS


def is_zone(name: str) -> bool:
    """Whether the tz database has it."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    """UTC where no database has the name: it is refused where budgets are made, and a call must not fail of it."""
    return ZoneInfo(name if is_zone(name) else _UTC)


def _first_day(window: Window, day: date) -> date:
    match window:
        case Window.WEEK:
            return day - timedelta(days=day.weekday())
        case Window.MONTH:
            return day.replace(day=1)
    return day


def _after(window: Window, first: date) -> date:
    """The first day of the window that follows."""
    match window:
        case Window.WEEK:
            return first + timedelta(days=7)
        case Window.MONTH:
            return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=1)


def _begins(day: date, zone: ZoneInfo) -> int:
    """UTC seconds of the first instant that is `day` there, or later where clocks leap over all of it."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    by_old, by_new = int(midnight.timestamp()), int(midnight.replace(fold=1).timestamp())
    if by_new >= by_old:  # midnight comes, once or twice: the first time counts
        return by_old
    leap = range(by_new, by_old)  # midnight is leapt over, at some instant in here
    return by_new + bisect_left(leap, 1, key=lambda second: datetime.fromtimestamp(second, zone).date() >= day)
