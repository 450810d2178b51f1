"""Who is to be charged what: calls, tokens and exact cost by a tag, workspace or any other dimension, of a period.

Money and tokens are those of every attempt, also of attempts that failed and were billed, so the lines add up to what
the ledger knows to be owed, to the picodollar; calls are counted by the provider of record. What no price is known for
is in no line's cost, and is counted beside it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from analytics import facts
from analytics.answering import Source
from analytics.dimensions import Dimension, label
from analytics.facts import Facts
from analytics.kinds import ATTEMPTS, CALLS, Kind
from analytics.period import Period
from analytics.question import BadQuestion, Filters, Question

_TIMES = ("day", "month")
_ANOTHERS = frozenset({"error_type"})
"""Of a call and of an attempt different things: by it, money would not stand beside the calls that it was for."""
COLUMNS = ("calls", "input_tokens", "output_tokens", "cost_usd", "share", "unpriced_calls", "estimated_calls")
UNTAGGED = "untagged"
_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Line:
    """What one value, or one of each dimension's values together, came to."""

    values: tuple[str, ...]
    """In the order of the dimensions; "" of a tag: without it."""
    calls: int
    input_tokens: int
    """Cached ones too."""
    output_tokens: int
    cost_usd: Decimal | None
    """Exact; None where nothing has a price."""
    share: Decimal | None
    """Of the total's cost, 0 to 1, six decimals; None without a cost."""
    unpriced_calls: int
    """Calls that used something without a known price: the cost is a lower bound."""
    estimated_calls: int


@dataclass(frozen=True, slots=True)
class Chargeback:
    """The dearest first, and what has no tag at the end."""

    by: tuple[str, ...]
    lines: tuple[Line, ...]
    total: Line


def chargeback(source: Source, span: Period, by: Sequence[str], filters: Filters | None = None) -> Chargeback:
    """By one dimension or several. Raises BadQuestion, SourceError."""
    question = chargeback_question(span, by, filters)
    rows = source.table(question.sql, question.params).to_pylist()
    whole = _total(rows, len(by))
    lines = sorted((_line(row, by, whole.cost_usd) for row in rows), key=_order)
    return Chargeback(tuple(by), tuple(lines), whole)


def chargeback_question(span: Period, by: Sequence[str], filters: Filters | None = None) -> Question:
    """A row a value: those of `by`, calls, input_tokens, output_tokens, cost_usd, unpriced_calls, estimated_calls.

    Raises BadQuestion."""
    _check(by)
    calls = _summed(
        facts.calls(span.start, span.end, filters),
        _dimensions(CALLS, by),
        "sum(calls) AS calls, sum(unpriced_calls) AS unpriced_calls, sum(estimated_calls) AS estimated_calls",
    )
    attempts = _summed(
        facts.attempts(span.start, span.end, filters),
        _dimensions(ATTEMPTS, by),
        "sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens, sum(cost_usd) AS cost_usd,"
        " sum(unpriced_attempts) AS unpriced_attempts",
    )
    names = ", ".join(each.column for each in _dimensions(CALLS, by))
    counts = ", ".join(
        f"CAST(coalesce({name}, 0) AS BIGINT) AS {name}"
        for name in ("calls", "input_tokens", "output_tokens", "unpriced_calls", "estimated_calls")
    )
    sql = f"""SELECT {names}, {counts},
  CASE WHEN coalesce(unpriced_attempts, 0) = 0 THEN coalesce(cost_usd, 0) ELSE cost_usd END AS cost_usd
FROM ({calls.sql}) FULL JOIN ({attempts.sql}) USING ({names})"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*calls.params, *attempts.params))


def as_csv(told: Chargeback) -> str:
    """A line a value, without the total."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*told.by, *COLUMNS])
    for line in told.lines:
        writer.writerow([*shown(told.by, line.values), *(_text(getattr(line, name)) for name in COLUMNS)])
    return out.getvalue()


def as_document(told: Chargeback, span: Period) -> dict[str, Any]:
    """For JSON: decimals stay decimals, what has no tag is null."""
    lines = [
        {name: value or None for name, value in zip(told.by, line.values, strict=True)} | _measures(line)
        for line in told.lines
    ]
    return {
        "start": span.start,
        "end": span.end,
        "by": list(told.by),
        "currency": "USD",
        "rows": lines,
        "total": _measures(told.total),
    }


def shown(by: Sequence[str], values: Sequence[str]) -> list[str]:
    """Values for people: a call without the tag is untagged, what else is absent is a dash."""
    return [value or (UNTAGGED if name.startswith("tag:") else "-") for name, value in zip(by, values, strict=True)]


def _check(by: Sequence[str]) -> None:
    """Raises BadQuestion."""
    for name in by:
        both = facts.knows("calls", name) and facts.knows("attempts", name)
        if name not in _TIMES and (not both or name in _ANOTHERS):
            shared = (facts.NARROWED_BY["calls"] & facts.NARROWED_BY["attempts"]) - _ANOTHERS
            raise BadQuestion(f"cannot charge by {name!r}; there are: {', '.join(sorted(shared | set(_TIMES)))}")


def _dimensions(kind: Kind, by: Sequence[str]) -> list[Dimension]:
    """As that kind has them: a `status` is the call's, in both."""
    return [kind.dimension(name) for name in by]


def _summed(of: Facts, by: Sequence[Dimension], measures: str) -> Question:
    groups = ", ".join(each.selected for each in by)
    sql = f"SELECT {groups}, {measures} FROM {of.sql} GROUP BY ALL"  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*(value for each in by for value in each.params), *of.params))


def _line(row: Mapping[str, Any], by: Sequence[str], whole: Decimal | None) -> Line:
    cost = row["cost_usd"]
    share = None if cost is None or not whole else (cost / whole).quantize(_PLACES)
    values = tuple("" if row[name] is None else label(row[name]) for name in by)
    return Line(
        values, row["calls"], row["input_tokens"], row["output_tokens"], cost, share,
        row["unpriced_calls"], row["estimated_calls"],
    )  # fmt: skip


def _total(rows: Sequence[Mapping[str, Any]], width: int) -> Line:
    def total(name: str) -> int:
        return sum(row[name] for row in rows)

    costs = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    cost = sum(costs, Decimal(0)) if costs or not rows else None
    return Line(
        ("",) * width, total("calls"), total("input_tokens"), total("output_tokens"), cost,
        Decimal(1) if cost else None, total("unpriced_calls"), total("estimated_calls"),
    )  # fmt: skip


def _order(line: Line) -> tuple[bool, Decimal, tuple[str, ...]]:
    return not any(line.values), -(line.cost_usd or Decimal(0)), line.values


def _measures(line: Line) -> dict[str, Any]:
    return {name: getattr(line, name) for name in COLUMNS}


def _text(value: Any) -> str:
    """Decimals without exponent; an unknown cost is empty."""
    return "" if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)
