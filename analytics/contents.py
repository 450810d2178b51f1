"""What files can be made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

import polars as pl

from analytics.answering import Source
from analytics.charges import NARROWED_BY, months
from analytics.filing import CALL_ROWS, Content
from analytics.focus import Version, focus_question
from analytics.focus_columns import layout
from analytics.overview import frame
from analytics.question import Filters, Question

FOCUS_NARROWED_BY = frozenset({*NARROWED_BY, "tag:<key>"})
"""Filters that billing rows know."""


def focus(version: Version) -> Content:
    """Billing rows, of whole months."""
    return Content(layout(version), partial(_focus, version))


def _focus(version: Version, start: datetime, end: datetime, filters: Filters) -> Question:
    return focus_question(*months(start, end, datetime.now(UTC)), version, filters)


CONTENTS: Mapping[str, Content] = {
    "Calls": CALL_ROWS,
    "FOCUS 1.2": focus(Version.V1_2),
    "FOCUS 1.4": focus(Version.V1_4),
}
"""By name."""


def closed_months(source: Source) -> pl.DataFrame:
    """Of all workspaces, the latest first. Columns: month, closed_at (UTC), closed_by, row_count, cost_usd,
    corrections, corrections_usd, sha256."""
    return frame(source, Question("SELECT * FROM ai_billing_periods ORDER BY month DESC"))
