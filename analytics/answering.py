"""What a source of answers is, how it stands, and the ways in which it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import pyarrow as pa

from analytics.question import Parameter

SCHEMA_VERSION = 7
"""The newest ledger that these questions know."""


class SourceError(Exception):
    """No answer. The message is for a person, and says what to do.

    SourceError
    ├── NoLedger        nothing was ever recorded here: start Taximeter
    ├── LedgerBusy      there is a ledger, and its bookkeeper does not answer: wait, or look at its log
    ├── LedgerTooNew    install the newer Taximeter
    └── QuestionFailed  the ledger refused or could not answer this one: ask for less
        └── QuestionRefused  its own words are at fault: no SELECT, or none that makes sense here
    """


class NoLedger(SourceError): ...


class LedgerBusy(SourceError): ...


class LedgerTooNew(SourceError): ...


class QuestionFailed(SourceError): ...


class QuestionRefused(QuestionFailed): ...


@dataclass(frozen=True, slots=True)
class Status:
    """How the ledger stands. From the file, what only the bookkeeper knows is 0."""

    live: bool
    """Answered by the bookkeeper."""
    schema_version: int
    calls: int
    open_calls: int
    backlog_bytes: int = 0
    """Of journal, not yet in the ledger."""
    lag_s: float = 0.0
    last_ingest_ns: int = 0
    telemetry_backlog_bytes: int = 0
    corrupt_frames: int = 0
    rolled_until: date | None = None
    """Days before are summed up; None: none is."""


class Source(Protocol):
    """Answers SQL over the public views. Safe to use from several threads. All methods raise SourceError."""

    def table(self, sql: str, params: Sequence[Parameter] = ()) -> pa.Table:
        """The whole answer."""
        ...

    def batches(self, sql: str, params: Sequence[Parameter] = ()) -> Iterator[pa.RecordBatch]:
        """The answer in pieces, as they come: for answers larger than memory."""
        ...

    def status(self) -> Status: ...


def check_version(version: int) -> None:
    if version > SCHEMA_VERSION:
        raise LedgerTooNew(
            f"the ledger has schema version {version}, and this Taximeter knows versions up to {SCHEMA_VERSION}: "
            "install the newer Taximeter"
        )
