"""Lists of calls as frames."""

from __future__ import annotations

import polars as pl

from analytics import overview
from analytics.answering import Source
from analytics.calls import calls_question
from analytics.period import Period
from analytics.question import Filters


def newest(
    source: Source, span: Period, filters: Filters | None = None, search: str = "", limit: int = 100
) -> pl.DataFrame:
    """The period's last calls, the newest first. `search`: part of an id. Raises BadQuestion."""
    return overview.frame(source, calls_question(span.start, span.end, filters, search=search, limit=limit))
