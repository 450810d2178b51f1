"""A run of one journal's frames, folded into what the ledger has to take in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from sidecar.bookkeeper import budget_columns, columns
from taximeter.journal.v1 import journal_pb2

At = tuple[int, int]
"""A place in a sidecar's journal: (segment, byte offset). Places compare in the order of writing."""
START: At = (0, 0)


@dataclass(frozen=True, slots=True)
class Batch:
    """Everything between two places of one journal, as Arrow tables; written whole or not at all."""

    sidecar_id: str
    since: At
    until: At
    calls: pa.Table
    attempts: pa.Table
    open_calls: pa.Table
    """Begun in this run and not finished in it."""
    touched: pa.Table
    """Keys of the calls that began anew or finished: what `open_calls` held of them is void."""
    target_states: pa.Table
    budget_states: pa.Table | None
    """All that the sidecar says of its budgets; None: it said nothing of them in this run."""
    budget_alerts: pa.Table
    corrupt_frames: int
    closed: bool
    """The last frame says that none will follow."""


def fold(sidecar_id: str, since: At, until: At, frames: Iterable[journal_pb2.Frame], corrupt_frames: int = 0) -> Batch:
    """`frames` are those between `since` and `until`, in order."""
    finished: list[journal_pb2.CallRecord] = []
    begun: dict[tuple[str, int], journal_pb2.CallRecord | None] = {}  # None: and finished
    states: list[journal_pb2.State] = []
    alerts: list[journal_pb2.BudgetAlert] = []
    entry: str | None = None
    for frame in frames:
        entry = frame.WhichOneof("entry")
        match entry:
            case "finished":
                finished.append(frame.finished)
                begun[_key(frame.finished)] = None
            case "started":
                begun[_key(frame.started)] = frame.started
            case "snapshot":
                begun.update((_key(record), record) for record in frame.snapshot.open_calls)
            case "state":
                states.append(frame.state)
            case "budget_alert":
                alerts.append(frame.budget_alert)
            case _:  # a closing, a window's opening (its rows say the same), or an entry of a later version
                pass
    return Batch(
        sidecar_id=sidecar_id,
        since=since,
        until=until,
        calls=columns.calls(finished),
        attempts=columns.attempts(finished),
        open_calls=columns.open_calls([record for record in begun.values() if record]),
        touched=columns.keys(begun),
        target_states=columns.target_states(sidecar_id, states),
        budget_states=budget_columns.states(sidecar_id, states[-1]) if states else None,
        budget_alerts=budget_columns.alerts(sidecar_id, alerts),
        corrupt_frames=corrupt_frames,
        closed=entry == "closed",
    )


def _key(record: journal_pb2.CallRecord) -> tuple[str, int]:
    return record.sidecar_id, record.seq
