"""What there is to filter by."""

from __future__ import annotations

from collections.abc import Mapping

from analytics.answering import Source
from analytics.period import Period
from analytics.question import Condition, Filters, Question, every, moment, one_of

MOST = 500
"""Values of one name that a chooser is given."""
_OF_CALL = {
    "alias": "alias",
    "workspace": "workspace",
    "caller": "caller",
    "operation": "operation",
    "status": "status",
}
_OF_TARGET = {"provider": "provider", "model": "model", "key": "key_id"}


def choices_question(span: Period, workspace: str | None = None) -> Question:
    """One row, a list a column: alias, workspace, caller, operation, status, tags (each a list of key and value),
    and of all attempts, whoever answered: provider, model, key. Of whole UTC days: a little more than the period."""
    days = Condition(
        "day >= CAST(?::TIMESTAMP AS DATE) AND day <= CAST(?::TIMESTAMP AS DATE)",
        (moment(span.start), moment(span.end)),
    )
    where = every([days, *([one_of("workspace", workspace)] if workspace is not None else [])])
    calls = ", ".join(f"list(DISTINCT {column}) AS {name}" for name, column in _OF_CALL.items())
    targets = ", ".join(f"list(DISTINCT {column}) AS {name}" for name, column in _OF_TARGET.items())
    sql = f"""SELECT * FROM
 (SELECT {calls}, list(DISTINCT tags) AS tags FROM ai_call_days WHERE {where.sql}),
 (SELECT {targets} FROM ai_attempt_days WHERE {where.sql})"""  # noqa: S608 - names of this module, no values
    return Question(sql, (*where.params, *where.params))


def choices(source: Source, span: Period, filters: Filters | None = None) -> Mapping[str, list[str]]:
    """By dimension, and "tag" as "key=value": what the period's days had, by name, at most MOST. Of `filters` only
    one workspace narrows it: what was chosen before stays to be chosen."""
    only = (filters or {}).get("workspace")
    question = choices_question(span, only if isinstance(only, str) else None)
    (row,) = source.table(question.sql, question.params).to_pylist()
    named = {name: _sorted(row[name]) for name in (*_OF_CALL, *_OF_TARGET)}
    tags = {f"{key}={value}" for each in row["tags"] or () for key, value in each or ()}
    return {**named, "tag": _sorted(tags)}


def _sorted(values: object) -> list[str]:
    return sorted(value for value in values if value)[:MOST] if isinstance(values, list | set) else []
