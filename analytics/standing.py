"""What sidecars last said of targets, how far the days are summed up, what budgets alerted of, what was priced anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from analytics import overview
from analytics.answering import Source
from analytics.period import Period
from analytics.question import BadQuestion, Filters, Question, every, one_of, within

REVISED_BY = ("workspace", "provider", "model")
"""What `rerated` can be narrowed by."""


@dataclass(frozen=True, slots=True)
class Rolled:
    """Days before `until` are summed up; of those before `since` the calls themselves have been deleted."""

    since: date
    until: date


def targets_question() -> Question:
    """The latest that any sidecar said of each target. Columns: provider, model, circuit, requests, errors, mean_ms,
    p95_ms, last_used_at, last_error_type, last_error_at, cooling_until, at (when it was said)."""
    sql = """SELECT provider, model, circuit, requests, errors, mean_ms, p95_ms, last_used_at, last_error_type,
  last_error_at, cooling_until, "at"
FROM ai_target_states
QUALIFY row_number() OVER (PARTITION BY provider, model ORDER BY "at" DESC, sidecar_id DESC) = 1
ORDER BY provider, model"""
    return Question(sql)


def targets(source: Source) -> pl.DataFrame:
    """See targets_question. They are the operator's: not for who sees one workspace only."""
    return overview.frame(source, targets_question())


def rolled(source: Source, _span: Period, _filters: Filters | None = None) -> Rolled:
    """Up to where the ledger's days are summed up, of whatever period."""
    (row,) = source.table('SELECT "since", "until" FROM rolled').to_pylist()
    return Rolled(row["since"], row["until"])


def alerts_question(span: Period, filters: Filters | None = None) -> Question:
    """Alerts that budgets gave in the period, the newest first. Columns: at, budget_id, name, workspace, scope,
    subject, threshold (soft, hard), unit, limit_amount, spent_amount, window_start, window_end, delivery ('' while no
    webhook was tried), call_id. Raises BadQuestion for a filter but the workspace."""
    if unknown := [name for name in filters or {} if name != "workspace"]:
        raise BadQuestion(f"alerts are not known by {unknown[0]!r}, but by workspace")
    of = (filters or {}).get("workspace")
    where = every([within(span.start, span.end, '"at"'), *([one_of("workspace", of)] if of is not None else [])])
    sql = f"""SELECT "at", budget_id, name, workspace, scope, subject, threshold, unit, limit_amount, spent_amount,
  window_start, window_end, delivery, call_id
FROM ai_budget_alerts WHERE {where.sql} ORDER BY "at" DESC, alert_id"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, where.params)


def alerts(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """See alerts_question."""
    return overview.frame(source, alerts_question(span, filters))


def rerated_question(span: Period, filters: Filters | None = None) -> Question:
    """What of the period's calls was priced anew, a row a time, the newest first. Columns: at, actor, reason, calls,
    attempts, was_unpriced (attempts), before_usd, after_usd. Raises BadQuestion for a filter not in REVISED_BY."""
    if unknown := [name for name in filters or {} if name not in REVISED_BY]:
        raise BadQuestion(f"what was priced anew is not known by {unknown[0]!r}; it is by: {', '.join(REVISED_BY)}")
    where = every([within(span.start, span.end), *(one_of(name, wanted) for name, wanted in (filters or {}).items())])
    sql = f"""SELECT min("at") AS "at", any_value(actor) AS actor, any_value(reason) AS reason,
  count(DISTINCT (sidecar_id, seq)) AS calls, count(*) AS attempts,
  count(*) FILTER (NOT old_priced) AS was_unpriced,
  CAST(sum(old_cost_usd) AS DECIMAL(38, 12)) AS before_usd, CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS after_usd
FROM ai_cost_revisions WHERE {where.sql}
GROUP BY rerating_id ORDER BY 1 DESC"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, where.params)


def rerated(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """See rerated_question."""
    return overview.frame(source, rerated_question(span, filters))
