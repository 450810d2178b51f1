"""`taximeter export --schedule`: a file for each hour, day or month as it ends, until told to stop."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sidecar.cli import Exit
from sidecar.commands.context import configuration, err, fail
from sidecar.commands.export import places, said
from sidecar.commands.reading import narrowed, period

if TYPE_CHECKING:
    from analytics.answering import Source
    from analytics.filing import Content
    from analytics.schedule import Schedule

LOOK_AGAIN_S = 900.0
"""For calls that came late, where no period ends before."""
WAIT_S = 15.0
"""Until the ledger is asked again whether it has a period whole."""
BACK_OFF_S = (5.0, 300.0)
"""After a failure, doubled with each further one, up to."""


def keep_exporting(
    form: str, *, every: str, focus: str, since: str, filters: list[str], output: str, once: bool
) -> int:
    """Of calls, or of FOCUS rows of that version, until SIGTERM or Ctrl-C; with `once` whatever is due now.

    Returns an exit code: with `once` 1 if something is still due."""
    from analytics.exports import Format
    from analytics.filing import Asked
    from analytics.period import Period
    from analytics.places import place
    from analytics.schedule import Every, Schedule
    from analytics.source import open_source

    if output in {"", "-"}:
        fail("a schedule needs a folder or a URL for its files: --output", Exit.USAGE)
    if focus and every != Every.MONTHLY:
        fail("billing rows are of whole months: --schedule monthly --focus", Exit.USAGE)
    content = _content(focus)
    span = Period(period(since).start, datetime.max.replace(tzinfo=UTC))
    with places():
        folder = place(output).within(f"focus-{focus}" if focus else "calls")
    schedule = Schedule(Every(every), Asked(content, span, narrowed(filters), Format(form)), folder)
    source = open_source(configuration().settings.home)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    say(f"{every} exports of {content.layout.name} to {folder.url}, from {span.start:%Y-%m-%d %H:%M} UTC on")
    done = run(schedule, source, stop, once=once)
    return Exit.FAILED if once and not done else Exit.OK


def _content(focus: str) -> Content:
    from analytics.filing import CALL_ROWS
    from analytics.focus_files import Version
    from analytics.focus_files import content as billing_rows

    return billing_rows(Version(focus)) if focus else CALL_ROWS


def run(
    schedule: Schedule,
    source: Source,
    stop: threading.Event,
    *,
    once: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> bool:
    """Whether nothing was left to do when it ended."""
    from analytics.places import PlaceError
    from analytics.question import BadQuestion
    from analytics.schedule import OtherExports
    from analytics.source import SourceError

    failures, waited = 0, ""
    while True:
        try:
            waits = turn(schedule, source, stop, now)
        except (BadQuestion, OtherExports) as wrong:
            fail(str(wrong), Exit.USAGE)
        except (SourceError, PlaceError) as failed:
            failures += 1
            wait_s = min(BACK_OFF_S[0] * 2 ** (failures - 1), BACK_OFF_S[1])
            waits = str(failed)
            say(f"failed: {failed}" + ("" if once else f"; trying again in {wait_s:.0f} s"))
        else:
            failures = 0
            wait_s = WAIT_S if waits else _until_next(schedule, now())
            if waits and waits != waited:
                say(f"waiting: {waits}")
        waited = waits
        if once or stop.wait(wait_s):
            return not waits


def turn(schedule: Schedule, source: Source, stop: threading.Event, now: Callable[[], datetime]) -> str:
    """Writes what is due. Returns what it waits for, or "". Raises what `analytics.schedule.due` and `write` do."""
    from analytics.schedule import due, title, waiting_for, write

    for each in due(schedule, source, now()):
        if stop.is_set():
            return "stopped"
        if reason := waiting_for(source, each.span, now()):
            return f"{title(schedule.every, each.span)}: {reason}"
        done = write(schedule, source, each)
        what = "corrected" if each.revision else "written"
        say(f"{what} {done.place.url}: {said(done.written)}")
    return ""


def _until_next(schedule: Schedule, now: datetime) -> float:
    from analytics.schedule import SETTLED, next_end

    wait: timedelta = next_end(schedule.every, now) + SETTLED - now
    return min(wait.total_seconds(), LOOK_AGAIN_S)


def say(line: str) -> None:
    """A line of the log, with the time."""
    err.print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}  {line}", markup=False)
