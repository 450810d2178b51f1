"""Latency: percentiles of what callers waited, of what the sidecar itself added, and of single attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from analytics import facts, histograms
from analytics.dimensions import OF_TIME, Dimension, dimension, narrow
from analytics.facts import Facts
from analytics.histograms import ANSWERED, MEASURES, SHARES
from analytics.kinds import ATTEMPTS, LATENCIES, Kind
from analytics.question import Filters, Question, every, within
from analytics.usage import approximate

__all__ = ["MEASURES", "SHARES", "TIMES", "approximate", "latency_question"]

TIMES = {"duration": "duration_ms", "first_token": "time_to_first_token_ms", "overhead": "overhead_us / 1000.0"}
"""What is timed of a call, in ms. First token: of streamed calls. Overhead: duration less provider and back-off.
Beside them "attempt": of each attempt that succeeded, by its own provider, model and key."""


def latency_question(
    start: datetime,
    end: datetime,
    group_by: Sequence[str] = (),
    filters: Filters | None = None,
    *,
    exact: bool = False,
) -> Question:
    """Columns: `group_by`, `calls`, then for each of MEASURES and SHARES `<measure>_<share>_ms`; NULL where nothing was
    timed, and of attempts where a dimension is one that attempts are not known by.

    Of answered calls, a provider's those it answered. Unless `exact`, within 2 % where `approximate` says so.
    Raises BadQuestion."""
    names, filters = tuple(dict.fromkeys(group_by)), filters or {}
    asked = [dimension(name) for name in names]
    conditions = every([within(start, end), *(narrow(name, wanted) for name, wanted in filters.items())])
    parts: dict[str, Facts] = {}
    if exact or not approximate(start, end, names, filters):
        for time, ms in TIMES.items():
            sql = f"(SELECT *, {ms} AS ms FROM ai_call_logs WHERE {conditions.sql}{_only(time)})"  # noqa: S608 - ours
            parts[time] = histograms.exact(Facts(sql, conditions.params), asked, "ms")
        if _known(ATTEMPTS, names, filters):
            tried = facts.timed(ATTEMPTS, start, end, filters)
            parts["attempt"] = histograms.exact(tried, [ATTEMPTS.dimension(name) for name in names])
    else:
        for time in MEASURES:
            kind = ANSWERED if time in TIMES else LATENCIES
            if _known(kind, names, filters):
                bins = facts.summed(kind, start, end, {**filters, "measure": time})
                parts[time] = histograms.percentiles(bins, [kind.dimension(name) for name in names])
    return _joined(parts, asked)


def _only(time: str) -> str:
    return " AND streamed" if time == "first_token" else ""


def _known(kind: Kind, names: Sequence[str], filters: Filters) -> bool:
    return all(kind.knows(name) for name in (*names, *filters) if name not in OF_TIME)


def _joined(parts: Mapping[str, Facts], asked: Sequence[Dimension]) -> Question:
    """One row where any part has something."""
    columns = ", ".join(each.column for each in asked)
    shown = ", ".join(
        f"{f'{time}.{share}_ms' if time in parts else 'CAST(NULL AS DOUBLE)'} AS {time}_{share}_ms"
        for time in MEASURES
        for share in SHARES
    )
    first, *others = parts
    joins = "".join(f"\nFULL JOIN {time} USING ({columns})" if asked else f"\nCROSS JOIN {time}" for time in others)
    named = ",\n".join(f"{time} AS {part.sql}" for time, part in parts.items())
    begun, ordered = (f"{columns}, ", f"\nORDER BY {columns}") if asked else ("", "")
    sql = f"WITH {named}\nSELECT {begun}coalesce(duration.times, 0) AS calls, {shown}\nFROM {first}{joins}{ordered}"
    return Question(sql, tuple(value for part in parts.values() for value in part.params))
