"""Periods: half-open [start, end), UTC, as a person writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FORMS = "24h, 7d, 2w, today, yesterday, 2026-11, 2026-11-03, or FROM..TO with dates or times (UTC, TO not included)"

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_AGO = re.compile(r"(\d{1,6})([mhdw])")
_MONTH = re.compile(r"(\d{4})-(\d{2})")


class BadPeriod(ValueError):
    """Not a period. The message shows the forms there are."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` on, up to `end` and without it. Both have the zone UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    @property
    def previous(self) -> Period:
        """What to compare with: the calendar month before a month, else the same length just before."""
        if self._is_month:
            return Period(_month_before(self.start), self.start)
        return Period(self.start - self.length, self.start)

    @property
    def _is_month(self) -> bool:
        return _is_first(self.start) and self.end == _month_after(self.start)


def parse(text: str, now: datetime | None = None) -> Period:
    """One of FORMS. `now` (UTC; the clock's by default) ends the relative ones. Raises BadPeriod."""
    now = now or datetime.now(UTC)
    text = text.strip()
    try:
        period = _relative(text, now) or _calendar(text)
    except (ValueError, OverflowError):
        raise BadPeriod(f"not a period: {text!r}. Write {FORMS}.") from None
    if period.start >= period.end:
        raise BadPeriod(f"a period ends after its start: {text!r}")
    return period


def from_to(start: str, end: str, now: datetime | None = None) -> Period:
    """Two ends, each a date, a time or "now"; an empty end is now. Raises BadPeriod."""
    return parse(f"{start}..{end}", now)


def _relative(text: str, now: datetime) -> Period | None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text == "today":
        return Period(midnight, max(now, midnight + timedelta(microseconds=1)))
    if text == "yesterday":
        return Period(midnight - timedelta(days=1), midnight)
    if ago := _AGO.fullmatch(text):
        return Period(now - int(ago[1]) * _UNITS[ago[2]], now)
    start, dots, end = text.partition("..")
    if dots:
        return Period(_moment(start, now), _moment(end or "now", now))
    return None


def _calendar(text: str) -> Period:
    if month := _MONTH.fullmatch(text):
        start = datetime(int(month[1]), int(month[2]), 1, tzinfo=UTC)
        return Period(start, _month_after(start))
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    return Period(day, day + timedelta(days=1))


def _moment(text: str, now: datetime) -> datetime:
    """A date's first moment, or a time; UTC unless it names a zone."""
    if text == "now":
        return now
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_first(moment: datetime) -> bool:
    return moment == moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _month_after(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)


def _month_before(first: datetime) -> datetime:
    return (first - timedelta(days=1)).replace(day=1)
