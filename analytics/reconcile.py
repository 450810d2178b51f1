"""A provider's bill beside the ledger: calls, tokens and money by UTC day and model, and what either side lacks.

The ledger's side is attempts, since a provider bills each request: also those whose call went on to somebody else. A
call answered is one request there. Attempts belong to the day on which their call began.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from analytics import facts, reconcile_models
from analytics.answering import Source
from analytics.period import Period
from analytics.question import Question
from analytics.reconcile_lines import MEASURES, BadStatement, Billed, Statement
from analytics.reconcile_verdicts import FINE, MONEY, Kept, Measure, Row, Sure, Verdict, reasons, sure, verdict

Key = tuple[date, str]
TOLERANCE_PERCENT = Decimal(1)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """By day and model; `total` is of them all."""

    statement: Statement
    accounts: tuple[str, ...]
    span: Period
    rows: tuple[Row, ...]
    total: Row
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Every row does, or is within tolerance."""
        return all(row.verdict in FINE for row in self.rows)


def reconcile(
    source: Source,
    statement: Statement,
    accounts: Sequence[str],
    span: Period | None = None,
    tolerance_percent: Decimal = TOLERANCE_PERCENT,
) -> Reconciled:
    """`accounts`: the ledger's providers that this bill is for. `span`: of the days that the statement covers, only
    those that lie whole in it. Raises BadStatement if none does, SourceError."""
    days = covered(statement, span)
    question = kept_question(days, accounts, statement.operations)
    rows = source.table(question.sql, question.params).to_pylist()
    kept = _kept(rows, statement.has_models)
    billed = _billed(statement, days)
    compared = [
        _row(key, kept.get(key), billed.get(key, ()), statement, tolerance_percent)
        for key in sorted(kept.keys() | billed.keys())
        if key in billed or kept[key].is_billable
    ]
    beside = tuple(_midnight(row, compared, tolerance_percent) for row in compared)
    everything = tuple(line for lines in billed.values() for line in lines)
    total = _row((days.start.date(), ""), _added(kept.values()), everything, statement, tolerance_percent)
    return Reconciled(statement, tuple(accounts), days, beside, total, statement.notes)


def covered(statement: Statement, span: Period | None) -> Period:
    """The whole UTC days that both have. Raises BadStatement."""
    start, end = _midnight_of(statement.first), _midnight_of(statement.last + timedelta(days=1))
    if span:
        first = span.start if span.start == _midnight_of(span.start.date()) else _midnight_of(span.start.date(), 1)
        start, end = max(start, first), min(end, _midnight_of(span.end.date()))
    if start >= end:
        raise BadStatement(
            f"the file covers {statement.first} to {statement.last}: no whole day of the period asked for"
        )
    return Period(start, end)


def kept_question(span: Period, accounts: Sequence[str], operations: Sequence[str] = ()) -> Question:
    """By `day` and `model`: the fields of Kept. Raises BadQuestion."""
    narrowed = {"provider": list(accounts), **({"operation": list(operations)} if operations else {})}
    of = facts.attempts(span.start, span.end, narrowed)
    sql = f"""SELECT CAST(day AS DATE) AS day, model,
  CAST(coalesce(sum(attempts) FILTER (status = 'ok'), 0) AS BIGINT) AS calls,
  CAST(coalesce(sum(attempts) FILTER (status <> 'ok'), 0) AS BIGINT) AS broken,
  CAST(sum(input_tokens) AS BIGINT) AS input_tokens, CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
  CASE WHEN sum(unpriced_attempts) = 0 THEN coalesce(sum(cost_usd), 0) ELSE nullif(sum(cost_usd), 0) END AS cost_usd,
  sum(cost_at_risk_usd) AS cost_at_risk_usd,
  CAST(sum(unpriced_attempts) AS BIGINT) AS unpriced, CAST(sum(estimated_attempts) AS BIGINT) AS estimated
FROM {of.sql} GROUP BY ALL ORDER BY day, model"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, of.params)


def _kept(rows: Sequence[Mapping[str, Any]], by_model: bool) -> dict[Key, Kept]:
    groups: dict[Key, list[Kept]] = defaultdict(list)
    for row in rows:
        model = reconcile_models.plain(row["model"]) if by_model else ""
        groups[row["day"], model].append(Kept(**{name: row[name] for name in Kept.__slots__}))
    return {key: _added(group) for key, group in groups.items()}


def _added(parts: Any) -> Kept:
    """The sum. Its cost is unknown where something has no price and nothing has one."""
    parts = list(parts)
    costs = [each.cost_usd for each in parts if each.cost_usd is not None]
    added = {name: sum(getattr(each, name) for each in parts) for name in Kept.__slots__ if name != MONEY}
    known = sum(costs, Decimal(0)) if costs or not parts else None
    return Kept(**{**added, MONEY: known, "cost_at_risk_usd": Decimal(added["cost_at_risk_usd"])})


def _billed(statement: Statement, days: Period) -> dict[Key, tuple[Billed, ...]]:
    groups: dict[Key, tuple[Billed, ...]] = {}
    for line in statement.lines:
        if days.start.date() <= line.day < days.end.date():
            key = line.day, reconcile_models.plain(line.model)
            groups[key] = (*groups.get(key, ()), line)
    return groups


def _row(key: Key, kept: Kept | None, billed: Sequence[Billed], statement: Statement, tolerance: Decimal) -> Row:
    rounding = statement.unit_usd / 2 * len(billed)
    measures = tuple(
        Measure(
            name,
            getattr(kept or Kept(), name),
            sum((getattr(line, name) or 0 for line in billed), Decimal(0) if name == MONEY else 0),
            rounding if name == MONEY else Decimal(0),
        )
        for name in MEASURES
        if name in statement.tells
    )
    found = verdict(measures, kept, bool(billed), tolerance)
    why = list(reasons(found, measures, kept))
    if rounding and found in {Verdict.WITHIN, Verdict.DIFFERS}:
        why.append(f"each line of the bill is rounded to ${statement.unit_usd}: ±${rounding.normalize():f} here")
    return Row(*key, measures, found, sure(kept, tolerance), tuple(why))


def _midnight(row: Row, rows: Sequence[Row], tolerance: Decimal) -> Row:
    """With the reason of the clock, where what one day has too much its neighbour lacks."""
    if row.verdict in FINE:
        return row
    for step in (-1, 1):
        other = next(
            (each for each in rows if (each.day, each.model) == (row.day + timedelta(days=step), row.model)), None
        )
        if other and other.verdict not in FINE and _together_fine(row, other, tolerance):
            said = f"with {other.day} together both sides agree: the provider's day begins at another time"
            return replace(row, reasons=(said, *row.reasons), sure=Sure.MEDIUM if row.sure is Sure.HIGH else row.sure)
    return row


def _together_fine(one: Row, other: Row, tolerance: Decimal) -> bool:
    both = [
        Measure(a.name, a.ledger + b.ledger, a.billed + b.billed, a.rounding + b.rounding)
        for a, b in zip(one.measures, other.measures, strict=True)
        if a.ledger is not None and b.ledger is not None and a.billed is not None and b.billed is not None
    ]
    return bool(both) and all(each.verdict(tolerance) in FINE for each in both)


def _midnight_of(day: date, days_later: int = 0) -> datetime:
    return datetime.combine(day + timedelta(days=days_later), time(), UTC)
