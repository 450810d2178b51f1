"""FOCUS files: what is in one, and what its manifest says beside."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any

from analytics.answering import Source
from analytics.charges import months
from analytics.filing import Content
from analytics.focus import Version, focus_question, unpriced_question
from analytics.focus_columns import layout
from analytics.period import Period
from analytics.question import Filters, Question

__all__ = ["Version", "content"]


def content(version: Version) -> Content:
    """Of whole months: a file of another period is a BadQuestion."""
    return Content(layout(version), partial(_rows, version), _unpriced)


def _rows(version: Version, start: datetime, end: datetime, filters: Filters) -> Question:
    return focus_question(*months(start, end, datetime.now(UTC)), version, filters)


def _unpriced(source: Source, span: Period, filters: Filters) -> dict[str, Any]:
    """What was used and is not in the file, since no price is known."""
    question = unpriced_question(*months(span.start, span.end, datetime.now(UTC)), filters)
    (row,) = source.table(question.sql, question.params).to_pylist()
    return {"unpriced_calls": row["calls"], "unpriced_tokens": row["tokens"]}
