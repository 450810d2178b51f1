"""What the ledger's sums are taken from: whole days summed up already, and the things themselves at a period's edges.

Five kinds. Each is to be summed, and has the same columns whether it comes from days or from facts, which begin with
`day` (DATE, of the call's start):
  calls      measures calls, fallbacks, attempts, tokens, cost; `provider model key_id` are of record
  attempts   measures attempts, tokens, cost, duration_ms; by the attempt's own target, `call_status` is the call's
  costs      measures attempts, quantity, cost_usd; a row a meter and price
  latencies  `measure` (duration, first_token, overhead, attempt), `bin`, times: see analytics.histograms
  fallbacks  measures moves, lost_ms, lost_usd; from one target to the next
and `hours`, which has `hour` (TIMESTAMP) for `day`: calls, fallbacks, for a finer course.
A call belongs to the moment of its start, with all its attempts. Of days whose calls have been deleted for their age
only the sums are left: a period's edge within such a day finds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from analytics.dimensions import tag_key
from analytics.question import BadQuestion, Condition, Filters, Parameter, every, moment, one_of, within

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOONEST = _DAY
"""An attempt begins no more than this before its call, however its host's clock is set."""
_LATEST = 2 * _DAY
"""An attempt begins within this of its call: the one before it is given a day at most (an alias's timeouts)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A subselect for a FROM, in brackets, with its parameters: rows of one kind in a period, narrowed by filters."""

    sql: str
    params: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where a kind's rows stand, and what they can be narrowed by."""

    name: str
    summed: str
    """View of whole days, or hours."""
    facts: str
    """View of the things themselves."""
    row: str
    """Of a fact, the columns that the sums have."""
    columns: Mapping[str, Sequence[str]]
    """Filter -> the columns of which any may have the value."""
    tagged: bool = False
    joined: bool = False
    """Made of calls and attempts: bounds on the attempts' own start, too, spare reading those of other days."""
    by: str = "day"
    step: timedelta = _DAY


def _named(names: str, **others: str) -> dict[str, Sequence[str]]:
    """Filters by the names of their columns, and `others` of another name."""
    return {name: (name,) for name in names.split()} | {name: columns.split() for name, columns in others.items()}


_DAYS = "* EXCLUDE (started_at)"
_JOINED_DAYS = "* EXCLUDE (started_at, tried_at)"
_HOURS = """date_trunc('hour', started_at) AS hour, workspace, alias, operation, provider, status, error_type, calls,
 fallbacks"""
_KINDS = {
    kind.name: kind
    for kind in (
        _Kind("calls", "ai_call_days", "ai_call_facts", _DAYS, _named(
            "alias workspace caller task operation streamed status error_type fallback_reason provider model key_owner",
            key="key_id"), tagged=True),
        _Kind("attempts", "ai_attempt_days", "ai_attempt_facts", _JOINED_DAYS, _named(
            "alias workspace caller operation streamed error_type provider model key_owner http_status prompt_class",
            key="key_id", status="call_status", attempt_status="status"), tagged=True, joined=True),
        _Kind("costs", "ai_cost_days", "ai_cost_facts", _JOINED_DAYS, _named(
            "alias workspace caller operation provider provider_type model key_owner meter price_source price_version"
            " usage_source", key="key_id"), tagged=True, joined=True),
        _Kind("latencies", "ai_latency_days", "ai_latency_facts", _JOINED_DAYS, _named(
            "alias workspace operation provider model measure prompt_class"), joined=True),
        _Kind("fallbacks", "ai_fallback_days", "ai_fallback_facts", _JOINED_DAYS, _named(
            "alias workspace caller operation status reason from_provider from_model to_provider to_model",
            provider="from_provider to_provider", model="from_model to_model"), joined=True),
        _Kind("hours", "ai_call_hours", "ai_call_facts", _HOURS, _named(
            "alias workspace operation status error_type provider"), by="hour", step=_HOUR),
    )
}  # fmt: skip
NARROWED_BY: Mapping[str, frozenset[str]] = {
    name: frozenset([*kind.columns, *(["tag:<key>"] if kind.tagged else [])]) for name, kind in _KINDS.items()
}
"""Kind -> the filters it knows. In `attempts`, `status` is how the call ended and `attempt_status` how the attempt
did; in `fallbacks`, `provider` and `model` are of either end."""


def calls(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the calls begun in [start, end). Raises BadQuestion."""
    return _facts(_KINDS["calls"], start, end, filters)


def attempts(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the attempts of calls begun in [start, end). Raises BadQuestion."""
    return _facts(_KINDS["attempts"], start, end, filters)


def costs(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of what was paid for in calls begun in [start, end). Raises BadQuestion."""
    return _facts(_KINDS["costs"], start, end, filters)


def latencies(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of how long it took, in bins, for calls begun in [start, end). Raises BadQuestion."""
    return _facts(_KINDS["latencies"], start, end, filters)


def fallbacks(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the steps from target to target in calls begun in [start, end). Raises BadQuestion."""
    return _facts(_KINDS["fallbacks"], start, end, filters)


def hours(start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """Of the calls begun in [start, end), by the hour. Raises BadQuestion."""
    return _facts(_KINDS["hours"], start, end, filters)


def timed(kind: str, start: datetime, end: datetime, filters: Filters | None = None) -> Facts:
    """The facts alone, with `started_at` beside the kind's columns: for what days do not have, and slower.

    Raises BadQuestion."""
    return _bracketed([_edge(_KINDS[kind], "*", start, end, _narrowed(_KINDS[kind], filters))])


def knows(kind: str, name: str) -> bool:
    """Whether the kind can be narrowed, and grouped, by this filter."""
    return name in _KINDS[kind].columns or (_KINDS[kind].tagged and name.startswith("tag:"))


def _facts(kind: _Kind, start: datetime, end: datetime, filters: Filters | None) -> Facts:
    narrowed = _narrowed(kind, filters)
    first, last = _up(start, kind.step), _down(end, kind.step)
    if first >= last:
        return _bracketed([_edge(kind, kind.row, start, end, narrowed)])
    edges = [(low, high) for low, high in ((start, first), (last, end)) if low < high]
    whole = within(first, last, kind.by)
    asked = every([whole, *narrowed])
    days = Facts(f"SELECT * FROM {kind.summed} WHERE {asked.sql}", asked.params)  # noqa: S608 - a view's name
    return _bracketed([days, *(_edge(kind, kind.row, low, high, narrowed) for low, high in edges)])


def _edge(kind: _Kind, columns: str, start: datetime, end: datetime, narrowed: Sequence[Condition]) -> Facts:
    """Part of a day, from the facts."""
    asked = [within(start, end), *narrowed]
    if kind.joined:
        asked.append(within(start - _SOONEST, end + _LATEST, "tried_at"))
    where = every(asked)
    return Facts(f"SELECT {columns} FROM {kind.facts} WHERE {where.sql}", where.params)  # noqa: S608 - names from here


def _bracketed(parts: Sequence[Facts]) -> Facts:
    sql = "\nUNION ALL ".join(part.sql for part in parts)
    return Facts(f"({sql})", tuple(value for part in parts for value in part.params))


def _narrowed(kind: _Kind, filters: Filters | None) -> list[Condition]:
    return [_condition(kind, name, wanted) for name, wanted in (filters or {}).items()]


def _condition(kind: _Kind, name: str, wanted: str | Sequence[str]) -> Condition:
    """Raises BadQuestion."""
    key = tag_key(name)
    if key is not None and kind.tagged:
        return one_of("coalesce(tags[?], '')", wanted, (key,))
    if name not in kind.columns:
        known = ", ".join([*kind.columns, *(["tag:<key>"] if kind.tagged else [])])
        raise BadQuestion(f"{kind.name} are not known by {name!r}; they are by: {known}")
    either = [one_of(_text(column), wanted) for column in kind.columns[name]]
    sql = " OR ".join(each.sql for each in either)
    return Condition(f"({sql})", tuple(value for each in either for value in each.params))


def _text(column: str) -> str:
    """Filters are text: true, false; numbers; "" for what is not known."""
    return f"coalesce(CAST({column} AS VARCHAR), '')" if column in _NO_TEXT else column


_NO_TEXT = frozenset({"streamed", "http_status", "prompt_class"})


def _down(at: datetime, step: timedelta) -> datetime:
    """The last whole step at or before. Raises BadQuestion for a time without a zone."""
    moment(at)
    return at - (at - _EPOCH) % step


def _up(at: datetime, step: timedelta) -> datetime:
    return _down(at + step - timedelta(microseconds=1), step)
