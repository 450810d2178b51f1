"""Percentiles out of bins: how long things took, of millions, without reading each.

A bin holds times within 4 % of each other and stands for its middle, so a percentile is within 2 % of the exact one.
Between two times that neither is the percentile it lies where `quantile_cont` puts it. Times under a microsecond count
as one. Only answered calls are in bins, and attempts that succeeded.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from analytics import facts
from analytics.dimensions import Dimension
from analytics.facts import Facts
from analytics.kinds import LATENCIES, Kind
from analytics.question import BadQuestion, Filters, Question

if TYPE_CHECKING:
    import polars as pl

SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MEASURES = ("duration", "first_token", "overhead", "attempt")
"""What is timed. First token: of streamed calls. Overhead: what the sidecar added. Attempt: at one target."""
RATIO = 1.04
"""Of a bin's end to its beginning."""
ANSWERED: Kind = replace(LATENCIES, columns={**LATENCIES.columns, "status": ("'ok'",), "error_type": ("''",)})
"""The bins of whole calls. All of them were answered."""
_DAYS = ("month", "week", "day")


def has(names: Collection[str]) -> bool:
    """Whether the bins of whole calls are known by all of these dimensions."""
    return all(name in _DAYS or ANSWERED.knows(name) for name in names)


def bin_of(ms: float) -> int:
    """As the ledger's latency_bin."""
    return math.ceil(math.log(max(ms, 0.001)) / math.log(RATIO))


def middle_ms(number: int) -> float:
    """As the ledger's latency_ms: what a bin stands for."""
    return RATIO**number / (1 + (RATIO - 1) / 2)


def percentile(bins: pl.DataFrame, share: float) -> float | None:
    """ms, `share` from 0 to 1; None where nothing was timed. `bins`: rows in any order; columns bin, times."""
    import polars as pl  # takes its time to load: services that only ask in SQL do without

    rows = bins.group_by("bin").agg(pl.col("times").sum()).filter(pl.col("times") > 0).sort("bin")
    if rows.is_empty():
        return None
    upto = rows["times"].cum_sum()
    place = share * (int(upto[-1]) - 1)
    bins_at = [
        int(rows["bin"][upto.search_sorted(rank, side="right")]) for rank in (math.floor(place), math.ceil(place))
    ]
    low, high = map(middle_ms, bins_at)
    return low + (high - low) * (place - math.floor(place))


def percentiles_question(
    start: datetime, end: datetime, measure: str, group_by: Sequence[str] = (), filters: Filters | None = None
) -> Question:
    """Columns: `group_by`, times, p50_ms, p95_ms, p99_ms. `measure`: one of MEASURES.

    By month, week, day, alias, workspace, operation, provider, model. Raises BadQuestion."""
    if measure not in MEASURES:
        raise BadQuestion(f"{measure!r} is not timed; there are: {', '.join(MEASURES)}")
    asked = [LATENCIES.dimension(name) for name in dict.fromkeys(group_by)]
    found = percentiles(facts.latencies(start, end, {**(filters or {}), "measure": measure}), asked)
    order = f" ORDER BY {', '.join(each.column for each in asked)}" if asked else ""
    return Question(f"SELECT * FROM {found.sql}{order}", found.params)  # noqa: S608 - a subselect of this module


def percentiles(bins: Facts, asked: Sequence[Dimension]) -> Facts:
    """Columns: `asked`, times, and a column for each of SHARES, p50_ms; one row at least where nothing is asked for."""
    columns = "".join(f"{each.column}, " for each in asked)
    parted = f"PARTITION BY {columns[:-2]} " if asked else ""
    shares = ",\n  ".join(f"{_between(share)} AS {name}_ms" for name, share in SHARES.items())
    sql = f"""(SELECT {columns}CAST(coalesce(max(total), 0) AS BIGINT) AS times,
  {shares}
FROM (
  SELECT {columns}latency_ms(bin) AS ms,
    sum(times) OVER ({parted}ORDER BY bin) AS upto, sum(times) OVER ({parted.strip()}) AS total
  FROM (SELECT {"".join(f"{each.selected}, " for each in asked)}bin, CAST(sum(times) AS BIGINT) AS times
    FROM {bins.sql} GROUP BY ALL)
){" GROUP BY ALL" if asked else ""})"""  # noqa: S608 - pieces of this package, no values
    return Facts(sql, (*(value for each in asked for value in each.params), *bins.params))


def exact(rows: Facts, asked: Sequence[Dimension], ms: str = "duration_ms") -> Facts:
    """As `percentiles`, of the things themselves: `ms`, where their status is ok. Costs reading each."""
    columns = "".join(f"{each.column}, " for each in asked)
    selected = "".join(f"{each.selected}, " for each in asked)
    shares = ", ".join(f"found[{place}] AS {name}_ms" for place, name in enumerate(SHARES, 1))
    sql = f"""(SELECT {columns}times, {shares} FROM (
  SELECT {selected}count(*) AS times, quantile_cont({ms}, {list(SHARES.values())}) AS found
  FROM {rows.sql} WHERE status = 'ok'{" GROUP BY ALL" if asked else ""}))"""  # noqa: S608 - pieces of this package
    return Facts(sql, (*(value for each in asked for value in each.params), *rows.params))


def _between(share: float) -> str:
    """SQL: between the two things that the share falls between, as `percentile` does."""
    place = f"({share} * (max(total) - 1))"
    low, high = (f"min(ms) FILTER (upto > {side}({share} * (total - 1)))" for side in ("floor", "ceil"))
    return f"{low} + ({high} - {low}) * ({place} - floor({place}))"
