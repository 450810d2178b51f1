"""What a question takes at a million calls, ten and a hundred: `python -m benchmarks questions --calls 1e6,1e7,1e8`.

Method. A real bookkeeper holds a ledger of benchmarks.ledgers, with the memory that it has in production, and is asked
over its socket: what is timed is what a page waits for, the frame included. Best of `TIMES`. A month are its last 30
days, seven days its last seven. Beside it what the same takes in plain DuckDB over Parquet, calls and attempts each a
file a day, without sums; a dash where no one statement says the same. Ledgers and files are made where there are none,
in the folder that TAXIMETER_BENCH_LEDGERS names, and stay there: 0.3 GB for a million calls, 3 for ten, 30 for a
hundred (35 while it is made, which takes about an hour).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import time as clock
from functools import partial
from pathlib import Path

import duckdb

from analytics import caching, costs, doubts, errors, fallbacks, ranking
from analytics.anomalies import anomalies
from analytics.answering import Source, SourceError
from analytics.focus import Version, focus_question
from analytics.latency import latency_question
from analytics.overview import frame
from analytics.period import Period
from analytics.providers import compared
from analytics.source import open_source
from analytics.suggestions import suggestions
from analytics.usage import usage_question
from benchmarks.ledgers import ledger

TIMES = 3
_STARTING_S = 60.0
_OPTIONS: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "1GB", "threads": 2}
_IN_TIME = "day >= $start::DATE AND day < $end::DATE"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and the same in plain SQL over `{calls}` and `{attempts}`; "" where there is no such."""

    name: str
    ask: Callable[[Source, Period], object]
    plain: str = ""


def _usage(by: str, column: str) -> Asked:
    """Without percentiles, as tables ask it."""
    plain = f"""SELECT {column}, count(*), sum(input_tokens), sum(output_tokens), sum(cost_usd),
        count(*) FILTER (status = 'error'), sum(duration_ns) FROM {{calls}} WHERE {_IN_TIME} GROUP BY 1"""
    return Asked(f"usage by {by}", lambda source, span: frame(
        source, usage_question(span.start, span.end, (by,), timed=False)), plain)  # fmt: skip


QUESTIONS: Sequence[Asked] = (
    *(_usage(by, column) for by, column in {
        "day": "day", "provider": "provider", "model": "model", "alias": "alias", "workspace": "workspace",
        "caller": "caller", "key": "key_id", "status": "status", "tag:team": "tags['team']",
    }.items()),
    Asked(
        "latency by provider",
        lambda source, span: frame(source, latency_question(span.start, span.end, ("provider",))),
        f"""SELECT provider, quantile_cont(duration_ns, [0.5, 0.95, 0.99]),
        quantile_cont(overhead_ns, [0.5, 0.95, 0.99]),
        quantile_cont(epoch_us(first_token_at) - epoch_us(started_at), [0.5, 0.95, 0.99]) FILTER (streamed)
        FROM {{calls}} WHERE {_IN_TIME} AND status = 'ok' GROUP BY 1""",
    ),
    Asked(
        "cost by meter",
        costs.by_meter,
        f"""SELECT line.meter, sum(line.quantity), sum(line.cost_usd) FROM (
        SELECT unnest(cost_lines) AS line FROM {{attempts}} WHERE {_IN_TIME}) GROUP BY 1""",
    ),
    Asked(
        "cache",
        caching.cache,
        f"""SELECT provider, model, sum(cache_read_tokens), sum(input_tokens) FROM {{attempts}}
        WHERE {_IN_TIME} GROUP BY ALL""",
    ),
    Asked("unpriced, estimated, at risk", doubts.doubts),
    Asked(
        "fallbacks, from where to where",
        fallbacks.flows,
        f"""SELECT a.provider, a.model, b.provider, b.model, count(*), sum(a.cost_usd)
        FROM (FROM {{attempts}} WHERE {_IN_TIME}) AS a JOIN (FROM {{attempts}} WHERE {_IN_TIME}) AS b
        ON a.sidecar_id = b.sidecar_id AND a.seq = b.seq AND b.number = a.number + 1 GROUP BY ALL""",
    ),
    Asked("rescued calls by alias", fallbacks.rescue),
    Asked(
        "errors by hour",
        errors.by_hour,
        f"""SELECT date_trunc('hour', started_at), count(*), count(*) FILTER (status = 'error') FROM {{calls}}
        WHERE {_IN_TIME} GROUP BY 1""",
    ),
    Asked("top callers, with the time before", ranking.top),
    Asked("providers compared on like calls", compared),
    Asked("unusual days", anomalies),
    Asked("suggestions", suggestions),
    Asked("billing rows (FOCUS) of a month", lambda source, span: frame(
        source, focus_question(span.start.date().replace(day=1), span.end.date(), Version.V1_2))),
)  # fmt: skip


def best_ms(work: Callable[[], object]) -> float:
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return 1000 * min(took)


@contextmanager
def bookkeeper(home: Path) -> Iterator[tuple[Source, int]]:
    """One that has taken this home, and its pid."""
    environment = os.environ | {"TAXIMETER_HOME": str(home)}
    argv = [sys.executable, "-m", "sidecar", "bookkeeper"]
    with subprocess.Popen(argv, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield _live(home), process.pid
        finally:
            process.terminate()


def _live(home: Path) -> Source:
    source, until = open_source(home), time.monotonic() + _STARTING_S
    while time.monotonic() < until:
        try:
            if source.status().live:
                return source
        except SourceError:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"no bookkeeper for {home}")


def parquet(home: Path) -> Path:
    """Calls and attempts, a folder a day each; made where there are none."""
    folder = home / "parquet"
    if not folder.exists():
        with duckdb.connect(home / "ledger.duckdb", read_only=True, config=_OPTIONS) as connection:
            (folder.with_suffix(".part")).mkdir(exist_ok=True)
            for table in ("calls", "attempts"):
                to = str(folder.with_suffix(".part") / table).replace("'", "''")
                rows = f"SELECT *, CAST(started_at AS DATE) AS day FROM {table}"
                connection.execute(f"COPY ({rows}) TO '{to}' (FORMAT parquet, PARTITION_BY (day), OVERWRITE)")
        folder.with_suffix(".part").rename(folder)
    return folder


def plainly_ms(folder: Path, asked: Asked, span: Period) -> float | None:
    """Plain DuckDB over Parquet, in this process."""
    if not asked.plain:
        return None
    files = {table: f"read_parquet('{folder / table}/*/*.parquet', hive_partitioning = true)" for table in _TABLES}
    with closing(duckdb.connect(config=_OPTIONS)) as connection:
        known = {"start": f"{span.start:%Y-%m-%d}", "end": f"{span.end:%Y-%m-%d}"}
        return best_ms(lambda: connection.execute(asked.plain.format(**files), known).to_arrow_table())


_TABLES = ("calls", "attempts")


def measure(home: Path, calls: int) -> tuple[dict[str, tuple[float | None, ...]], float]:
    """By question: ms of a month, of the same in plain DuckDB, of seven days; and the bookkeeper's peak MiB."""
    path = ledger(home, calls)
    files = parquet(path.parent)
    end = datetime.combine(_last_day(path) + timedelta(days=1), clock(), UTC)
    month, week = (Period(end - timedelta(days=days), end) for days in (30, 7))
    with bookkeeper(home) as (source, pid):
        took = {
            each.name: tuple(best_ms(partial(each.ask, source, span)) for span in (month, week)) for each in QUESTIONS
        }
        peak = _peak_mib(pid)
    plain = {each.name: plainly_ms(files, each, month) for each in QUESTIONS}
    return {name: (took[name][0], plain[name], took[name][1]) for name in took}, peak


def _last_day(path: Path) -> datetime:
    with duckdb.connect(path, read_only=True) as connection:
        row = connection.execute("SELECT CAST(max(started_at) AS DATE) FROM calls").fetchone()
    return row[0] if row else datetime.now(UTC)


def _peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def table(calls: Sequence[int] = (1_000_000, 10_000_000)) -> str:
    """Markdown."""
    folder = Path(os.environ.get("TAXIMETER_BENCH_LEDGERS") or Path(tempfile.gettempdir()) / "taximeter-ledgers")
    measured = [measure(folder / str(size), size) for size in calls]
    heads = [f"{size / 1e6:g} M: {what}" for size in calls for what in ("month", "plain", "7 days")]
    lines = [
        f"| {each.name} | {' | '.join(_shown(ms) for took, _ in measured for ms in took[each.name])} |"
        for each in QUESTIONS
    ]
    peaks = ", ".join(
        f"{peak:,.0f} MiB at {size / 1e6:g} M calls" for (_, peak), size in zip(measured, calls, strict=True)
    )
    head = [f"| ms | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    return "\n".join(["## Questions", "", *head, *lines, "", f"The bookkeeper's memory, at its peak: {peaks}.", ""])


def _shown(ms: float | None) -> str:
    return "-" if ms is None else f"{ms:,.0f}"
