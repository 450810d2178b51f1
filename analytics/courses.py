"""Courses over time: how long their steps are, and what they are summed from. And shares of a whole."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import polars as pl

from analytics import facts
from analytics.facts import Facts
from analytics.kinds import ATTEMPTS, CALLS, COSTS, Kind
from analytics.overview import grain
from analytics.period import Period
from analytics.question import Filters

FINE = timedelta(days=2)
"""Up to here money is drawn by the hour: hours are summed from single calls."""
OF_TARGET = frozenset({"provider", "model", "key", "key_owner"})
"""What each attempt has its own of: asked for one, tokens and money are those of the attempts there."""


def calls_in_steps(span: Period, names: Iterable[str], filters: Filters | None) -> tuple[Facts, str]:
    """Calls to be summed, and the SQL of the step that each belongs to: `overview.grain` says how long steps are.

    Hours come summed up where hours have all of the `names`, to group by, and filters. Raises BadQuestion."""
    step = grain(span)
    if step in ("day", "month"):
        return facts.calls(span.start, span.end, filters), _step(step, "day")
    if step == "hour" and all(facts.knows("hours", name) for name in (*names, *(filters or {}))):
        return facts.hours(span.start, span.end, filters), "hour"
    return facts.timed(CALLS, span.start, span.end, filters), _step(step, "started_at")


def money_step(span: Period) -> str:
    """How long the steps of money's course are: minutes up to 4 hours, hours up to FINE, then days, months."""
    return "day" if grain(span) == "hour" and span.length > FINE else grain(span)


def money_in_steps(span: Period, names: Iterable[str], filters: Filters | None) -> tuple[Kind, Facts, str]:
    """Of what `cost_usd` is to be summed to be parted by `names`, and the SQL of the step that each row belongs to.

    Of calls, attempts and cost lines, the first that have all names and filters: there are fewer calls than attempts,
    and fewer attempts than lines. A target's money is that of the attempts there. Raises BadQuestion."""
    asked = {*names, *(filters or {})}
    kinds = (ATTEMPTS,) if asked & OF_TARGET else (CALLS, ATTEMPTS)
    kind = next((kind for kind in kinds if all(map(kind.knows, asked))), COSTS)
    step = money_step(span)
    if step in ("day", "month"):
        return kind, facts.summed(kind, span.start, span.end, filters), _step(step, "day")
    return kind, facts.timed(kind, span.start, span.end, filters), _step(step, "started_at")


def _step(step: str, column: str) -> str:
    return f"CAST(date_trunc('{step}', {column}) AS TIMESTAMP)"


def share(part: str, whole: pl.Expr | None = None) -> pl.Expr:
    """A column's share of its own sum, or of `whole`: 0 to 1; NULL of nothing."""
    value = pl.col(part).cast(pl.Float64)
    total = pl.col(part).cast(pl.Float64).sum() if whole is None else whole.cast(pl.Float64)
    return pl.when(total > 0).then(value / total)
