"""Calls that go: for their age, or because their workspace was deleted. In the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from sidecar.bookkeeper import ledger_days
from sidecar.bookkeeper.ledger_rows import delete

_FIRST = date(1970, 1, 1)
_LONE_DELIVERIES = "DELETE FROM alert_deliveries WHERE alert_id NOT IN (SELECT alert_id FROM budget_alerts)"


@dataclass(frozen=True, slots=True)
class Expired:
    """What age has taken."""

    calls: int = 0
    waits_for: date | None = None
    """A month (its first day) that is to be closed before its calls may go, however old they are."""


def expire(writer: duckdb.DuckDBPyConnection, before: date, at_most: int) -> Expired:
    """At most so many calls of the oldest day, if that is before `before`, summed up, and of a billing period that is
    closed: what may be billed yet keeps its calls. Their sums stay. Alerts from before go too: there are few."""
    writer.execute('DELETE FROM budget_alerts WHERE "at" < ?::DATE', [before])
    writer.execute(_LONE_DELIVERIES)
    known = ledger_days.rolled(writer)
    day = ledger_days.first_day(writer, _FIRST, min(before, known.until))
    if day is None:
        return Expired()
    if not _closed(writer, day.replace(day=1)):
        return Expired(waits_for=day.replace(day=1))
    ledger_days.expire(writer, max(known.since, day + timedelta(days=1)))
    doomed = writer.execute(
        "SELECT sidecar_id, seq FROM calls WHERE started_at < ?::DATE LIMIT ?", [day + timedelta(days=1), at_most]
    ).to_arrow_table()
    _remove(writer, doomed)
    return Expired(doomed.num_rows)


def _closed(writer: duckdb.DuckDBPyConnection, month: date) -> bool:
    """They are closed in order: what comes late for one before the first is billed too, with the next."""
    return bool(writer.execute("FROM billing_periods WHERE month >= ?", [month]).fetchall())


@dataclass(frozen=True, slots=True)
class Erased:
    """What of a workspace was deleted."""

    calls: int
    earliest: date
    """The first day among theirs; the last there is if there were none."""


def erase(writer: duckdb.DuckDBPyConnection, workspace: str, until_us: int, at_most: int, *, sums: bool) -> Erased:
    """So many of its calls, and all else of it but the sums, up to a moment (UTC microseconds); those too if `sums`,
    or if there were calls. Of that moment's own day the sums are made anew."""
    theirs, last = [workspace, until_us], day_of(until_us)
    doomed = writer.execute(
        "SELECT sidecar_id, seq, started_at::DATE AS day FROM calls "
        "WHERE workspace = ? AND started_at <= make_timestamp(?) LIMIT ?",
        [*theirs, at_most],
    ).to_arrow_table()
    if sums or doomed.num_rows:
        ledger_days.drop_workspace(writer, workspace, last)
        writer.execute("DELETE FROM billed_costs WHERE workspace = ? AND day < ?", [workspace, last])
    if last in doomed["day"].to_pylist():
        ledger_days.move_back(writer, last)
    _remove(writer, doomed)
    for table, at in (("open_calls", "started_at"), ("budget_states", '"at"'), ("budget_alerts", '"at"')):
        writer.execute(f"DELETE FROM {table} WHERE workspace = ? AND {at} <= make_timestamp(?)", theirs)  # noqa: S608 - ours
    writer.execute(_LONE_DELIVERIES)
    return Erased(doomed.num_rows, pc.min(doomed["day"]).as_py() or date.max)


def day_of(us: int) -> date:
    """UTC microseconds as the UTC day."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)).date()


def _remove(writer: duckdb.DuckDBPyConnection, doomed: pa.Table) -> None:
    for table in ("cost_revisions", "attempts", "calls"):
        delete(writer, table, ("sidecar_id", "seq"), doomed)
