"""A question is SQL and its parameters. Values are always parameters; identifiers come from lists in this package."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Parameter = str | int | float | bool | None
"""What JSON can carry: a question may be answered by another process. Times go as text, see `moment`."""

Filters = Mapping[str, str | Sequence[str]]
"""Dimension -> the value, or the values of which any will do. "" asks for the empty one ("untagged")."""


class BadQuestion(ValueError):
    """A dimension or filter that does not exist. The message names it and what does exist."""


@dataclass(frozen=True, slots=True)
class Question:
    """One read-only statement with positional (`?`) parameters."""

    sql: str
    params: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of a WHERE clause and its parameters."""

    sql: str
    params: tuple[Parameter, ...] = ()


def moment(at: datetime) -> str:
    """A time as the ledger has it: UTC without a zone, microseconds. Refuses a time without a zone."""
    if at.tzinfo is None:
        raise BadQuestion(f"a time needs a zone: {at.isoformat()}")
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def within(start: datetime, end: datetime, column: str = "started_at") -> Condition:
    """Half-open [start, end)."""
    return Condition(f"{column} >= ?::TIMESTAMP AND {column} < ?::TIMESTAMP", (moment(start), moment(end)))


def one_of(expression: str, wanted: str | Sequence[str], own: tuple[Parameter, ...] = ()) -> Condition:
    """`expression` (with its `own` parameters) has one of the `wanted` values; none wanted: never true."""
    values = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    if not values:
        return Condition("false")
    return Condition(f"{expression} IN ({', '.join('?' * len(values))})", own + values)


def every(conditions: Sequence[Condition]) -> Condition:
    """All of them hold; of none, true."""
    sql = " AND ".join(condition.sql for condition in conditions) or "true"
    return Condition(sql, tuple(value for condition in conditions for value in condition.params))
