"""What a budget comes to by the end of its window, from what finished days came to.

Days are taken to be like the last four weeks', each by itself: the rest of a window is the mean of days like those that
are left, and its interval what the spread of such days, and what is not known of their mean, make of it (Student's t).
From two weeks on, days are like those of the same weekday. Parts of a day count by the calls that usually come in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import sqrt
from statistics import fmean
from typing import NamedTuple

LEVEL = 0.8
"""Share of the windows that end within the interval, if days go on as they did."""
BY_WEEKDAY = 14
"""Finished days from which each weekday has a mean of its own."""
ELAPSED = 0.01
"""Of a window that has to be over, before its own rate says anything."""
GUESSED = 3.0
"""Times the rate, where nothing tells how it strays."""
_T90 = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397, 1.383, 1.372, 1.363, 1.356, 1.350, 1.345, 1.341, 1.337,
        1.333, 1.330, 1.328, 1.325, 1.323, 1.321, 1.319, 1.318, 1.316, 1.315, 1.314, 1.313)  # fmt: skip
"""The 90th percentile of Student's t with 1, 2, ... degrees of freedom: between it and its negative lie 80 %."""
_HOURS = 24


@dataclass(frozen=True, slots=True)
class Stretch:
    """A day that is still to come, or what is left of it."""

    start: datetime
    end: datetime
    days: float
    """Of a usual day's calls."""

    @property
    def weekday(self) -> int:
        return self.start.weekday()


@dataclass(frozen=True, slots=True)
class Forecast:
    """Figures in the budget's unit. They are estimates, so floats."""

    per_day: float | None
    """The run rate: mean of a finished day, or of the window so far."""
    at_end: float | None
    """None for a window without an end, and while nothing can be said."""
    low: float | None
    high: float | None
    exhausted_at: datetime | None
    """When the limit is reached at this rate, UTC; None: not in this window, or not within a year."""
    method: str
    """In words."""
    level: float = LEVEL


def forecast(
    history: Mapping[date, float], ahead: Sequence[Stretch], *, spent: float, limit: float, over: float, ends: bool
) -> Forecast:
    """`history`: what finished days came to. `ahead`: what is left of the window, in order. `over`: days of the window
    that are over. `ends`: whether the window does; else only the day of exhaustion is told."""
    rest = _rest(history, ahead, spent, over)
    if rest is None:
        return Forecast(None, None, None, None, None, "nothing can be said yet: less than two finished days")
    when = _reached(ahead, rest.course, limit - spent)
    if not ends:
        return Forecast(rest.per_day, None, None, None, when, rest.method)
    at_end = spent + sum(rest.course)
    return Forecast(rest.per_day, at_end, max(spent, at_end - rest.below), at_end + rest.above, when, rest.method)


class _Rest(NamedTuple):
    """What is left of a window comes to."""

    course: list[float]
    """Expected of each stretch."""
    below: float
    above: float
    """From what is expected to the ends of the interval."""
    per_day: float
    method: str


def _rest(history: Mapping[date, float], ahead: Sequence[Stretch], spent: float, over: float) -> _Rest | None:
    if len(history) >= BY_WEEKDAY:
        return _by_weekday(history, ahead)
    return _plain(history, ahead) if len(history) > 1 else _guessed(spent, over, ahead)


def _by_weekday(history: Mapping[date, float], ahead: Sequence[Stretch]) -> _Rest:
    known: dict[int, list[float]] = defaultdict(list)
    for day, amount in history.items():
        known[day.weekday()].append(amount)
    means = {weekday: fmean(amounts) for weekday, amounts in known.items()}
    freedom = len(history) - len(means)
    variance = sum((amount - means[day.weekday()]) ** 2 for day, amount in history.items()) / freedom
    left: dict[int, float] = defaultdict(float)
    for stretch in ahead:
        left[stretch.weekday] += stretch.days
    unsure = sum(days**2 / len(known[weekday]) for weekday, days in left.items()) + sum(left.values())
    spread = _t(freedom) * sqrt(variance * unsure)
    method = f"the mean of each weekday in {len(history)} finished days, 80 % interval from how they strayed"
    course = [stretch.days * means[stretch.weekday] for stretch in ahead]
    return _Rest(course, spread, spread, fmean(history.values()), method)


def _plain(history: Mapping[date, float], ahead: Sequence[Stretch]) -> _Rest:
    mean = fmean(history.values())
    variance = sum((amount - mean) ** 2 for amount in history.values()) / (len(history) - 1)
    left = sum(stretch.days for stretch in ahead)
    spread = _t(len(history) - 1) * sqrt(variance * (left**2 / len(history) + left))
    few = "; few days, so it is wide" if len(history) < BY_WEEKDAY / 2 else ""
    method = f"the mean of {len(history)} finished days, 80 % interval from how they strayed{few}"
    return _Rest([stretch.days * mean for stretch in ahead], spread, spread, mean, method)


def _guessed(spent: float, over: float, ahead: Sequence[Stretch]) -> _Rest | None:
    left = sum(stretch.days for stretch in ahead)
    if over <= 0 or over < ELAPSED * (over + left):
        return None
    rest = spent / over * left
    method = f"the rate of this window so far; less than two finished days, so up to {GUESSED:.0f} times it is a guess"
    course = [stretch.days * spent / over for stretch in ahead]
    return _Rest(course, rest, (GUESSED - 1) * rest, spent / over, method)


def _t(freedom: int) -> float:
    return _T90[min(freedom, len(_T90)) - 1]


def _reached(ahead: Sequence[Stretch], courses: Sequence[float], left: float) -> datetime | None:
    """When the limit is reached, if it is."""
    if left <= 0:
        return ahead[0].start if ahead else None
    for stretch, amount in zip(ahead, courses, strict=True):
        if amount >= left:
            return stretch.start + (stretch.end - stretch.start) * (left / amount)
        left -= amount
    return None


def stretches(start: datetime, end: datetime, profile: Sequence[float]) -> list[Stretch]:
    """[start, end) cut at midnights, UTC. `profile`: the share of a day's calls in each of its 24 hours."""
    cut = []
    while start < end:
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
        until = min(end, midnight + timedelta(days=1))
        cut.append(Stretch(start, until, _share(start - midnight, until - midnight, profile)))
        start = until
    return cut


def _share(low: timedelta, high: timedelta, profile: Sequence[float]) -> float:
    """Of a usual day, what comes between two times of day."""
    first, last = (time / timedelta(hours=1) for time in (low, high))
    return sum(profile[hour] * max(0.0, min(last, hour + 1) - max(first, hour)) for hour in range(_HOURS))


EVEN = (1 / _HOURS,) * _HOURS
"""The profile where nothing is known: every hour alike."""
