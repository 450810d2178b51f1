"""Exports by the clock: each period once, caught up, gone on with after a kill, corrected when calls came late."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from analytics.answering import Source, Status
from analytics.exports import Format
from analytics.filing import CALL_ROWS, Asked
from analytics.focus_files import Version, content
from analytics.period import Period
from analytics.places import Place, place
from analytics.question import Filters
from analytics.schedule import Every, OtherExports, Schedule, due, finished, reason_to_wait, title, write
from analytics.source import open_source
from sidecar.commands import export_schedule
from tests.support.analytics import START, build, temporary
from tests.support.analytics_week import week
from tests.support.focus import call, on

END = START + timedelta(days=7)
NEVER = datetime.max.replace(tzinfo=UTC)


ALL_THERE = Status(True, 5, 1, 0)


class Live:
    """A ledger's file, told of as a bookkeeper tells that has nothing to catch up with."""

    def __init__(self, home: Path, status: Status = ALL_THERE) -> None:
        self._file = open_source(home)
        self._status = status

    def table(self, sql: str, params: Sequence[Any] = ()) -> pa.Table:
        return self._file.table(sql, params)

    def batches(self, sql: str, params: Sequence[Any] = ()) -> Iterator[pa.RecordBatch]:
        return self._file.batches(sql, params)

    def status(self) -> Status:
        return self._status


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with temporary(week(END, calls=200)) as folder:
        yield folder


@pytest.fixture(params=["folder", "memory"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return place(str(tmp_path / "out") if request.param == "folder" else f"memory://{uuid.uuid4()}").within("calls")


def daily(folder: Place, filters: Filters | None = None, since: datetime = START) -> Schedule:
    return Schedule(Every.DAILY, Asked(CALL_ROWS, Period(since, NEVER), filters or {}, Format.CSV), folder)


def turn(schedule: Schedule, source: Source, now: datetime) -> list[str]:
    """Writes what is due; the names of the files."""
    return [write(schedule, source, each).place.name for each in due(schedule, source, now)]


def files(folder: Place) -> list[str]:
    return [name for name in folder.names() if name.endswith(".csv")]


@pytest.mark.parametrize(
    ("every", "start", "now", "titles"),
    [
        ("hourly", "2026-11-20T10:00", "2026-11-20T12:59", ["2026-11-20T10", "2026-11-20T11"]),
        ("hourly", "2026-11-20T10:01", "2026-11-20T12:00", ["2026-11-20T11"]),
        ("daily", "2026-11-20T00:00", "2026-11-22T00:00", ["2026-11-20", "2026-11-21"]),
        ("daily", "2026-11-20T00:01", "2026-11-21T23:59", []),
        ("monthly", "2026-11-01T00:00", "2027-02-01T00:00", ["2026-11", "2026-12", "2027-01"]),
        ("monthly", "2026-11-02T00:00", "2026-12-31T00:00", []),
    ],
)
def test_periods_are_whole_and_over(every: str, start: str, now: str, titles: list[str]) -> None:
    moments = [datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (start, now)]
    assert [title(Every(every), span) for span in finished(Every(every), *moments)] == titles


def test_each_day_is_written_once_and_what_was_missed_is_caught_up(home: Path, target: Place) -> None:
    source, schedule = Live(home), daily(target)
    assert turn(schedule, source, START + timedelta(days=2, hours=5)) == ["2026-11-02.csv", "2026-11-03.csv"]
    assert turn(schedule, source, START + timedelta(days=2, hours=6)) == []
    assert len(turn(schedule, source, END)) == 5
    assert turn(schedule, source, END) == []
    manifests = [json.loads(target.within(f"{name}.manifest.json").read()) for name in files(target)]
    assert sum(manifest["rows"] for manifest in manifests) == 200
    assert [manifest["end"] for manifest in manifests[:-1]] == [manifest["start"] for manifest in manifests[1:]]


def test_days_before_the_first_call_have_no_file(home: Path, target: Place) -> None:
    schedule = daily(target, since=START - timedelta(days=30))
    assert turn(schedule, Live(home), START + timedelta(days=1)) == ["2026-11-02.csv"]


def test_an_empty_ledger_has_nothing_due(target: Place) -> None:
    with temporary([]) as empty:
        assert turn(daily(target), Live(empty), END) == []


_KILLED = """
import os, sys
from datetime import datetime, timedelta
from pathlib import Path
from analytics.exports import Format
from analytics.filing import CALL_ROWS, Asked, file
from analytics.period import Period
from analytics.places import place
from analytics.source import open_source
start = datetime.fromisoformat(sys.argv[2])
asked = Asked(CALL_ROWS, Period(start, start + timedelta(days=1)), {}, Format.CSV)
file(open_source(Path(sys.argv[1])), asked, place(sys.argv[3]), lambda rows: os._exit(9))
"""


def test_a_run_killed_in_the_middle_of_a_file_is_gone_on_with(home: Path, tmp_path: Path) -> None:
    target = place(str(tmp_path))
    argv = [sys.executable, "-c", _KILLED, str(home), START.isoformat(), str(tmp_path / "2026-11-02.csv")]
    assert subprocess.run(argv, check=False, capture_output=True).returncode == 9
    assert [path.name for path in tmp_path.iterdir()] == [".2026-11-02.csv.half"]
    assert turn(daily(target), Live(home), START + timedelta(days=1)) == ["2026-11-02.csv"]
    assert target.names() == ["2026-11-02.csv", "2026-11-02.csv.manifest.json"]


def test_a_file_without_its_manifest_is_written_again(home: Path, target: Place) -> None:
    target.within("2026-11-02.csv").put(b"who knows")
    assert turn(daily(target), Live(home), START + timedelta(days=1)) == ["2026-11-02.csv"]
    assert target.within("2026-11-02.csv").read() != b"who knows"


def test_calls_that_came_late_make_a_corrected_file(tmp_path: Path, target: Place) -> None:
    calls = week(END, calls=60)
    late = replace(calls[0], seq=999, call_id="01LATE", request_id="late")
    for name, records in {"before": calls, "after": [*calls, late]}.items():
        (tmp_path / name).mkdir()
        build(tmp_path / name / "ledger.duckdb", records)
    schedule = daily(target)
    end_of_first = START + timedelta(days=1)
    turn(schedule, Live(tmp_path / "before"), end_of_first)
    assert turn(schedule, Live(tmp_path / "after"), end_of_first) == ["2026-11-02.1.csv"]
    assert turn(schedule, Live(tmp_path / "after"), end_of_first) == []
    assert turn(schedule, Live(tmp_path / "before"), end_of_first) == []  # what was deleted for its age
    rows = [json.loads(target.within(f"{name}.manifest.json").read())["rows"] for name in sorted(files(target))]
    assert rows[0] == rows[1] + 1


def test_billing_rows_that_became_fewer_make_a_corrected_file(tmp_path: Path) -> None:
    """Two prices of a day that became one: age takes calls, and never billing rows."""
    for name, price in {"before": "2", "after": "1.25"}.items():
        (tmp_path / name).mkdir()
        prices = ("1.25", price)
        build(
            tmp_path / name / "ledger.duckdb",
            [call(seq, on(10, 5), [("input", 1000, each)]) for seq, each in enumerate(prices)],
        )
    asked = Asked(content(Version.V1_2), Period(on(10, 1, 0), NEVER), {}, Format.CSV)
    schedule, end = Schedule(Every.MONTHLY, asked, place(str(tmp_path / "out"))), on(11, 1)
    assert turn(schedule, Live(tmp_path / "before"), end) == ["2026-10.csv"]
    assert turn(schedule, Live(tmp_path / "after"), end) == ["2026-10.1.csv"]
    assert turn(schedule, Live(tmp_path / "after"), end) == []


def test_a_folder_of_other_filters_is_refused(home: Path, target: Place) -> None:
    day = START + timedelta(days=1)
    turn(daily(target, {"alias": ["smart"]}), Live(home), day)
    assert turn(daily(target, {"alias": ["smart"]}), Live(home), day) == []
    with pytest.raises(OtherExports, match="choose another folder"):
        turn(daily(target), Live(home), day)


DAY = Period(START, START + timedelta(days=1))


@pytest.mark.parametrize(
    ("status", "still_open", "after_s", "waits_for"),
    [
        pytest.param(Status(True, 5, 9, 0), 0, 3600, "", id="all-there"),
        pytest.param(Status(False, 5, 9, 0), 0, 3600, "no bookkeeper runs", id="no-bookkeeper"),
        pytest.param(Status(True, 5, 9, 0), 0, 30, "only just ended", id="within-the-minute"),
        pytest.param(Status(True, 5, 9, 0, lag_s=4000), 0, 3600, "4000 s behind", id="behind"),
        pytest.param(Status(True, 5, 9, 0, lag_s=60), 0, 3600, "", id="behind-but-past-the-end"),
        pytest.param(
            Status(True, 5, 9, 2), 2, 600, "2 calls that began before its end are still open", id="open-calls"
        ),
        pytest.param(Status(True, 5, 9, 2), 2, 3600, "", id="open-calls-for-an-hour"),
    ],
)
def test_a_period_is_waited_for(status: Status, still_open: int, after_s: float, waits_for: str) -> None:
    said = reason_to_wait(status, still_open, DAY, DAY.end + timedelta(seconds=after_s))
    assert waits_for in said
    assert bool(said) is bool(waits_for)


@pytest.mark.parametrize(
    ("status", "whole", "written"),
    [
        pytest.param(ALL_THERE, True, 2, id="writes-what-is-due"),
        pytest.param(Status(False, 5, 1, 0), False, 0, id="waits-for-the-bookkeeper"),
    ],
)
def test_once_does_what_is_due_and_says_whether_that_was_all(
    home: Path, target: Place, status: Status, whole: bool, written: int
) -> None:
    now = START + timedelta(days=2, minutes=5)
    source = Live(home, status)
    assert export_schedule.run(daily(target), source, threading.Event(), once=True, now=lambda: now) is whole
    assert len(files(target)) == written


def test_what_fails_is_tried_again_until_it_is_told_to_stop(home: Path, tmp_path: Path) -> None:
    """A target that cannot be written at first: later it can."""
    blocked = tmp_path / "out"
    blocked.write_text("a file stands where the folder is to be")
    stop = Stopping(tries=2, between=blocked.unlink)
    now = START + timedelta(days=1, minutes=5)
    export_schedule.run(daily(place(str(blocked))), Live(home), stop, now=lambda: now)
    assert files(place(str(blocked))) == ["2026-11-02.csv"]
    assert stop.waited == [5.0, 900.0]


class Stopping(threading.Event):
    """Waits no longer than it takes to write down how long; says stop after some tries."""

    def __init__(self, tries: int, between: Any) -> None:
        super().__init__()
        self.waited: list[float] = []
        self._tries = tries
        self._between = between

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout or 0)
        if len(self.waited) == 1:
            self._between()
        return len(self.waited) >= self._tries
