"""What of the journal has been read, how much has not, and what may go."""

from __future__ import annotations

from pathlib import Path

from sidecar.journal.recovery import closed
from sidecar.journal.segments import BEGINNING, Position, numbers, path_of, size_of, unread_bytes
from sidecar.journal.tail import sidecars

_MARK = "ingested"
_FRESH = "ingested.new"
"""The next mark, until it is whole."""


def mark_ingested(directory: Path, sidecar_id: str, position: Position) -> None:
    """Tells the writer how far the bookkeeper is. Only a hint: the ledger's own position is the truth."""
    fresh = directory / sidecar_id / _FRESH
    fresh.write_text(f"{position.segment} {position.offset}\n")
    fresh.replace(fresh.with_name(_MARK))


def ingested(directory: Path, sidecar_id: str) -> Position:
    """What `mark_ingested` wrote last; the beginning if nothing readable is there."""
    try:
        segment, offset = (directory / sidecar_id / _MARK).read_text().split()
        return Position(int(segment), int(offset))
    except (FileNotFoundError, ValueError):
        return BEGINNING


def backlog_bytes(directory: Path) -> int:
    """What no bookkeeper has ingested yet, of all sidecars below `<home>/journal`."""
    return sum(
        unread_bytes(directory / sidecar_id, ingested(directory, sidecar_id)) for sidecar_id in sidecars(directory)
    )


def retire(directory: Path, sidecar_id: str, before: Position, older_than_ns: int) -> int:
    """Deletes, oldest first, segments that lie whole before `before` and were last written before `older_than_ns`.

    `older_than_ns` is UTC, ns since the epoch. The newest segment goes only when the incarnation was closed,
    and its directory with it; that of the newest incarnation stays, for budgets go on from there. Gives the number of
    segments deleted.
    """
    own = directory / sidecar_id
    newest = sidecar_id == max(sidecars(directory), default="")
    present = numbers(own)
    gone = 0
    for number in present:
        path = path_of(own, number)
        last = number == present[-1]
        if path.stat().st_mtime_ns >= older_than_ns or (last and newest) or not _whole(path, number, before, last=last):
            break
        path.unlink()
        gone += 1
    if present and gone == len(present):
        for name in (_MARK, _FRESH):
            (own / name).unlink(missing_ok=True)
        own.rmdir()
    return gone


def _whole(path: Path, number: int, before: Position, *, last: bool) -> bool:
    if last:
        return before >= Position(number, size_of(path)) and closed(path)
    return number < before.segment
