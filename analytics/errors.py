"""Errors: which, where, and when.

Two grains. A call's error is what its caller was told; an attempt's is what a provider did, and most of those a
fallback mended. So the two do not add up to each other.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.courses import calls_in_steps, share
from analytics.kinds import ATTEMPTS, CALLS
from analytics.overview import frame
from analytics.period import Period
from analytics.question import BadQuestion, Filters, Question
from analytics.usage import ERRORS

FAILED = "('failed', 'abandoned')"
"""Statuses of attempts that gave no whole answer although the caller waited."""
MEANS = {
    "calls": "Calls that ended so: failed at all providers (error), refused before any was asked, or abandoned.",
    "errors": "Calls that the caller waited for and got no answer to. Calls that the caller cancelled do not count.",
    "error_type": "What the caller was told of the kind of error; of a provider, what it did.",
    "error_rate": "Share of all calls that ended in an error.",
    "share": "Part of all errors in the period, with the filters chosen.",
    "failed": "Requests to the provider that gave no whole answer. A fallback may have mended it for the caller.",
    "attempts": "All requests to this provider, whoever answered the call in the end.",
    "failure_rate": "Share of the requests to this provider that failed so.",
    "http_status": "What the provider answered with; empty if it did not answer at all.",
}
"""What each figure means, in a sentence."""


def by_type(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """Of calls, the most first. Columns: status (error, refused, abandoned), error_type, calls, share (of all errors),
    rate (of all calls that pass the filters). Raises BadQuestion."""
    answer = frame(source, by_type_question(span, filters))
    return answer.with_columns(share("calls").alias("share"), share("calls", pl.col("all_calls")).alias("rate")).drop(
        "all_calls"
    )


def by_type_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: status, error_type, calls, all_calls (errors or not, the same in each row). Raises BadQuestion."""
    calls = facts.calls(span.start, span.end, filters)
    sql = f"""SELECT status, error_type, calls, all_calls FROM (
  SELECT status, error_type, CAST(sum(calls) AS BIGINT) AS calls,
    CAST(sum(sum(calls)) OVER () AS BIGINT) AS all_calls
  FROM {calls.sql} GROUP BY status, error_type
) WHERE status IN {ERRORS} ORDER BY calls DESC, status, error_type"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, calls.params)


def by_provider(
    source: Source, span: Period, filters: Filters | None = None, by: Sequence[str] = ("provider",)
) -> pl.DataFrame:
    """Of attempts, the most failed first. Columns: `by` (of attempts: provider, model, key, alias …), error_type,
    http_status (NULL: no answer came), failed, attempts (all at this `by`), failure_rate (failed, of the
    attempts), share (of all that failed). Raises BadQuestion."""
    answer = frame(source, by_provider_question(span, filters, by))
    return answer.with_columns(
        share("failed", pl.col("attempts")).alias("failure_rate"), share("failed").alias("share")
    )


def by_provider_question(span: Period, filters: Filters | None = None, by: Sequence[str] = ("provider",)) -> Question:
    """Columns: `by`, error_type, http_status, failed, attempts. Raises BadQuestion."""
    if always := {"error_type", "http_status"}.intersection(by):
        raise BadQuestion(f"failed attempts are always parted by {min(always)}: leave it out")
    asked = [ATTEMPTS.dimension(name) for name in dict.fromkeys(by)]
    attempts = facts.attempts(span.start, span.end, filters)
    selected = ", ".join(each.selected for each in asked)
    columns = ", ".join(each.column for each in asked)
    sql = f"""SELECT {columns}, error_type, http_status, failed, attempts FROM (
  SELECT {columns}, error_type, http_status, CAST(coalesce(sum(attempts) FILTER (failing), 0) AS BIGINT) AS failed,
    CAST(sum(sum(attempts)) OVER (PARTITION BY {columns}) AS BIGINT) AS attempts
  FROM (SELECT {selected}, error_type, http_status, status IN {FAILED} AS failing, attempts FROM {attempts.sql})
  GROUP BY {columns}, error_type, http_status
) WHERE failed > 0 ORDER BY failed DESC, {columns}, error_type, http_status"""  # noqa: S608 - pieces of this package
    return Question(sql, (*(value for each in asked for value in each.params), *attempts.params))


def by_hour(source: Source, span: Period, filters: Filters | None = None) -> pl.DataFrame:
    """A row for each hour (UTC) of the period, for the heat map. Columns: hour (its start), calls, errors, error_rate
    (NULL where no call was). Raises BadQuestion."""
    answer = frame(source, by_hour_question(span, filters))
    start, end = (moment.replace(tzinfo=None) for moment in (span.start, span.end))
    hours = pl.datetime_range(start, end, "1h", closed="left", eager=True, time_unit="us").dt.truncate("1h")
    every = pl.concat([hours, answer["hour"]]).unique().sort().alias("hour").to_frame()
    filled = every.join(answer, on="hour", how="left").with_columns(pl.col("calls", "errors").fill_null(0)).sort("hour")
    return filled.with_columns(share("errors", pl.col("calls")).alias("error_rate"))


def by_hour_question(span: Period, filters: Filters | None = None) -> Question:
    """Columns: hour, calls, errors; hours without a call are left out. Hours are summed up already where they have all
    filters, else counted from single calls. Raises BadQuestion."""
    if all(facts.knows("hours", name) for name in filters or {}):
        calls, hour = facts.hours(span.start, span.end, filters), "hour"
    else:
        calls, hour = facts.timed(CALLS, span.start, span.end, filters), "date_trunc('hour', started_at)"
    sql = f"""SELECT CAST({hour} AS TIMESTAMP) AS hour, CAST(sum(calls) AS BIGINT) AS calls,
  CAST(coalesce(sum(calls) FILTER (status IN {ERRORS}), 0) AS BIGINT) AS errors
FROM {calls.sql} GROUP BY ALL ORDER BY hour"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, calls.params)


def course(source: Source, span: Period, filters: Filters | None = None, by: str = "error_type") -> pl.DataFrame:
    """Errors over time. Columns: at (the step's start, UTC; `overview.grain` says how long), `by` (of calls:
    error_type, status, alias, workspace …), errors. Only what had errors. Raises BadQuestion."""
    return frame(source, course_question(span, filters, by))


def course_question(span: Period, filters: Filters | None = None, by: str = "error_type") -> Question:
    """As `course`. Raises BadQuestion."""
    asked = CALLS.dimension(by)
    calls, step = calls_in_steps(span, [by], filters)
    sql = f"""SELECT {step} AS "at", {asked.selected}, CAST(sum(calls) AS BIGINT) AS errors
FROM {calls.sql} WHERE status IN {ERRORS} GROUP BY ALL ORDER BY "at", {asked.column}"""  # noqa: S608 - the same
    return Question(sql, (*asked.params, *calls.params))
