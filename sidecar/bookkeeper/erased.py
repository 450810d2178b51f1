"""Workspaces whose calls were deleted, so that no journal brings them back: `<home>/erased.json`.

A file of its own beside the ledger, because the ledger can be made anew, or replaced by an older one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from sidecar.bookkeeper import files
from sidecar.bookkeeper.batch import Batch

FILE = "erased.json"
_DATED = {"calls": "started_at", "open_calls": "started_at", "budget_states": "at", "budget_alerts": "at"}
"""Tables that name the workspace, and what of them is compared with its end."""
Erased = Mapping[str, int]
"""Workspace -> UTC microseconds, up to which all of it is gone. One of the same name made later has its own."""


def read(path: Path) -> dict[str, int]:
    """Raises OSError: to go on without it would bring back what was deleted."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return {}
    try:
        return {str(workspace): int(until_us) for workspace, until_us in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise OSError(f"{path} cannot be read: put back the one of a backup, or delete what it names anew") from error


def write(path: Path, erased: Erased) -> None:
    files.write_file(path, json.dumps(erased, indent=1, sort_keys=True).encode())


def carry(source: Path, to: Path) -> None:
    """What was deleted by the account of folder `source` stays deleted in folder `to`. Raises OSError."""
    found, known = read(source / FILE), read(to / FILE)
    if found.keys() - known.keys() or any(known[name] < until_us for name, until_us in found.items()):
        write(to / FILE, {name: max(found.get(name, -1), known.get(name, -1)) for name in {**found, **known}})


def without(batch: Batch, erased: Erased) -> Batch:
    """`batch`, but for what was deleted."""
    if not erased:
        return batch
    gone = _gone(batch.calls, "calls", erased)
    lost = set(zip(*(batch.calls.filter(gone)[name].to_pylist() for name in ("sidecar_id", "seq")), strict=True))
    return replace(
        batch,
        calls=batch.calls.filter(pc.invert(gone)),
        attempts=_but(batch.attempts, lost) if lost else batch.attempts,
        open_calls=_kept(batch.open_calls, "open_calls", erased),
        budget_states=None if batch.budget_states is None else _kept(batch.budget_states, "budget_states", erased),
        budget_alerts=_kept(batch.budget_alerts, "budget_alerts", erased),
    )


def _kept(rows: pa.Table, table: str, erased: Erased) -> pa.Table:
    return rows.filter(pc.invert(_gone(rows, table, erased)))


def _gone(rows: pa.Table, table: str, erased: Erased) -> pa.BooleanArray:
    at = _DATED[table]
    until_us = [erased.get(str(workspace), -1) for workspace in rows["workspace"].to_pylist()]
    ends = pa.array(until_us, rows.schema.field(at).type)
    return pa.array(pc.less_equal(rows[at].combine_chunks(), ends).to_pylist(), pa.bool_())


def _but(attempts: pa.Table, lost: set[tuple[str, int]]) -> pa.Table:
    keys = zip(attempts["sidecar_id"].to_pylist(), attempts["seq"].to_pylist(), strict=True)
    return attempts.filter(pa.array([key not in lost for key in keys], pa.bool_()))
