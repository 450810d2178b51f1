"""What is usual on a day, told from the days before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median
from typing import NamedTuple

LOOK_BACK = 28
"""Days that tell what is usual."""
LEAST_DAYS = 7
"""Of them that there must be."""
SAME_WEEKDAY = 3
"""Of the same weekday, to be compared with those alone."""


class Usual(NamedTuple):
    expected: float
    spread: float
    """As a standard deviation."""
    days: Sequence[date]
    """Those that `expected` is the median of."""


def usual(course: Mapping[date, float], day: date) -> Usual | None:
    """What those earlier days let expect of `day`; None where they are too few."""
    if len(course) < LEAST_DAYS:
        return None
    by_weekday: dict[int, list[float]] = {}
    for each, value in course.items():
        by_weekday.setdefault(each.weekday(), []).append(value)
    overall = median(course.values())
    centres = {weekday: median(values) if len(values) >= SAME_WEEKDAY else overall
               for weekday, values in by_weekday.items()}  # fmt: skip
    strayed = median(abs(value - centres[each.weekday()]) for each, value in course.items())
    same = [each for each in course if each.weekday() == day.weekday()]
    days = same if len(same) >= SAME_WEEKDAY else list(course)
    return Usual(centres[day.weekday()] if days is same else overall, _DEVIATION * strayed, days)


_DEVIATION = 2.0
"""MAD to standard deviation. 1.48 for normal noise about a known middle; the median of four lies nearer to those four:
in 20,000 months of it, 2.0 gave the deviation that there was."""
