"""What may go: journal that stands in the ledger and has been exported, and calls that are too old, bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar.bookkeeper.batch import START, At
from sidecar.bookkeeper.ledger import Ledger, Standing
from sidecar.bookkeeper.ledger_deletes import Expired, day_of
from sidecar.journal import Position, retire, sidecars

STEP_CALLS = 10_000
"""Deleted in one transaction: readers and ingest hardly notice."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long. None: for ever."""

    journal_s: float
    ledger_s: float | None = None


def retire_journal(journal: Path, ledger: Ledger, exported: Mapping[str, At] | None, keep: Keep, now_ns: int) -> int:
    """Deletes segments that are booked, exported (None: nobody exports) and older than `keep`; returns how many."""
    standings = ledger.standings()
    older_than_ns = now_ns - int(keep.journal_s * 1e9)
    gone = 0
    for sidecar_id in sidecars(journal):
        read = standings.get(sidecar_id, Standing()).at
        if exported is not None:
            read = min(read, exported.get(sidecar_id, START))
        gone += retire(journal, sidecar_id, Position(*read), older_than_ns)
        if not (journal / sidecar_id).exists():
            ledger.forget(sidecar_id)
    return gone


def expire_calls(ledger: Ledger, keep: Keep, now_ns: int) -> Expired:
    """Deletes at most STEP_CALLS calls of days (UTC) that are older than `keep`.

    A day's calls go once its sums are made and its billing period is closed, and not before."""
    if keep.ledger_s is None:
        return Expired()
    return ledger.expire_calls(day_of((now_ns - int(keep.ledger_s * 1e9)) // 1000), STEP_CALLS)
