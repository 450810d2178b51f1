"""Exports by the clock: each finished hour, day or month exactly once, as a file of its own with its manifest.

The target tells what is done: a period with a manifest has its file. So nothing is remembered here, a run that was
killed is gone on with, and what was missed is caught up. A file is written once the ledger has all that there is: the
bookkeeper is past the period's end and the calls that began in it have ended; for these nobody waits longer than
PATIENCE. What came later all the same (or was priced anew) makes a corrected file with a number: 2026-11-20.1.csv
stands in the place of 2026-11-20.csv. What was deleted for its age makes none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from analytics.answering import Source, Status
from analytics.exports import Written
from analytics.filing import MANIFEST, Asked, file, sums
from analytics.period import Period
from analytics.places import Place, PlaceError
from analytics.question import Filters, moment

SETTLED = timedelta(minutes=1)
"""After a period's end: by then a call that began in it stands in the journal."""
PATIENCE = timedelta(hours=1)
LOOK_BACK = 3
"""Files that are compared with the ledger again, the newest ones."""


class Every(StrEnum):
    HOURLY = "hourly"
    DAILY = "daily"
    MONTHLY = "monthly"


_FORMS = {Every.HOURLY: "%Y-%m-%dT%H", Every.DAILY: "%Y-%m-%d", Every.MONTHLY: "%Y-%m"}


class OtherExports(Exception):
    """The target holds files that were asked for otherwise. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is written where."""

    every: Every
    asked: Asked
    """Its span is the time to be looked after: from then on, and up to its end at most."""
    folder: Place

    def place(self, span: Period, revision: int) -> Place:
        number = f".{revision}" if revision else ""
        return self.folder.within(f"{title(self.every, span)}{number}.{self.asked.form}")


@dataclass(frozen=True, slots=True)
class Due:
    """A file to be written: the first of its period, or a correction."""

    span: Period
    revision: int


@dataclass(frozen=True, slots=True)
class Done:
    place: Place
    written: Written


def title(every: Every, span: Period) -> str:
    """Of a period: 2026-11-20T13, 2026-11-20 or 2026-11."""
    return span.start.strftime(_FORMS[every])


def finished(every: Every, start: datetime, now: datetime) -> Iterator[Period]:
    """The whole periods from `start` on that have ended by `now`, in their order."""
    at = _begin(every, start)
    at = at if at == start else _next(every, at)
    while (end := _next(every, at)) <= now:
        yield Period(at, end)
        at = end


def next_end(every: Every, now: datetime) -> datetime:
    """When the current period ends."""
    return _next(every, _begin(every, now))


def due(schedule: Schedule, source: Source, now: datetime) -> Iterator[Due]:
    """What is to be written, the oldest first. Raises SourceError, PlaceError, BadQuestion, OtherExports."""
    first = _first_call(source)
    if first is None:
        return
    spans = [
        span
        for span in finished(schedule.every, schedule.asked.span.start, min(now, schedule.asked.span.end))
        if span.end > first
    ]
    there = _revisions(schedule)
    recent = {span.start for span in [each for each in spans if title(schedule.every, each) in there][-LOOK_BACK:]}
    for span in spans:
        revision = there.get(title(schedule.every, span))
        if revision is None:
            yield Due(span, 0)
        elif span.start in recent and _changed(schedule, source, span, revision):
            yield Due(span, revision + 1)


def write(schedule: Schedule, source: Source, each: Due) -> Done:
    """Raises SourceError, PlaceError, BadQuestion."""
    where = schedule.place(each.span, each.revision)
    written, _ = file(source, replace(schedule.asked, span=each.span), where)
    return Done(where, written)


def waiting_for(source: Source, span: Period, now: datetime) -> str:
    """Why the ledger may not have all of a period yet; "" if it has. Raises SourceError."""
    sql = "SELECT count(*) AS open FROM ai_open_calls WHERE started_at < ?::TIMESTAMP"
    still_open = int(source.table(sql, (moment(span.end),))["open"][0].as_py())
    return reason_to_wait(source.status(), still_open, span, now)


def reason_to_wait(status: Status, still_open: int, span: Period, now: datetime) -> str:
    """The same, of what is known. `still_open`: calls that began before the period's end."""
    if not status.live:
        return "no bookkeeper runs, so nobody knows what the journal still holds: start it (taximeter up)"
    if now < span.end + SETTLED:
        return "it has only just ended"
    if status.lag_s and now - timedelta(seconds=status.lag_s) < span.end:
        return f"the bookkeeper is {status.lag_s:.0f} s behind"
    if still_open and now < span.end + PATIENCE:
        return f"{still_open} calls that began before its end are still open"
    return ""


def _first_call(source: Source) -> datetime | None:
    """When the oldest call that is held began."""
    (row,) = source.table("SELECT min(started_at) AS at FROM ai_call_logs").to_pylist()
    return row["at"].replace(tzinfo=UTC) if row["at"] else None


def _revisions(schedule: Schedule) -> dict[str, int]:
    """Title -> the highest number of its files that are whole."""
    ending = re.escape(f".{schedule.asked.form}{MANIFEST}")
    name = re.compile(rf"(\d{{4}}-\d{{2}}(?:-\d{{2}}(?:T\d{{2}})?)?)(?:\.(\d+))?{ending}")
    found: dict[str, int] = {}
    for match in filter(None, map(name.fullmatch, schedule.folder.names())):
        found[match[1]] = max(found.get(match[1], 0), int(match[2] or 0))
    return found


def _changed(schedule: Schedule, source: Source, span: Period, revision: int) -> bool:
    """Whether the ledger now has other sums than the manifest, and not for its calls' age. Raises OtherExports, ..."""
    manifest = _manifest(schedule.place(span, revision).beside(MANIFEST))
    if _lists(manifest["filters"]) != _lists(schedule.asked.filters):
        held = ", ".join(f"{name}={each}" for name, values in _lists(manifest["filters"]).items() for each in values)
        raise OtherExports(
            f"{schedule.folder.url} holds files with other filters ({held or 'none'}): choose another folder"
        )
    now = sums(source, replace(schedule.asked, span=span))
    aged = schedule.asked.content.expires and now["rows"] < manifest["rows"]
    return not aged and not now.items() <= manifest.items()


def _lists(filters: Filters) -> dict[str, list[str]]:
    return {name: [each] if isinstance(each, str) else list(each) for name, each in filters.items()}


def _manifest(place: Place) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(place.read())
    except ValueError:
        raise PlaceError(f"{place.url} is not a manifest: take it away, and its file is written again") from None
    return told


def _begin(every: Every, at: datetime) -> datetime:
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if every is Every.HOURLY:
        return hour
    return hour.replace(hour=0) if every is Every.DAILY else hour.replace(hour=0, day=1)


def _next(every: Every, start: datetime) -> datetime:
    if every is Every.MONTHLY:
        return (start + timedelta(days=32)).replace(day=1)
    return start + (timedelta(hours=1) if every is Every.HOURLY else timedelta(days=1))
