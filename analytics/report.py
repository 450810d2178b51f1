"""What a report is: a name, what it means, its columns, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from analytics.answering import Source
from analytics.period import Period
from analytics.question import BadQuestion, Filters

BY = "(by)"
"""Stands in a report's columns for what it was asked by."""
_KINDS = {"usd": "usd", "ms": "ms", "share": "share", "rate": "share"}


class Column(NamedTuple):
    name: str
    title: str
    kind: str
    """text | count | usd | ms | lasting (many ms) | share | change (a share with its sign) | number | day | time |
    amount (of the row's unit)"""


Run = Callable[[Source, Period, Filters, str], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    means: str
    """In one line."""
    columns: tuple[Column, ...]
    """Those for the eye, in order; the frame may have more."""
    run: Run
    """(source, span, filters, by) -> at least `columns`. Raises BadQuestion, SourceError."""
    by: str = ""
    """What it is asked by where nobody says otherwise; "" where it has no such choice."""
    told: tuple[str, ...] = ()
    """Columns of whole sentences, that stand below a row."""
    empty: str = ""
    """What no rows mean; "" where it is that the period has none."""

    def asked(self, source: Source, span: Period, filters: Filters | None = None, by: str = "") -> pl.DataFrame:
        """Raises BadQuestion, SourceError."""
        if by and not self.by:
            raise BadQuestion(f"the report {self.name} is always the same: leave --by out")
        return self.run(source, span, filters or {}, by or self.by)

    def titled(self, by: str = "") -> tuple[Column, ...]:
        """Its columns, the first of them as it was asked by."""
        chosen = by or self.by
        return tuple(Column(chosen, chosen, "text") if each.name == BY else each for each in self.columns)


def columns(text: str) -> tuple[Column, ...]:
    """`name`, `name=title` or `name=title:kind`, between commas; without a kind, by its name's end."""
    return tuple(_column(each.strip()) for each in text.split(","))


def _column(text: str) -> Column:
    name, _, rest = text.partition("=")
    title, _, kind = rest.partition(":")
    return Column(name, title or name.replace("_", " "), kind or _KINDS.get(name.rpartition("_")[2], "text"))


def plain(function: Callable[[Source, Period, Filters | None], pl.DataFrame]) -> Run:
    """One that is always the same."""
    return lambda source, span, filters, _: function(source, span, filters)
