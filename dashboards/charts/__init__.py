"""Charts: frames in, Altair out, a file a kind. Nothing is asked or shown here. Times are UTC."""

from dashboards.charts.axes import HEIGHT, TIMES, WORDS, colours, in_utc, named, room
from dashboards.charts.bars import ranked
from dashboards.charts.courses import STEPS, Drawn, folded, moved, on_canvas, percentiles, piled, stacked, with_before
from dashboards.charts.timeline import attempt_rows, attempts, reason

__all__ = [
    "HEIGHT", "STEPS", "TIMES", "WORDS", "Drawn",
    "attempt_rows", "attempts", "colours", "folded", "in_utc", "moved", "named", "on_canvas", "percentiles",
    "piled", "ranked", "reason", "room", "stacked", "with_before",
]  # fmt: skip
