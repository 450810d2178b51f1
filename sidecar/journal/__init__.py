"""The book of account: every call's one record, on disk before its reply leaves. See docs/journal.md."""

from sidecar.journal.recovery import recover
from sidecar.journal.retention import backlog_bytes, ingested, mark_ingested, retire
from sidecar.journal.segments import JournalFailed, JournalFull, JournalVersionError, Position
from sidecar.journal.standing import Left, left_behind
from sidecar.journal.tail import Entry, Tail, sidecars
from sidecar.journal.writer import Journal, JournalPolicy

__all__ = [
    "Entry",
    "Journal",
    "JournalFailed",
    "JournalFull",
    "JournalPolicy",
    "JournalVersionError",
    "Left",
    "Position",
    "Tail",
    "backlog_bytes",
    "ingested",
    "left_behind",
    "mark_ingested",
    "recover",
    "retire",
    "sidecars",
]
