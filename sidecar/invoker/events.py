"""What the invoker gives to the edge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import CallRecord, Target
from sidecar.core.faults import FallbackReason, Refusal
from taximeter.v1 import invocation_pb2 as pb


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The first content follows."""

    target: Target


@dataclass(frozen=True, slots=True)
class StreamRestarted:
    """All that was given so far is void; what follows comes from `to`."""

    from_: Target
    to: Target
    reason: FallbackReason


@dataclass(frozen=True, slots=True)
class Outcome:
    """A whole answer, and its record, which is durable. Of a stream that came in parts `payload` is None."""

    payload: Any
    record: CallRecord
    finishes: tuple[pb.FinishedChoice, ...] = ()
    provider_metadata: Struct | None = None
    """Of a stream that came in parts."""


StreamEvent = StreamStarted | StreamRestarted | pb.Delta | pb.ToolCallDelta | Outcome


class CallFailed(Exception):
    """A call ended without an answer; its record is written."""

    def __init__(self, refusal: Refusal, record: CallRecord) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.record = record
