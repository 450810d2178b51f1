"""Journals on disk for ledger tests, in the real writer's format but written frame by frame."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sidecar.journal.frames import encode
from sidecar.journal.segments import path_of
from taximeter.journal.v1 import journal_pb2
from tests.support.ledger import SIDECAR


def segment(
    journal: Path, number: int, frames: Iterable[journal_pb2.Frame], *, sidecar_id: str = SIDECAR, room: int = 0
) -> Path:
    """A whole segment; `room`: zeros behind the frames, as in one that is being written."""
    path = path_of(journal / sidecar_id, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(encode(frame.SerializeToString()) for frame in frames) + b"\0" * room)
    return path


def add(path: Path, frames: Iterable[journal_pb2.Frame]) -> None:
    """More frames into a segment without room."""
    with path.open("ab") as file:
        file.write(b"".join(encode(frame.SerializeToString()) for frame in frames))


def snapshot(number: int, *open_calls: journal_pb2.CallRecord) -> journal_pb2.Frame:
    return journal_pb2.Frame(snapshot=journal_pb2.Snapshot(sidecar_id=SIDECAR, segment=number, open_calls=open_calls))


def closing() -> journal_pb2.Frame:
    return journal_pb2.Frame(closed=journal_pb2.Closed(at_ns=1))


class Log:
    """What was said: (event, details)."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, level: str) -> Any:
        return lambda event, **details: self.said.append((event, details))

    @property
    def events(self) -> list[str]:
        return [event for event, _ in self.said]
