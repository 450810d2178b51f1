"""Usage: sums over the calls of a period, by any of the dimensions.

Two grains, never mixed. Counts of calls, errors, fallbacks and latency belong to calls, so by provider they count the
provider of record. Tokens and money belong to attempts: as soon as a provider, model or key is asked for they are
summed over the attempts made there, whoever answered in the end. A call's time is that of its start, also for its
attempts. An `error_type` is the call's, and beside a provider, model or key the attempt's own for what is summed over
attempts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analytics import facts, histograms
from analytics.dimensions import DIMENSIONS, OF_TARGET, OF_TIME, Dimension, label, tag_key
from analytics.facts import Facts
from analytics.histograms import ANSWERED
from analytics.kinds import ATTEMPTS, CALLS, HOURLY, Kind
from analytics.question import BadQuestion, Filters, Question

__all__ = ["ERRORS", "MEASURES", "approximate", "counted", "label", "usage_question"]

ERRORS = "('error', 'refused', 'abandoned')"
"""Statuses of calls that were not answered although the caller waited. Cancelled: the caller did not wait."""
EXACT = timedelta(days=2)
"""Percentiles of periods up to this long are exact; of longer ones they are within 2 % where bins can tell."""
_FINE = frozenset({"hour", "minute"})
_SUMMED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_PERCENTILES = tuple(f"{name}_ms" for name in histograms.SHARES)
MEASURES = ("calls", "errors", "fallbacks", "attempts", *_SUMMED, "cost_usd", "cost_at_risk_usd",
            "unpriced_calls", "estimated_calls", *_PERCENTILES)  # fmt: skip
"""Columns of every answer, after the dimensions.

`cost_usd` DECIMAL(38,12): exact, of what is priced; NULL where nothing of it is. `p50_ms`, `p95_ms`, `p99_ms`: of
answered calls, NULL where there are none; within 2 % where `approximate` says so. By target, `unpriced_calls` and
`estimated_calls` count attempts there, as tokens and money do: a call that tried two such targets counts twice."""


def counted(names: Collection[str]) -> str:
    """What `unpriced_calls` and `estimated_calls` count by dimensions or filters of these names: "calls", or
    "attempts"."""
    return "attempts" if OF_TARGET.keys() & {*names} else "calls"


def _sum(name: str, alias: str = "") -> str:
    return f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {alias or name}"


_COUNTED = f"""{_sum("calls")},
  CAST(coalesce(sum(calls) FILTER (status IN {ERRORS}), 0) AS BIGINT) AS errors,
  {_sum("fallbacks")}"""


def _used(of: str) -> str:
    """`of`: "calls" or "attempts", of which a row says how many have no price."""
    return ",\n  ".join([
        _sum("attempts"),
        *(_sum(name) for name in _SUMMED),
        f"""CAST(CASE WHEN sum(unpriced_{of}) > 0 AND sum(unpriced_{of}) = sum({of}) THEN NULL
    ELSE coalesce(sum(cost_usd), 0) END AS DECIMAL(38, 12)) AS cost_usd""",
        "CAST(coalesce(sum(cost_at_risk_usd), 0) AS DECIMAL(38, 12)) AS cost_at_risk_usd",
        _sum(f"unpriced_{of}", "unpriced_calls"),
        _sum(f"estimated_{of}", "estimated_calls"),
    ])  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a question is about: calls begun in [start, end)."""

    start: datetime
    end: datetime
    names: tuple[str, ...]
    filters: Filters

    @property
    def by_target(self) -> bool:
        return bool(OF_TARGET.keys() & {*self.names, *self.filters})

    def check(self) -> None:
        """Raises BadQuestion: for what is not known of calls, or not of the attempts that the question is about."""
        for name in self.names:
            _known(name, DIMENSIONS)
        for name in self.filters:
            _known(name, [each for each in DIMENSIONS if each not in OF_TIME])
        lone = [each for each in (*self.names, *self.filters) if each not in OF_TIME and not ATTEMPTS.knows(each)]
        if lone and self.by_target:
            raise BadQuestion(f"{lone[0]!r} is known of whole calls only: ask without {', '.join(OF_TARGET)}")


def _known(name: str, names: Collection[str]) -> None:
    if name not in names and tag_key(name) is None:
        raise BadQuestion(f"unknown dimension {name!r}; there are: {', '.join(names)}, tag:<key>")


def usage_question(
    start: datetime,
    end: datetime,
    group_by: Sequence[str] = (),
    filters: Filters | None = None,
    *,
    limit: int | None = None,
    offset: int = 0,
    timed: bool = True,
) -> Question:
    """Columns: each of `group_by` under its own name, then MEASURES. Without `group_by` one row, the total.

    [start, end) of the calls' starts. Rows: times ascending, then dearest first. To page, ask for one more than
    the page holds. Not `timed`: the percentiles are NULL, which spares reading every call where they would be exact.
    Raises BadQuestion."""
    asked = _Asked(start, end, tuple(dict.fromkeys(group_by)), filters or {})
    asked.check()
    parts = {"counted": _summed(asked, CALLS, _COUNTED if asked.by_target else f"{_COUNTED},\n  {_used('calls')}")}
    if asked.by_target:
        parts["used"] = _summed(asked, ATTEMPTS, _used("attempts"))
    if timed:
        parts["timed"] = _timed(asked)
    columns = [CALLS.dimension(name) for name in asked.names]
    return _ordered(_joined(parts, columns), columns, limit, offset)


def approximate(start: datetime, end: datetime, group_by: Sequence[str] = (), filters: Filters | None = None) -> bool:
    """Whether the percentiles of this answer come from bins, within 2 %, and are not exact."""
    return end - start > EXACT and histograms.has({*group_by, *(filters or {})})


def _summed(asked: _Asked, kind: Kind, measures: str) -> Facts:
    of, choose = _finest(asked, kind)
    rows, columns = choose(of, asked.start, asked.end, asked.filters), _columns(of, asked)
    selected = "".join(f"{each.selected}, " for each in columns)
    sql = f"(SELECT {selected}{measures}\nFROM {rows.sql}{' GROUP BY ALL' if columns else ''})"
    return Facts(sql, (*(value for each in columns for value in each.params), *rows.params))


def _finest(asked: _Asked, kind: Kind) -> tuple[Kind, Callable[[Kind, datetime, datetime, Filters], Facts]]:
    """What the kind is to be read from: days know nothing finer than a day, hours nothing finer than an hour, and not
    every dimension."""
    hourly = HOURLY[kind.name]
    if not _FINE & {*asked.names}:
        return kind, facts.summed
    if all(name == "hour" or hourly.knows(name) for name in (*asked.names, *asked.filters)):
        return hourly, facts.summed
    return kind, facts.timed


def _timed(asked: _Asked) -> Facts:
    """Percentiles of answered calls, by their target of record."""
    if approximate(asked.start, asked.end, asked.names, asked.filters):
        bins = facts.summed(ANSWERED, asked.start, asked.end, {**asked.filters, "measure": "duration"})
        return histograms.percentiles(bins, _columns(ANSWERED, asked))
    return histograms.exact(facts.timed(CALLS, asked.start, asked.end, asked.filters), _columns(CALLS, asked))


def _columns(kind: Kind, asked: _Asked) -> list[Dimension]:
    return [kind.dimension(name) for name in asked.names]


def _joined(parts: dict[str, Facts], asked: Sequence[Dimension]) -> Question:
    """One row where any of the parts has something; what another part lacks is 0, a percentile NULL."""
    columns = [each.column for each in asked]
    joins = "".join(
        f"\nFULL JOIN {name} USING ({', '.join(columns)})" if asked else f"\nCROSS JOIN {name}"
        for name in list(parts)[1:]
    )
    shown = ", ".join([*columns, *(f"{_shown(name, parts)} AS {name}" for name in MEASURES)])
    named = ",\n".join(f"{name} AS {part.sql}" for name, part in parts.items())
    sql = f"WITH {named}\nSELECT {shown}\nFROM counted{joins}"
    return Question(sql, tuple(value for part in parts.values() for value in part.params))


def _shown(measure: str, parts: Collection[str]) -> str:
    if measure in _PERCENTILES:
        return measure if "timed" in parts else "CAST(NULL AS DOUBLE)"
    if measure == "cost_usd":
        return f"CASE WHEN {'used' if 'used' in parts else 'counted'}.attempts IS NULL THEN 0 ELSE cost_usd END"
    return f"coalesce({measure}, 0)"


def _ordered(question: Question, asked: Sequence[Dimension], limit: int | None, offset: int) -> Question:
    times = [each.column for each in asked if each.name in OF_TIME]
    others = [each.column for each in asked if each.name not in OF_TIME]
    order = ", ".join([*times, "cost_usd DESC NULLS LAST", "calls DESC", *others])
    sql = f"SELECT * FROM ({question.sql}) ORDER BY {order}"  # noqa: S608 - column names of this module
    if limit is None:
        return Question(sql, question.params)
    return Question(f"{sql} LIMIT ? OFFSET ?", (*question.params, limit, offset))
