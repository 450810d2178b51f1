"""Usage: sums over the calls of a period, by any of the dimensions.

Two grains, never mixed. Counts of calls, errors, fallbacks and latency belong to calls, so by provider they count the
provider of record. Tokens and money belong to attempts: as soon as a provider, model or key is asked for they are
summed over the attempts made there, whoever answered in the end. A call's time is that of its start, also for its
attempts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from analytics.dimensions import OF_TARGET, OF_TIME, Dimension, dimension, label, narrow
from analytics.question import Condition, Filters, Parameter, Question, every, within

__all__ = ["ERRORS", "MEASURES", "label", "usage_question"]

ERRORS = "('error', 'refused', 'abandoned')"
"""Statuses of calls that were not answered although the caller waited. Cancelled: the caller did not wait."""

_SUMMED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
_COUNTED = f"""count(*) AS calls,
  count(*) FILTER (status IN {ERRORS}) AS errors,
  count(*) FILTER (fallback_used) AS fallbacks,
  quantile_cont(duration_ms, 0.5) FILTER (status = 'ok') AS p50_ms,
  quantile_cont(duration_ms, 0.95) FILTER (status = 'ok') AS p95_ms"""
_TOKENS = ",\n  ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}" for name in _SUMMED)
_MONEY = """CAST(CASE WHEN bool_or(NOT priced) THEN sum(cost_usd) ELSE coalesce(sum(cost_usd), 0) END
    AS DECIMAL(38, 12)) AS cost_usd,
  CAST(coalesce(sum(cost_at_risk_usd), 0) AS DECIMAL(38, 12)) AS cost_at_risk_usd"""
_DOUBTS = """count(*) FILTER (NOT priced) AS unpriced_calls,
  count(*) FILTER (usage_source = 'estimated') AS estimated_calls"""
_DOUBTS_OF_ATTEMPTS = """count(DISTINCT (sidecar_id, seq)) FILTER (NOT priced) AS unpriced_calls,
  count(DISTINCT (sidecar_id, seq)) FILTER (usage_source = 'estimated') AS estimated_calls"""
MEASURES = ("calls", "errors", "fallbacks", "attempts", *_SUMMED, "cost_usd", "cost_at_risk_usd",
            "unpriced_calls", "estimated_calls", "p50_ms", "p95_ms")  # fmt: skip
"""Columns of every answer, after the dimensions.

`cost_usd` DECIMAL(38,12): exact, of what is priced; NULL where nothing of it is. `p50_ms`, `p95_ms`: of answered calls,
NULL where there are none. By target, `unpriced_calls` and `estimated_calls` count calls with such an attempt there."""
_MEASURED_BY_TARGET = {name: f"coalesce({name}, 0)" for name in MEASURES} | {
    "cost_usd": "CASE WHEN used.attempts IS NULL THEN 0 ELSE cost_usd END",
    "p50_ms": "p50_ms",
    "p95_ms": "p95_ms",
}
"""What a row of one side only shows for the other."""


def usage_question(
    start: datetime,
    end: datetime,
    group_by: Sequence[str] = (),
    filters: Filters | None = None,
    *,
    limit: int | None = None,
    offset: int = 0,
) -> Question:
    """Columns: each of `group_by` under its own name, then MEASURES. Without `group_by` one row, the total.

    [start, end) of the calls' starts. Rows: times ascending, then dearest first. To page, ask for one more than
    the page holds. Raises BadQuestion."""
    asked = [dimension(name) for name in dict.fromkeys(group_by)]
    narrowed = {name: narrow(name, wanted) for name, wanted in (filters or {}).items()}
    of_calls = every([within(start, end), *(each for name, each in narrowed.items() if name not in OF_TARGET)])
    of_targets = every([each for name, each in narrowed.items() if name in OF_TARGET])
    by_target = bool(OF_TARGET.keys() & {*narrowed, *(each.name for each in asked)})
    question = _by_target(asked, of_calls, of_targets) if by_target else _by_call(asked, of_calls)
    return _ordered(question, asked, limit, offset)


def _by_call(asked: Sequence[Dimension], of_calls: Condition) -> Question:
    """Everything from the calls themselves."""
    selected = "".join(f"{each.selected}, " for each in asked)
    sql = f"""SELECT {selected}{_COUNTED},
  CAST(coalesce(sum(attempts), 0) AS BIGINT) AS attempts,
  {_TOKENS},
  {_MONEY},
  {_DOUBTS}
FROM ai_call_logs WHERE {of_calls.sql}{_group(asked)}"""  # noqa: S608 - pieces of this module, no values
    return _shaped(sql, [*(value for each in asked for value in each.params), *of_calls.params], asked)


def _by_target(asked: Sequence[Dimension], of_calls: Condition, of_targets: Condition) -> Question:
    """Counts from the calls, by their target of record; usage from the attempts; one row where either has something."""
    call_side = [each for each in asked if each.name not in OF_TARGET]
    kept = "".join(f", {each.expression} AS {_kept(each)}" for each in call_side)
    columns = [each.column for each in asked]
    counted = "".join(f"{_at(each)}, " for each in asked)
    join = f"FULL JOIN used USING ({', '.join(columns)})" if asked else "CROSS JOIN used"
    measures = ", ".join(f"{expression} AS {name}" for name, expression in _MEASURED_BY_TARGET.items())
    sql = f"""WITH picked AS (
  SELECT *{kept} FROM ai_call_logs WHERE {of_calls.sql}
), counted AS (
  SELECT {counted}{_COUNTED} FROM picked WHERE {of_targets.sql}{_group(asked)}
), tried AS (
  SELECT attempt.*{"".join(f", picked.{_kept(each)}" for each in call_side)}
  FROM picked JOIN ai_call_attempts AS attempt ON attempt.sidecar_id = picked.sidecar_id AND attempt.seq = picked.seq
), used AS (
  SELECT {counted}count(*) AS attempts,
  {_TOKENS},
  {_MONEY},
  {_DOUBTS_OF_ATTEMPTS}
  FROM tried WHERE {of_targets.sql}{_group(asked)}
)
SELECT {"".join(f"{column}, " for column in columns)}{measures}
FROM counted {join}"""  # noqa: S608 - pieces of this module, no values
    params = [value for each in call_side for value in each.params]
    return Question(sql, (*params, *of_calls.params, *of_targets.params, *of_targets.params))


def _at(asked: Dimension) -> str:
    """The dimension within `picked` or `tried`: a target's own column, or the call's, computed once."""
    expression = asked.expression if asked.name in OF_TARGET else _kept(asked)
    return f"{expression} AS {asked.column}"


def _kept(asked: Dimension) -> str:
    """A name of its own beside the views' columns."""
    return f'"={asked.name}"'


def _group(asked: Sequence[Dimension]) -> str:
    return " GROUP BY ALL" if asked else ""


def _shaped(sql: str, params: Sequence[Parameter], asked: Sequence[Dimension]) -> Question:
    columns = ", ".join([*(each.column for each in asked), *MEASURES])
    return Question(f"SELECT {columns} FROM ({sql})", tuple(params))  # noqa: S608 - column names of this module


def _ordered(question: Question, asked: Sequence[Dimension], limit: int | None, offset: int) -> Question:
    times = [each.column for each in asked if each.name in OF_TIME]
    others = [each.column for each in asked if each.name not in OF_TIME]
    order = ", ".join([*times, "cost_usd DESC NULLS LAST", "calls DESC", *others])
    sql = f"SELECT * FROM ({question.sql}) ORDER BY {order}"  # noqa: S608 - column names of this module
    if limit is None:
        return Question(sql, question.params)
    return Question(f"{sql} LIMIT ? OFFSET ?", (*question.params, limit, offset))
