"""A file and its manifest, put where they are wanted: of calls, or of whatever a `Content` is a question for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from analytics.answering import Source
from analytics.exports import (
    CALLS,
    Format,
    Layout,
    Writable,
    Written,
    export_question,
    ledger_position,
    manifest,
    write,
)
from analytics.period import Period
from analytics.places import Place
from analytics.question import Filters, Question

MANIFEST = ".manifest.json"
"""What a manifest's name has more than its file's."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file is made of."""

    layout: Layout
    question: Callable[[datetime, datetime, Filters], Question]
    """Its rows, in columns of the layout, of a period. Raises BadQuestion."""
    beside: Callable[[Source, Period, Filters], Mapping[str, Any]] = lambda _source, _span, _filters: {}
    """What the manifest tells beyond the rows themselves. Raises SourceError, BadQuestion."""
    expires: bool = False
    """Whether age takes its rows: then fewer of them say nothing."""


CALL_ROWS = Content(CALLS, export_question, expires=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """One file."""

    content: Content
    span: Period
    filters: Filters
    form: Format

    @property
    def question(self) -> Question:
        """Raises BadQuestion."""
        return self.content.question(self.span.start, self.span.end, self.filters)


def rows(source: Source, asked: Asked) -> int:
    """How many rows it will have. Raises SourceError, BadQuestion."""
    question = asked.question
    sql = f"SELECT count(*) AS rows FROM ({question.sql})"  # noqa: S608 - pieces of questions
    return int(source.table(sql, question.params)["rows"][0].as_py())


def sums(source: Source, asked: Asked) -> dict[str, Any]:
    """Its rows and sums as they are now, told as in a manifest. Raises SourceError, BadQuestion."""
    question, layout = asked.question, asked.content.layout
    totals = "".join(f', coalesce(sum("{name}"), 0) AS "{name}"' for name in layout.sums)
    sql = f"SELECT count(*) AS rows{totals} FROM ({question.sql})"  # noqa: S608 - as above
    (row,) = source.table(sql, question.params).to_pylist()
    money = {name for name in layout.sums if pa.types.is_decimal(layout.columns[name])}
    return {name: f"{value:.12f}" if name in money else int(value) for name, value in row.items()}


def send(source: Source, asked: Asked, out: Writable, progress: Callable[[int], object] | None = None) -> Written:
    """The file alone, into `out`. Raises SourceError, BadQuestion, and what `out` raises."""
    question = asked.question
    return write(source.batches(question.sql, question.params), asked.form, out, progress, asked.content.layout)


def file(
    source: Source, asked: Asked, where: Place, progress: Callable[[int], object] | None = None
) -> tuple[Written, bytes]:
    """The file, and then its manifest beside it: where a manifest is, its file is whole. Returns what was written, and
    the manifest. Raises SourceError, BadQuestion, PlaceError."""
    position = ledger_position(source)
    with where.writing() as out:
        written = send(source, asked, out, progress)
    more = asked.content.beside(source, asked.span, asked.filters)
    told = manifest(written, asked.span.start, asked.span.end, asked.filters, position, more=more)
    where.beside(MANIFEST).put(told)
    return written, told
