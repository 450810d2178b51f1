"""What suggestions to spend less are made of, and what of the ledger they are drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

from analytics import facts
from analytics.answering import Source
from analytics.overview import frame
from analytics.period import Period
from analytics.question import Filters, Question

LONG_PROMPT_CLASS = 6
"""Of 1,024 input tokens and more: from there on OpenAI caches (platform.openai.com/docs/guides/prompt-caching), and
most of Anthropic's models do (docs.anthropic.com, Prompt caching, "Cache limitations")."""
_MONTH = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing to think about."""

    kind: str
    """analytics.suggestions.KINDS"""
    title: str
    saves_usd: Decimal
    """In `period`; 0 where only time is saved."""
    saves_30d_usd: Decimal
    period: Period
    """That of the arithmetic: the asked one, as far as the ledger has calls in it."""
    arithmetic: tuple[str, ...]
    """Lines. Their figures are the ledger's, rounded for reading only."""
    confidence: str
    """high | medium | low"""
    unknown: tuple[str, ...]
    """What the ledger cannot tell."""
    evidence: Mapping[str, str]
    """Filters that find the calls."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger says of a period: see the questions for the columns."""

    period: Period
    meters: pl.DataFrame
    tried: pl.DataFrame
    moves: pl.DataFrame

    def month(self, saved: Decimal) -> Decimal:
        """What that comes to in 30 days like those of the period."""
        return (saved * Decimal(_MONTH / self.period.length)).quantize(Decimal("0.01"))


def meters_question(start: datetime, end: datetime, filters: Filters | None = None) -> Question:
    """Columns: workspace, alias, operation, provider, model, meter, quantity, cost_usd. Raises BadQuestion."""
    known = facts.costs(start, end, filters)
    sql = f"""SELECT workspace, alias, operation, provider, model, meter, CAST(sum(quantity) AS BIGINT) AS quantity,
  CAST(sum(cost_usd) AS DECIMAL(38, 12)) AS cost_usd
FROM {known.sql} GROUP BY ALL HAVING sum(quantity) > 0"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, known.params)


def tried_question(start: datetime, end: datetime, filters: Filters | None = None) -> Question:
    """Columns: workspace, alias, operation, caller, provider, model, first_day, last_day, attempts (without cancelled
    ones), answered, unpriced; ms of those answered, failed_ms and failed_usd of the others, at_risk_usd; of prompts of
    LONG_PROMPT_CLASS and over: long_prompts, long_input and long_cached, in tokens. Raises BadQuestion."""
    known = facts.attempts(start, end, filters)
    ok, not_ok, long = (f"FILTER ({of})" for of in ("status = 'ok'", "status <> 'ok'", "prompt_class >= ?"))
    sql = f"""SELECT workspace, alias, operation, caller, provider, model,
  min(day) AS first_day, max(day) AS last_day,
  CAST(sum(attempts) AS BIGINT) AS attempts,
  CAST(coalesce(sum(attempts) {ok}, 0) AS BIGINT) AS answered,
  CAST(sum(unpriced_attempts) AS BIGINT) AS unpriced,
  coalesce(sum(duration_ms) {ok}, 0) AS ms,
  coalesce(sum(duration_ms) {not_ok}, 0) AS failed_ms,
  CAST(coalesce(sum(cost_usd) {not_ok}, 0) AS DECIMAL(38, 12)) AS failed_usd,
  CAST(coalesce(sum(cost_at_risk_usd), 0) AS DECIMAL(38, 12)) AS at_risk_usd,
  CAST(coalesce(sum(attempts) {long}, 0) AS BIGINT) AS long_prompts,
  CAST(coalesce(sum(input_tokens) {long}, 0) AS BIGINT) AS long_input,
  CAST(coalesce(sum(cache_read_tokens) {long}, 0) AS BIGINT) AS long_cached
FROM {known.sql} WHERE status <> 'cancelled' GROUP BY ALL"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, (*[LONG_PROMPT_CLASS] * 3, *known.params))


def moves_question(start: datetime, end: datetime, filters: Filters | None = None) -> Question:
    """Columns: alias, provider, model, moves: how often calls fell back to it. Raises BadQuestion."""
    known = facts.fallbacks(start, end, filters)
    sql = f"""SELECT alias, to_provider AS provider, to_model AS model, CAST(sum(moves) AS BIGINT) AS moves
FROM {known.sql} GROUP BY ALL HAVING sum(moves) > 0"""  # noqa: S608 - pieces of this package, no values
    return Question(sql, known.params)


def read(source: Source, span: Period, filters: Filters | None = None) -> Books | None:
    """None where nothing was tried. Raises BadQuestion."""
    meters, tried, moves = (
        frame(source, question(span.start, span.end, filters))
        for question in (meters_question, tried_question, moves_question)
    )
    if tried.is_empty():
        return None
    first: Any = tried["first_day"].min()
    last: Any = tried["last_day"].max()
    known = Period(max(span.start, _midnight(first)), min(span.end, _midnight(last) + timedelta(days=1)))
    return Books(known, meters, tried, moves)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
