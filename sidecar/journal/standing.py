"""How budgets stood when the last incarnation ended: the newest snapshot that tells of them, and what followed it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.core.call import CallRecord
from sidecar.journal.records import from_proto
from sidecar.journal.segments import Position, numbers
from sidecar.journal.tail import Tail, sidecars
from taximeter.journal.v1 import journal_pb2


@dataclass(slots=True)
class Left:
    """What an incarnation left behind, to be folded in this order: windows, then records, then alerts."""

    windows: dict[str, journal_pb2.BudgetWindow] = field(default_factory=dict)
    """By budget, as they stood at the snapshot; those opened after it with what they had spent by then."""
    clock_ns: int = 0
    """The latest time that budgets had seen, UTC."""
    records: list[tuple[CallRecord, frozenset[str]]] = field(default_factory=list)
    """Finished since the snapshot, each with the budgets that were opened after it: they have it in them."""
    alerts: list[journal_pb2.BudgetAlert] = field(default_factory=list)
    """Given since the snapshot in windows that began after it."""
    known: bool = False
    """False: no journal here tells of budgets."""
    fresh: bool = False
    """There is no journal at all: what was ever spent here, no journal knows."""


def left_behind(directory: Path) -> Left:
    """Of the journals below `directory`, all closed or recovered. Reads one snapshot and what follows it."""
    incarnations = sidecars(directory)
    if not incarnations:
        return Left(fresh=True)
    for sidecar_id in reversed(incarnations):
        for number in reversed(numbers(directory / sidecar_id)):
            if _tells(directory / sidecar_id, number):
                return _from(directory / sidecar_id, number)
        if _has_calls(directory / sidecar_id):  # by an older version: those before it do not know of them
            break
    return Left()


def _has_calls(own: Path) -> bool:
    return any(frame.WhichOneof("entry") in ("started", "finished") for _, frame in _frames(own, 0))


def _tells(own: Path, number: int) -> bool:
    """Whether the segment begins with a snapshot that tells of budgets."""
    head = Tail(own, Position(number, 0)).read(max_bytes=1)
    return bool(head) and head[0].position.segment == number and head[0].frame.snapshot.budget_clock_ns > 0


def _from(own: Path, number: int) -> Left:
    """Beginning with the last snapshot of a segment that tells of budgets; unknown if it has none."""
    left = Left()
    finishes: list[journal_pb2.CallRecord] = []
    opened: list[tuple[int, str]] = []
    for segment, frame in _frames(own, number):
        match frame.WhichOneof("entry"):
            case "snapshot" if frame.snapshot.budget_clock_ns and (segment == number or left.known):
                left = Left(
                    windows={window.budget_id: window for window in frame.snapshot.budget_windows},
                    clock_ns=frame.snapshot.budget_clock_ns,
                    known=True,
                )
                finishes, opened = [], []
            case "finished" if left.known:
                finishes.append(frame.finished)
            case "budget_window" if left.known:
                left.windows[frame.budget_window.budget_id] = frame.budget_window
                opened.append((len(finishes), frame.budget_window.budget_id))
            case "budget_alert" if left.known:
                _note_alert(left, frame.budget_alert)
    left.records = [
        (from_proto(record), frozenset(budget_id for before, budget_id in opened if place < before))
        for place, record in enumerate(finishes)
    ]
    return left


def _note_alert(left: Left, alert: journal_pb2.BudgetAlert) -> None:
    window = left.windows.get(alert.budget_id)
    if window is None or window.start_ns != alert.window_start_ns:
        left.alerts.append(alert)
    elif alert.threshold == "soft":
        window.soft_alert_ns = alert.at_ns
    else:
        window.hard_alert_ns = alert.at_ns


def _frames(own: Path, number: int) -> Iterator[tuple[int, journal_pb2.Frame]]:
    tail = Tail(own, Position(number, 0))
    while entries := tail.read():
        for entry in entries:
            yield entry.position.segment, entry.frame
