"""Lists of calls as frames."""

from __future__ import annotations

import polars as pl

from analytics import calls
from analytics.answering import Source
from analytics.period import Period
from analytics.question import Filters


def newest(
    source: Source, span: Period, filters: Filters | None = None, search: str = "", limit: int = 100
) -> pl.DataFrame:
    """The period's last calls, the newest first. `search`: part of an id. Raises BadQuestion."""
    rows = pl.from_arrow(calls.newest(source, span, filters, search, limit))
    if isinstance(rows, pl.Series):
        raise TypeError("an answer has columns")
    return rows
