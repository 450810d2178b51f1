"""Billing periods: what each comes to, which may be closed, and closing it: its charges are frozen, for ever.

All in one transaction of the ledger: the rows, and what their file came to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from analytics.charges import CHARGE, after, charges_question
from analytics.question import Filters, Question
from sidecar.bookkeeper.ledger import Ledger

_CHARGE = ", ".join(CHARGE)
_ALWAYS = date(1970, 1, 1), date(9999, 12, 1)
_OR_FORCE = "or force it, and they come as corrections"
_ROWS = 50_000
"""In a batch, on the way into the hash."""


class NotClosable(Exception):
    """The month cannot be closed, or not now. The message says why, and what can be."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing a month came to, or would."""

    month: date
    cost_usd: Decimal
    corrections_usd: Decimal
    """Of it: of days whose own month was closed before."""
    rows: int = 0
    """Of the FOCUS file."""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """When, and up to when all that was recorded is in the ledger; UTC."""

    now: datetime
    booked: datetime


def periods_question(filters: Filters | None = None) -> Question:
    """Columns: month, closed_at, closed_by, row_count, sha256 (NULL of open ones), cost_usd, corrections_usd. Of the
    months that are closed, and those that have charges; the newest first. Without filters a closed month's costs are
    those it was closed with, whatever of it was deleted since. Raises BadQuestion."""
    charges = charges_question(*_ALWAYS, filters)
    first = "sums" if filters else "closed"
    sql = f"""SELECT month, closed_at, closed_by, row_count, sha256,
  coalesce({first}.cost_usd, sums.cost_usd, 0) AS cost_usd,
  coalesce({first}.corrections_usd, sums.corrections_usd, 0) AS corrections_usd
FROM ai_billing_periods AS closed FULL JOIN (
  SELECT month, sum(cost_usd) AS cost_usd, sum(cost_usd) FILTER (day < month) AS corrections_usd
  FROM ({charges.sql}) GROUP BY month
) AS sums USING (month)
ORDER BY month DESC"""  # noqa: S608 - pieces of our own, no values
    return Question(sql, charges.params)


def expected(ledger: Ledger, month: date, at: Moment, *, force: bool) -> Closing:
    """What closing it would come to. Raises NotClosable, LedgerFault."""
    with ledger.reading() as reader:
        _check(reader, month, at, force=force)
        return _sums(reader, month)


def close(ledger: Ledger, month: date, who: str, at: Moment, *, force: bool) -> Closing:
    """Of all workspaces. `force`: also while calls of the month are open, or not booked yet: they come as corrections.

    Raises NotClosable, LedgerFault."""
    charges = charges_question(month, after(month))
    with ledger.transaction() as writer:
        _check(writer, month, at, force=force)
        sums = _sums(writer, month)
        writer.execute(f"INSERT INTO billed_costs BY NAME SELECT {_CHARGE} FROM ({charges.sql})", charges.params)  # noqa: S608 - ours
        rows, corrections, sha256 = _file(writer, month)
        writer.execute(
            "INSERT INTO billing_periods VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [month, at.now.astimezone(UTC).replace(tzinfo=None), who, rows, sums.cost_usd, corrections,
             sums.corrections_usd, sha256],
        )  # fmt: skip
    return Closing(month, sums.cost_usd, sums.corrections_usd, rows, sha256)


def _sums(reader: duckdb.DuckDBPyConnection, month: date) -> Closing:
    charges = charges_question(month, after(month))
    sql = f"SELECT coalesce(sum(cost_usd), 0), coalesce(sum(cost_usd) FILTER (day < month), 0) FROM ({charges.sql})"  # noqa: S608 - ours
    cost, corrections = _one(reader, sql, charges.params)
    return Closing(month, Decimal(cost), Decimal(corrections))


def _file(reader: duckdb.DuckDBPyConnection, month: date) -> tuple[int, int, str]:
    """(rows, corrections, SHA-256) of the month's file, as CSV."""
    from analytics.exports import Format, Written, pieces  # polars takes its time to load
    from analytics.focus import Version, focus_question
    from analytics.focus_columns import layout

    question = focus_question(month, after(month), Version.V1_2)
    written = Written(layout(Version.V1_2))
    batches: Iterator[pa.RecordBatch] = reader.execute(question.sql, question.params).to_arrow_reader(_ROWS)
    for _ in pieces(batches, Format.CSV, written):
        pass
    return written.rows, written.counts["corrections"], written.sha256


def _check(reader: duckdb.DuckDBPyConnection, month: date, at: Moment, *, force: bool) -> None:
    last, first = _one(
        reader,
        "SELECT (SELECT max(month) FROM billing_periods), (SELECT date_trunc('month', min(day)) FROM ai_call_days)",
    )
    opened = after(last) if last else _date(first) or month
    name, over = f"{month:%Y-%m}", datetime(*after(month).timetuple()[:3], tzinfo=UTC)
    if last and month <= last:
        raise NotClosable(f"{name} is closed already; the next one is {opened:%Y-%m}")
    if (due := _due(reader, opened, month)) != month:
        raise NotClosable(f"{name} is not the next to be closed, which is {due:%Y-%m}: they are closed in order")
    if at.now < over:
        raise NotClosable(f"{name} is not over before {over:%Y-%m-%d %H:%M} UTC")
    if force:
        return
    if at.booked < over:
        raise NotClosable(f"not all calls of {name} are in the ledger yet: wait a moment, {_OR_FORCE}")
    (open_calls,) = _one(reader, "SELECT count(*) FROM open_calls WHERE started_at < ?", [over.replace(tzinfo=None)])
    if open_calls:
        raise NotClosable(
            f"there are calls of {name} that have not ended yet: {open_calls}; wait for them, {_OR_FORCE}"
        )


def _due(reader: duckdb.DuckDBPyConnection, opened: date, month: date) -> date:
    """The next to be closed, up to `month`: those that come to nothing are closed along with it, of which there are
    hundreds where a clock stood at 1970."""
    if month <= opened:
        return opened
    charges = charges_question(opened, month)
    (first,) = _one(reader, f"SELECT min(month) FROM ({charges.sql})", charges.params)  # noqa: S608 - ours
    return _date(first) or month


def _date(found: Any) -> date | None:
    """DuckDB's date_trunc gives a date of a date; None of none."""
    return found.date() if isinstance(found, datetime) else found


def _one(reader: duckdb.DuckDBPyConnection, sql: str, params: Any = ()) -> tuple[Any, ...]:
    row = reader.execute(sql, params).fetchone()
    if row is None:
        raise AssertionError("aggregates have one row")
    return row
