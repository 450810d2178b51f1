"""Charts: frames in, Altair out, a file a kind. Nothing is asked or shown here. Times are UTC."""

from dashboards.charts.axes import HEIGHT, TIMES, WORDS, colours, in_utc, named, room
from dashboards.charts.bars import ranked
from dashboards.charts.courses import STEPS, percentiles, piled, stacked
from dashboards.charts.timeline import attempt_rows, attempts, reason

__all__ = [
    "HEIGHT", "STEPS", "TIMES", "WORDS",
    "attempt_rows", "attempts", "colours", "in_utc", "named", "percentiles", "piled", "ranked",
    "reason", "room", "stacked",
]  # fmt: skip
