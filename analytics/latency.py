"""Latency: percentiles of what callers waited, and of what the sidecar itself added."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from analytics.dimensions import dimension, narrow
from analytics.question import Filters, Question, every, within

TIMES = {"duration": "duration_ms", "first_token": "time_to_first_token_ms", "overhead": "overhead_us / 1000.0"}
"""What is timed, in ms. First token: of streamed calls. Overhead: duration less provider and back-off."""
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def latency_question(
    start: datetime, end: datetime, group_by: Sequence[str] = (), filters: Filters | None = None
) -> Question:
    """Columns: `group_by`, `calls`, then for each of TIMES and SHARES `<time>_<share>_ms`; NULL where none was timed.

    Exact percentiles of answered calls, a provider's those it answered. Raises BadQuestion."""
    asked = [dimension(name) for name in dict.fromkeys(group_by)]
    where = every([within(start, end), *(narrow(name, wanted) for name, wanted in (filters or {}).items())])
    measured = ",\n  ".join(
        f"quantile_cont({expression}, {share}){_only(time)} AS {time}_{name}_ms"
        for time, expression in TIMES.items()
        for name, share in SHARES.items()
    )
    columns = "".join(f"{each.selected}, " for each in asked)
    grouped = f" GROUP BY ALL ORDER BY {', '.join(each.column for each in asked)}" if asked else ""
    sql = f"""SELECT {columns}count(*) AS calls,
  {measured}
FROM ai_call_logs WHERE {where.sql} AND status = 'ok'{grouped}"""  # noqa: S608 - pieces of this module, no values
    return Question(sql, (*(value for each in asked for value in each.params), *where.params))


def _only(time: str) -> str:
    return " FILTER (streamed)" if time == "first_token" else ""
