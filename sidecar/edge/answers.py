"""Outcomes and stream events -> the messages of `taximeter.v1`."""

from __future__ import annotations

from sidecar.core.call import Target
from sidecar.edge.metering import fallback_reason, metering
from sidecar.invoker import Outcome, StreamEvent, StreamRestarted, StreamStarted
from taximeter.v1 import invocation_pb2 as pb


def response(outcome: Outcome) -> pb.InvokeResponse:
    """The whole answer of a unary call."""
    made = pb.InvokeResponse(metering=metering(outcome.record))
    getattr(made, outcome.record.operation).CopyFrom(outcome.payload)
    return made


def event(happened: StreamEvent, call_id: str) -> pb.InvokeStreamResponse:
    match happened:
        case pb.Delta():
            return pb.InvokeStreamResponse(delta=happened)
        case pb.ToolCallDelta():
            return pb.InvokeStreamResponse(tool_call_delta=happened)
        case StreamStarted():
            return pb.InvokeStreamResponse(started=pb.Started(call_id=call_id, target=_ref(happened.target)))
        case StreamRestarted():
            restarted = pb.Restarted(to=_ref(happened.to), reason=fallback_reason(happened.reason))
            getattr(restarted, "from").CopyFrom(_ref(happened.from_))  # a keyword in Python
            return pb.InvokeStreamResponse(restarted=restarted)
        case Outcome():
            return pb.InvokeStreamResponse(finished=_finished(happened))


def _finished(outcome: Outcome) -> pb.Finished:
    record = outcome.record
    last = record.attempts[-1] if record.attempts else None
    made = pb.Finished(
        response_id=last.response_id if last else "",
        model=record.model_reported,
        choices=outcome.finishes,
        metering=metering(record),
    )
    if outcome.payload is not None:
        getattr(made, record.operation).CopyFrom(outcome.payload)
    if outcome.provider_metadata is not None:
        made.provider_metadata.CopyFrom(outcome.provider_metadata)
    return made


def _ref(target: Target) -> pb.ModelRef:
    return pb.ModelRef(provider=target.provider, model=target.model)
