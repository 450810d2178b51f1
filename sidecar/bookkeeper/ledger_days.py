"""The sums of finished days (migration 005), in SQL: each function is part of its caller's transaction.

`rolled` says which days they hold: those before `until`, without a gap. Of days before `since` age has taken the calls,
so that only the sums are left, and they never change again but by what comes late (`absorb`). The calls of later days
are all there, so that their sums can be thrown away and made anew at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb


@dataclass(frozen=True, slots=True)
class Rolled:
    """UTC days."""

    since: date
    until: date


@dataclass(frozen=True, slots=True)
class _Sums:
    """A table of sums, what it is summed up from, and which columns are to be summed."""

    facts: str
    measures: str
    when: str = "day"
    times: str = "started_at, tried_at"
    """Columns of the facts that the sums do without."""
    of: str = "*"


_CALL = (
    "calls fallbacks attempts input_tokens cache_read_tokens cache_write_tokens output_tokens reasoning_tokens cost_usd"
    " cost_at_risk_usd unpriced_calls estimated_calls maybe_billed_calls duration_ms provider_ms overhead_ms"
)
_ATTEMPT = (
    "attempts input_tokens cache_read_tokens cache_write_tokens output_tokens reasoning_tokens cost_usd"
    " cost_at_risk_usd unpriced_attempts estimated_attempts duration_ms"
)
_CALL_HOUR = (
    "calls fallbacks attempts input_tokens cache_read_tokens cache_write_tokens output_tokens reasoning_tokens cost_usd"
    " cost_at_risk_usd unpriced_calls estimated_calls"
)
_ATTEMPT_HOUR = (
    "attempts input_tokens cache_read_tokens cache_write_tokens output_tokens reasoning_tokens cost_usd"
    " cost_at_risk_usd unpriced_attempts estimated_attempts"
)
_HOUR = "started_at, date_trunc('hour', started_at) AS hour, workspace, alias, operation, provider, model, error_type"


def _hours(facts: str, more: str, measures: str, **others: str) -> _Sums:
    """`more`: columns besides those that all have."""
    return _Sums(facts, measures, when="hour", of=", ".join([_HOUR, more, *measures.split()]), **others)


SUMS: Mapping[str, _Sums] = {
    "call_days": _Sums("ai_call_facts", _CALL, times="started_at"),
    "attempt_days": _Sums("ai_attempt_facts", _ATTEMPT),
    "cost_days": _Sums("ai_cost_facts", "attempts quantity cost_usd"),
    "latency_days": _Sums("ai_latency_facts", "times"),
    "fallback_days": _Sums("ai_fallback_facts", "moves lost_ms lost_usd lost_at_risk_usd"),
    "call_hours": _hours("ai_call_facts", "status", _CALL_HOUR, times="started_at"),
    "attempt_hours": _hours("ai_attempt_facts", "call_status, tried_at", _ATTEMPT_HOUR),
}
_ONE_DAY = timedelta(days=1)
_EXPIRED = 'started_at < (SELECT "since" FROM rolled)'


def rolled(connection: duckdb.DuckDBPyConnection, table: str = "rolled") -> Rolled:
    since, until = connection.execute(f'SELECT "since", "until" FROM {table}').fetchall()[0]  # noqa: S608 - our own name
    return Rolled(since, until)


def first_day(connection: duckdb.DuckDBPyConnection, low: date, high: date) -> date | None:
    """The first day in [low, high) on which a call began."""
    sql = "SELECT CAST(min(started_at) AS DATE) FROM calls WHERE started_at >= ?::DATE AND started_at < ?::DATE"
    found = connection.execute(sql, [low, high]).fetchone()
    return found[0] if found else None


def sum_up(reader: duckdb.DuckDBPyConnection, day: date) -> None:
    """That day's sums as temporary tables of the reader's own: nothing of the ledger is written, nor locked."""
    for table in SUMS:
        reader.execute(f"CREATE OR REPLACE TEMP TABLE new_{table} AS {_summed(table, _within(day, day + _ONE_DAY))}")


def keep(connection: duckdb.DuckDBPyConnection, until: date, *, summed: bool) -> None:
    """Moves `until` on; with what `sum_up` left in this connection, if it is `summed`."""
    for table in SUMS if summed else ():
        connection.execute(f"INSERT INTO {table} BY NAME FROM temp.new_{table}")
    connection.execute('UPDATE rolled SET "until" = ?', [until])


def move_back(writer: duckdb.DuckDBPyConnection, day: date) -> bool:
    """The rows of `day` change, so that it and later ones are to be summed up anew; not those that lost their calls.
    False: they had no sums yet."""
    known = rolled(writer)
    to = max(day, known.since)
    if to >= known.until:
        return False
    for table, sums in SUMS.items():
        writer.execute(f"DELETE FROM {table} WHERE {sums.when} >= ?::DATE", [to])  # noqa: S608 - our own names
    writer.execute('UPDATE rolled SET "until" = ?', [to])
    return True


def expire(writer: duckdb.DuckDBPyConnection, before: date) -> None:
    """From now on only the sums of days before that one are valid: they have them, and their calls may go."""
    writer.execute('UPDATE rolled SET "since" = ?', [before])


def absorb(writer: duckdb.DuckDBPyConnection) -> None:
    """Calls of days that have only sums, none of them in those: into the sums, and out of the ledger."""
    for table in SUMS:
        writer.execute(f"INSERT INTO {table} BY NAME {_summed(table, _EXPIRED)}")
    remove_expired(writer)


def remove_expired(writer: duckdb.DuckDBPyConnection, which: str = "true") -> None:
    """All calls, or those `which`, of days that have only sums."""
    gone = f"SELECT (sidecar_id, seq) FROM calls WHERE {_EXPIRED} AND {which}"  # noqa: S608 - our own names, as below
    for table in ("cost_revisions", "attempts"):
        writer.execute(f"DELETE FROM {table} WHERE (sidecar_id, seq) IN ({gone})")  # noqa: S608
    writer.execute(f"DELETE FROM calls WHERE {_EXPIRED} AND {which}")  # noqa: S608


def drop_workspace(writer: duckdb.DuckDBPyConnection, workspace: str, before: date) -> None:
    """Its sums of days before that one."""
    for table, sums in SUMS.items():
        writer.execute(f"DELETE FROM {table} WHERE workspace = ? AND {sums.when} < ?::DATE", [workspace, before])  # noqa: S608 - our own names


def _within(low: date, high: date) -> str:
    return f"started_at >= DATE '{low}' AND started_at < DATE '{high}'"


def _summed(table: str, condition: str) -> str:
    sums = SUMS[table]
    measures = sums.measures.split()
    without = ", ".join([sums.times, *measures])
    totals = ", ".join(f"sum({measure}) AS {measure}" for measure in measures)
    facts = f"(SELECT {sums.of} FROM {sums.facts})"  # noqa: S608 - our own names, as below
    return f"SELECT * EXCLUDE ({without}), {totals} FROM {facts} WHERE {condition} GROUP BY ALL"  # noqa: S608
