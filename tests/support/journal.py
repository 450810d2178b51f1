"""Records, and journals to write them in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sidecar.core.call import Attempt, AttemptStatus, CallRecord, CallStatus, Target, Usage, UsageSource
from sidecar.core.clock import Clock
from sidecar.journal import Entry, Journal, JournalPolicy, Position, Tail
from sidecar.journal.segments import BEGINNING

SIDECAR = "01JZ0000000000000000000000"
TINY = JournalPolicy(segment_bytes=16 * 1024)
"""Turns to a new segment every few calls."""


def a_record(
    seq: int, status: CallStatus = CallStatus.OK, sidecar_id: str = SIDECAR, alias: str = "smart"
) -> CallRecord:
    attempt = Attempt(
        number=1,
        target=Target("openai", "gpt-x"),
        provider_type="openai",
        status=AttemptStatus.OPEN if status is CallStatus.OPEN else AttemptStatus.OK,
        started_ns=1_700_000_000_000_000_000,
    )
    return CallRecord(
        sidecar_id=sidecar_id,
        seq=seq,
        call_id=f"{seq:026d}",
        workspace="default",
        caller="token",
        operation="chat",
        streamed=False,
        status=status,
        started_ns=1_700_000_000_000_000_000,
        ended_ns=0 if status is CallStatus.OPEN else 1_700_000_000_500_000_000,
        duration_ns=500_000_000,
        trace_id="0af7651916cd43dd8448eb211c80319c",
        server_span_id="b7ad6b7169203331",
        invoke_span_id="b7ad6b7169203332",
        alias=alias,
        attempts=(attempt,),
        usage=Usage(input=3, output=0),
        usage_source=UsageSource.REPORTED,
    )


def a_start(seq: int, alias: str = "smart", sidecar_id: str = SIDECAR) -> CallRecord:
    return a_record(seq, CallStatus.OPEN, sidecar_id, alias)


def abandoned(record: CallRecord) -> CallRecord:
    return replace(record, status=CallStatus.ABANDONED)


def open_journal(
    directory: Path,
    policy: JournalPolicy = TINY,
    sidecar_id: str = SIDECAR,
    on_failure: Callable[[BaseException], None] = lambda _: None,
    clock: Clock = Clock(),
) -> Journal:
    return Journal.open(directory, sidecar_id, policy, clock, on_failure)


def entries(own: Path, position: Position = BEGINNING) -> list[Entry]:
    """All there is, of one sidecar."""
    return drain(Tail(own, position))


def drain(tail: Tail, max_bytes: int = 4 << 20) -> list[Entry]:
    found: list[Entry] = []
    while more := tail.read(max_bytes):
        found += more
    return found


def finishes(found: list[Entry]) -> list[tuple[int, str]]:
    """(seq, status) of every finish frame, in order."""
    return [
        (entry.frame.finished.seq, entry.frame.finished.status) for entry in found if entry.frame.HasField("finished")
    ]


def starts(found: list[Entry]) -> list[int]:
    return [entry.frame.started.seq for entry in found if entry.frame.HasField("started")]


def kinds(found: list[Entry]) -> list[str | None]:
    return [entry.frame.WhichOneof("entry") for entry in found]
