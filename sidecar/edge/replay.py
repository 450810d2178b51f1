"""A call with a `request_id` is made once; whoever asks again is given what it came to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import Message

from sidecar.core.call import Call, CallRecord
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import answers
from sidecar.edge.gate import Gate
from sidecar.edge.metering import metering
from sidecar.edge.rpc import Metered
from sidecar.invoker import CallFailed, Invoker, Outcome
from sidecar.requests import Answer, Ending, Flight, Give, Kept, Lagging, Past, Requests, Reused, Run
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import metering_pb2

Write = Callable[[bytes], Awaitable[None]]
FromLedger = Callable[[str, str], Awaitable[metering_pb2.Metering | None]]
"""(workspace, call id) -> what the call came to; None if nobody can say now."""


@dataclass(frozen=True, slots=True)
class Answered:
    """`last` is the message that has the metering, serialized."""

    last: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.last)


@dataclass(frozen=True, slots=True)
class Failed:
    refusal: Refusal
    record: CallRecord

    @property
    def size_bytes(self) -> int:
        return len(self.refusal.message)


class Once:
    def __init__(self, invoker: Invoker, requests: Requests, gate: Gate, from_ledger: FromLedger) -> None:
        self._invoker = invoker
        self._requests = requests
        self._gate = gate
        self._from_ledger = from_ledger

    async def unary(self, call: Call, digest: bytes, *, keep: bool) -> bytes:
        """The response. `digest`: of the request; `keep`: whether the answer may stay in memory."""

        async def run(_: Give) -> Ending:
            try:
                return Answered(answers.response(await self._invoker.invoke(call)).SerializeToString())
            except CallFailed as failed:
                return Failed(failed.refusal, failed.record)

        return await self._ask(call, digest, run, _nothing, keep=keep)

    async def stream(self, call: Call, digest: bytes, write: Write, *, keep: bool) -> None:
        """Every event goes through `write`."""

        async def run(give: Give) -> Ending:
            try:
                async with aclosing(self._invoker.invoke_stream(call)) as events:
                    async for event in events:
                        message = answers.event(event, call.call_id).SerializeToString()
                        if isinstance(event, Outcome):
                            return Answered(message)
                        await give(message)
            except CallFailed as failed:
                return Failed(failed.refusal, failed.record)
            raise AssertionError("a stream ends in its outcome")

        await write(await self._ask(call, digest, run, write, keep=keep))

    async def _ask(self, call: Call, digest: bytes, run: Run, write: Write, *, keep: bool) -> bytes:
        """The last part; those before it have gone through `write`. Raises CallFailed, Metered, Refusal."""
        try:
            found = await self._requests.find(call, digest)
        except Reused as reused:
            raise self._invoker.refuse(call, _reused(call, reused.call_id)) from None
        if found is None:
            flight = self._requests.begin(call, digest, run, keep=keep)
            return _first(await self._followed(flight, call, write))
        self._gate.replayed += 1
        match found:
            case Flight() if found.joinable:
                return _again(call, await self._followed(found, call, write))
            case Flight():
                raise too_long(call, found.call_id)
            case Answer(ending=Answered() | Failed() as ending) if keep:
                for part in found.parts:
                    await write(part)
                return _again(call, ending)
            case Answer(record=CallRecord() as record):
                raise already_served(call, found.past, _replayed(record))
        past = found.past if isinstance(found, Answer) else found
        raise already_served(call, past, await self._from_ledger(call.workspace, past.call_id))

    async def _followed(self, flight: Flight, call: Call, write: Write) -> Ending:
        try:
            async with aclosing(flight.follow()) as parts:
                async for part in parts:
                    await write(part)
        except Lagging:
            raise too_long(call, flight.call_id) from None
        if (ending := flight.ending) is None:
            raise Refusal("CANCELLED", RefusalReason.CANCELLED, "The call was cancelled.")
        return ending


def _first(ending: Ending) -> bytes:
    match ending:
        case Answered():
            return ending.last
        case Failed():
            raise CallFailed(ending.refusal, ending.record)
    raise AssertionError("a call is answered, or fails")


def _again(call: Call, ending: Ending) -> bytes:
    """The same, marked as a repeat."""
    match ending:
        case Answered():
            return _marked(ending.last, streamed=call.streamed)
        case Failed():
            raise Metered(ending.refusal, _replayed(ending.record))
    raise AssertionError("a call is answered, or fails")


def _marked(last: bytes, *, streamed: bool) -> bytes:
    message: Message
    if streamed:
        event = message = pb.InvokeStreamResponse.FromString(last)
        event.finished.metering.replayed = True
    else:
        response = message = pb.InvokeResponse.FromString(last)
        response.metering.replayed = True
    return message.SerializeToString()


def _replayed(record: CallRecord) -> metering_pb2.Metering:
    told = metering(record)
    told.replayed = True
    return told


async def _nothing(_: bytes) -> None:
    """A unary call has no parts but the last."""


def already_served(call: Call, past: Past, told: metering_pb2.Metering | None) -> Metered:
    """`told`: what the first call came to, if anybody knows."""
    if told is not None:
        told.replayed = True
    when = datetime.fromtimestamp(past.ended_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    match past.kept:
        case Kept.OK:
            what = f"was answered at {when}, and the answer is not kept any more"
        case Kept.ABANDONED:
            what = "was under way when the sidecar died: its provider may have answered and billed it"
        case _:
            what = f"failed at {when}, and has cost something or may have"
    return _served(call, past.call_id, what, told)


def too_long(call: Call, call_id: str) -> Metered:
    return _served(
        call, call_id, "is being answered already, and its answer has grown too long to be given twice", None
    )


def _served(call: Call, call_id: str, what: str, told: metering_pb2.Metering | None) -> Metered:
    refusal = Refusal(
        "ALREADY_EXISTS",
        RefusalReason.REQUEST_ALREADY_SERVED,
        f"This request {what} (call {call_id}: `taximeter calls {call_id}`). Nothing was sent again; to ask anew, use "
        "another request_id.",
        {"call_id": call_id, "request_id": call.request_id},
    )
    return Metered(refusal, told)


def _reused(call: Call, call_id: str) -> Refusal:
    return Refusal(
        "FAILED_PRECONDITION",
        RefusalReason.IDEMPOTENCY_KEY_REUSED,
        f"The request_id {call.request_id} stands for another request (call {call_id}). Use a new UUID for each one; "
        "only a repeat, equal in every field, has the same.",
        {"first_call_id": call_id, "request_id": call.request_id},
    )
