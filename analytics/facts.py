"""What the ledger's sums are taken from: whole days summed up already, and the things themselves at a period's edges.

Five kinds. Each is to be summed, and has the same columns whether it comes from days or from facts, which begin with
`day` (DATE, of the call's start):
  calls      measures calls, fallbacks, attempts, tokens, cost; `provider model key_id` are of record
  attempts   measures attempts, tokens, cost, duration_ms; by the attempt's own target, `call_status` is the call's
  costs      measures attempts, quantity, cost_usd; a row a meter and price
  latencies  `measure` (duration, first_token, overhead, attempt), `bin`, times: see analytics.histograms
  fallbacks  measures moves, lost_ms, lost_usd; from one target to the next
and `hours` and `attempt hours`, which have `hour` (TIMESTAMP) for `day`, and fewer dimensions: for a finer course.
A call belongs to the moment of its start, with all its attempts. Of days whose calls have been deleted for their age
only the sums are left: a period's edge within such a day finds nothing.

A period's end is taken as it is, also when it is now: rows of a clock that is ahead are not of a period that ends now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analytics.kinds import ATTEMPT_HOURS, ATTEMPTS, CALLS, COSTS, DAY, FALLBACKS, HOURS, KINDS, LATENCIES, Kind
from analytics.question import Condition, Filters, Parameter, every, moment, within

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Before and after which there are no calls."""
_SOONEST = DAY
"""An attempt begins no more than this before its call, however its host's clock is set."""
_LATEST = 2 * DAY
"""An attempt begins within this of its call: the one before it is given a day at most (an alias's timeouts)."""

NARROWED_BY: Mapping[str, frozenset[str]] = {name: frozenset(kind.known) for name, kind in KINDS.items()}
"""Kind -> the filters it knows. In `attempts`, `status` is how the call ended and `attempt_status` how the attempt
did; in `fallbacks`, `provider` and `model` are of either end."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A subselect for a FROM, in brackets, with its parameters: rows of one kind in a period, narrowed by filters."""

    sql: str
    params: tuple[Parameter, ...]


def calls(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the calls begun in [start, end). Raises BadQuestion."""
    return summed(CALLS, start, end, filters)


def attempts(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the attempts of calls begun in [start, end). Raises BadQuestion."""
    return summed(ATTEMPTS, start, end, filters)


def costs(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of what was paid for in calls begun in [start, end). Raises BadQuestion."""
    return summed(COSTS, start, end, filters)


def latencies(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of how long it took, in bins, for calls begun in [start, end). Raises BadQuestion."""
    return summed(LATENCIES, start, end, filters)


def fallbacks(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the steps from target to target in calls begun in [start, end). Raises BadQuestion."""
    return summed(FALLBACKS, start, end, filters)


def hours(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the calls begun in [start, end), by the hour. Raises BadQuestion."""
    return summed(HOURS, start, end, filters)


def attempt_hours(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the attempts of calls begun in [start, end), by the hour. Raises BadQuestion."""
    return summed(ATTEMPT_HOURS, start, end, filters)


def knows(kind: str, name: str) -> bool:
    """Whether the kind can be narrowed by this filter. Raises BadQuestion for a tag that cannot be."""
    return KINDS[kind].knows(name)


def summed(kind: Kind, start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """A kind's rows in [start, end). Raises BadQuestion."""
    narrowed = _narrowed(kind, filters)
    start, end = _possible(start), _possible(end)
    first, last = _up(start, kind.step), _down(end, kind.step)
    if first >= last:
        return _bracketed([_edge(kind, kind.row, start, end, narrowed)])
    edges = [(low, high) for low, high in ((start, first), (last, end)) if low < high]
    asked = every([within(first, last, kind.by), *narrowed])
    days = Facts(f"SELECT * FROM {kind.summed} WHERE {asked.sql}", asked.params)  # noqa: S608 - a view's name
    return _bracketed([days, *(_edge(kind, kind.row, low, high, narrowed) for low, high in edges)])


def timed(kind: Kind, start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """The facts alone, with `started_at` beside the kind's columns: for what days do not have, and slower.

    Raises BadQuestion."""
    return _bracketed([_edge(kind, "*", _possible(start), _possible(end), _narrowed(kind, filters))])


def _edge(kind: Kind, columns: str, start: datetime, end: datetime, narrowed: Sequence[Condition]) -> Facts:
    """Part of a day, from the facts."""
    asked = [within(start, end), *narrowed]
    if kind.joined:
        asked.append(within(start - _SOONEST, end + _LATEST, "tried_at"))
    where = every(asked)
    return Facts(f"SELECT {columns} FROM {kind.facts} WHERE {where.sql}", where.params)  # noqa: S608 - names from here


def _bracketed(parts: Sequence[Facts]) -> Facts:
    sql = "\nUNION ALL ".join(part.sql for part in parts)
    return Facts(f"({sql})", tuple(value for part in parts for value in part.params))


def _narrowed(kind: Kind, filters: Filters | None) -> list[Condition]:
    return [kind.condition(name, wanted) for name, wanted in (filters or {}).items()]


def _possible(at: datetime) -> datetime:
    """The time, or the nearest at which a call can be. Raises BadQuestion for a time without a zone."""
    moment(at)
    return min(max(at, _EPOCH), _NEVER)


def _down(at: datetime, step: timedelta) -> datetime:
    """The last whole step at or before."""
    return at - (at - _EPOCH) % step


def _up(at: datetime, step: timedelta) -> datetime:
    return _down(at + step - timedelta(microseconds=1), step)
