"""What calls can be grouped and filtered by."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from analytics.question import BadQuestion, Condition, one_of

OF_CALL = {
    "month": "CAST(date_trunc('month', started_at) AS DATE)",
    "week": "CAST(date_trunc('week', started_at) AS DATE)",
    "day": "CAST(started_at AS DATE)",
    "hour": "date_trunc('hour', started_at)",
    "minute": "date_trunc('minute', started_at)",
    "alias": "alias",
    "workspace": "workspace",
    "caller": "caller",
    "task": "task",
    "operation": "operation",
    "streamed": "CAST(streamed AS VARCHAR)",
    "status": "status",
    "error_type": "error_type",
    "fallback_reason": "fallback_reason",
}
"""Dimensions that a call has one value of. Weeks begin on Monday."""
OF_TARGET = {"provider": "provider", "model": "model", "key": "key_id", "key_owner": "key_owner"}
"""Dimensions that each attempt has its own value of; of a call it is the value of record ("" if none answered)."""
OF_TIME = ("month", "week", "day", "hour", "minute")
DIMENSIONS = (*OF_CALL, *OF_TARGET)
_TAG_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A column to group by: its name, and how the views give its value."""

    name: str
    expression: str
    params: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """Its name, quoted."""
        return f'"{self.name}"'

    @property
    def selected(self) -> str:
        """For a SELECT list."""
        return f"{self.expression} AS {self.column}"


def label(value: object) -> str:
    """A dimension's value as text: days and hours in ISO form, UTC."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, date) else str(value)


def dimension(name: str) -> Dimension:
    """By its name, or "tag:<key>" ("" where a call has no such tag). Raises BadQuestion."""
    key = tag_key(name)
    if key is not None:
        return Dimension(name, "coalesce(tags[?], '')", (key,))
    known = OF_CALL.get(name) or OF_TARGET.get(name)
    if known is None:
        raise _unknown(name, DIMENSIONS)
    return Dimension(name, known)


def narrow(name: str, wanted: str | Sequence[str]) -> Condition:
    """The dimension `name` has one of the `wanted` values. Raises BadQuestion."""
    if name in OF_TIME:
        raise _unknown(name, [each for each in DIMENSIONS if each not in OF_TIME])
    asked = dimension(name)
    return one_of(asked.expression, wanted, asked.params)


def tag_key(dimension: str) -> str | None:
    """The key of a dimension "tag:<key>"; None for another dimension."""
    prefix, colon, key = dimension.partition(":")
    if prefix != "tag" or not colon:
        return None
    if not _TAG_KEY.fullmatch(key):
        raise BadQuestion(f"not a tag key: {key!r} (letters, digits, '_', '.', '-')")
    return key


def _unknown(dimension: str, known: Collection[str]) -> BadQuestion:
    """The error for a dimension that is not in `known`."""
    return BadQuestion(f"unknown dimension {dimension!r}; there are: {', '.join(known)}, tag:<key>")
