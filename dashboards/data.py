"""The one home of caching. An answer is kept for some seconds, by its question, and shared by all who look."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import streamlit as st

from analytics import calls, exports, overview
from analytics.period import Period, parse
from analytics.question import Filters, Question
from analytics.source import Source, Status, open_source
from analytics.usage import usage_question

FRESH_S = 2
"""How old an answer may be."""


@st.cache_resource(show_spinner=False)
def source(home: str) -> Source:
    """One connection a home, for all sessions."""
    return open_source(Path(home))


@st.cache_data(ttl=FRESH_S, max_entries=300, show_spinner=False)
def _answer(home: str, question: Question) -> pl.DataFrame:
    return overview.frame(source(home), question)


@st.cache_data(ttl=FRESH_S, max_entries=10, show_spinner=False)
def status(home: str) -> Status:
    """How the ledger stands."""
    return source(home).status()


@st.cache_data(ttl=FRESH_S, max_entries=100, show_spinner=False)
def one_call(home: str, call_id: str) -> calls.OneCall | None:
    """A call with all that is known of it."""
    return calls.one_call(source(home), call_id)


def period(text: str) -> Period:
    """Relative ones end at the next tick of FRESH_S, so that those who ask together ask the same. Raises BadPeriod."""
    tick = math.ceil(datetime.now(UTC).timestamp() / FRESH_S) * FRESH_S
    return parse(text, datetime.fromtimestamp(tick, UTC))


def totals(home: str, span: Period, filters: Filters | None = None) -> overview.Row:
    """The measures over the whole period."""
    (row,) = _answer(home, usage_question(span.start, span.end, (), filters)).to_dicts()
    return row


def usage(home: str, span: Period, by: str) -> pl.DataFrame:
    """The measures by one dimension, the dearest first."""
    return _answer(home, usage_question(span.start, span.end, [by]))


def course(home: str, span: Period, by: str | None = None) -> pl.DataFrame:
    """The measures over time. Columns: at, `by`, MEASURES."""
    return overview.course_of(_answer(home, overview.course_question(span, by)), span)


def providers(home: str, span: Period) -> pl.DataFrame:
    """Attempts by provider."""
    return _answer(home, overview.providers_question(span.start, span.end))


def choices(home: str, span: Period, name: str) -> list[str]:
    """What a dimension had in the period."""
    return [value for value in _answer(home, calls.choices_question(span.start, span.end, name))["value"] if value]


def call_list(home: str, span: Period, filters: Filters, search: str, limit: int) -> pl.DataFrame:
    """The newest calls first."""
    return _answer(home, calls.calls_question(span.start, span.end, filters, search=search, limit=limit))


def export_rows(home: str, span: Period, filters: Filters) -> int:
    """How many rows an export will have, about."""
    return int(_answer(home, exports.count_question(span.start, span.end, filters)).item())
