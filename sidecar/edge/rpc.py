"""The bracket around every RPC: who calls, bytes in, bytes out, and any error as a status that a person can act on."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import status
from sidecar.edge.auth import Authenticator, Identity, Peer
from sidecar.edge.gate import Gate
from sidecar.edge.roles import ACCESS, Access, check
from sidecar.invoker import CallFailed
from taximeter.v1.metering_pb2 import Metering

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC, authenticated, by somebody who may ask it."""

    method: str
    """Full name, no leading slash: "taximeter.v1.InvocationService/Invoke"."""
    identity: Identity
    metadata: Mapping[str, Sequence[str]]
    """Text entries, keys in lower case."""
    remaining_s: float | None
    """Until the caller's deadline; None if it set none."""
    when_done: Callable[[Callable[[], None]], None]
    """Registers what to do once the answer has gone out, or the RPC ended otherwise."""
    peer: str = "unix:"
    """Address as gRPC writes it ("ipv4:127.0.0.1:4711", "unix:")."""


class Relayed(Exception):
    """Another server's error, passed on as it stands."""

    def __init__(self, code: grpc.StatusCode, message: str, trailers: Sequence[tuple[str, str | bytes]]) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.trailers = tuple(trailers)


class Metered(Exception):
    """A refusal that tells what an earlier call came to, if anybody knows."""

    def __init__(self, refusal: Refusal, metering: Metering | None) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal
        self.metering = metering


_CALLS = "taximeter.v1.InvocationService/"

Answer = Callable[[bytes, Rpc], Awaitable[bytes]]
AnswerParts = Callable[[bytes, Rpc, Callable[[bytes], Awaitable[None]]], Awaitable[None]]


if TYPE_CHECKING:  # generic only in their stubs
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Handler = grpc.RpcMethodHandler[Any, Any]

Handlers = dict[str, "Handler"]
"""Of one service, by method name."""


class Border:
    """Wraps handlers of bytes into gRPC's. A method without a row in ACCESS is a KeyError."""

    def __init__(self, authenticator: Authenticator, gate: Gate, log: Any, max_message_bytes: int) -> None:
        self._authenticator = authenticator
        self._gate = gate
        self._log = log
        self._max_message_bytes = max_message_bytes

    def unary(self, method: str, answer: Answer) -> Handler:
        access = ACCESS[method]

        async def handle(body: bytes, context: Context) -> bytes:
            async with self._bracket(method, access, context) as rpc:
                self._fits(body)
                return await answer(body, rpc)
            raise AssertionError("the bracket returns or raises")

        return grpc.unary_unary_rpc_method_handler(handle)

    def parts(self, method: str, answer: AnswerParts) -> Handler:
        """A stream ends when who asked for it may not ask any more; a call that has begun is finished all the same."""
        access, is_call = ACCESS[method], method.startswith(_CALLS)

        async def handle(body: bytes, context: Context) -> None:
            async def write(part: bytes) -> None:
                if not is_call:
                    await self._let_in(method, access, context)
                try:
                    await context.write(part)
                except grpc.aio.InternalError:  # the caller hung up a moment ago, and gRPC is about to cancel us
                    raise asyncio.CancelledError from None

            async with self._bracket(method, access, context) as rpc:
                self._fits(body)
                await answer(body, rpc, write)

        return grpc.unary_stream_rpc_method_handler(handle)

    def _fits(self, body: bytes) -> None:
        """Raises Refusal (MESSAGE_TOO_LARGE), and counts it."""
        if len(body) > self._max_message_bytes:
            self._gate.undecodable += 1
            raise Refusal(
                "RESOURCE_EXHAUSTED",
                RefusalReason.MESSAGE_TOO_LARGE,
                f"The request has {len(body)} bytes; this sidecar takes {self._max_message_bytes}. Send less (files by "
                "URL or id), or raise TAXIMETER_MAX_MESSAGE.",
                {"max_bytes": str(self._max_message_bytes)},
            )

    def parse(self, kind: type[M], body: bytes) -> M:
        """Raises Refusal (INVALID_REQUEST) for bytes that are not such a message, and counts them."""
        try:
            return kind.FromString(body)
        except DecodeError:
            self._gate.undecodable += 1
            name = kind.DESCRIPTOR.full_name
            raise Refusal(
                "INVALID_ARGUMENT", RefusalReason.INVALID_REQUEST, f"The request is not a readable {name} message."
            ) from None

    @asynccontextmanager
    async def _bracket(self, method: str, access: Access, context: Context) -> AsyncIterator[Rpc]:
        try:
            yield await self._let_in(method, access, context)
        except Exception as error:  # noqa: BLE001 - the border is where every error becomes a status
            code, message, trailers = self._ending(error, method)
        else:
            return
        await context.abort(code, message, trailers)

    async def _let_in(self, method: str, access: Access, context: Context) -> Rpc:
        """Raises Refusal (UNAUTHENTICATED, ROLE_REQUIRED), and counts it."""
        metadata = texts(context.invocation_metadata() or ())
        peer = Peer(context.peer(), metadata, _certificate_name(context))
        try:
            identity = await self._authenticator.identify(peer)
            check(method, access, identity, peer)
        except Refusal:
            self._gate.unauthenticated += 1
            raise
        return Rpc(
            method,
            identity,
            metadata,
            context.time_remaining(),
            lambda done: context.add_done_callback(lambda _: done()),  # type: ignore[arg-type]  # called with one
            peer.address,
        )

    def _ending(self, error: Exception, method: str) -> tuple[grpc.StatusCode, str, Any]:
        match error:
            case Relayed():
                return error.code, error.message, error.trailers
            case CallFailed():
                told = status.to_status(error.refusal, error.record)
            case Metered():
                told = status.to_status(error.refusal, told=error.metering)
            case Refusal():
                told = status.to_status(error)
            case _:
                # Where it happened, and not what it says: a message may hold a payload.
                trace = [f"{each.name}:{each.lineno}" for each in traceback.extract_tb(error.__traceback__)]
                self._log.error("rpc_failed", method=method, error=type(error).__name__, trace=trace)
                told = status.to_status(
                    Refusal("INTERNAL", RefusalReason.INTERNAL, "The sidecar failed; its log says where.")
                )
        return status.code_of(told), told.message, status.trailers(told)


def texts(metadata: Any) -> dict[str, list[str]]:
    """The text entries of call metadata; one key may come more than once."""
    found: dict[str, list[str]] = {}
    for key, value in metadata:
        if isinstance(value, str):
            found.setdefault(key.lower(), []).append(value)
    return found


def _certificate_name(context: Context) -> str:
    """gRPC names a peer's identity only when it verified the peer's certificate."""
    if not context.peer_identities():
        return ""
    names = context.auth_context().get("x509_common_name", ())
    return b"".join(names).decode("utf-8", "replace") or "unnamed"


def register(server: grpc.aio.Server, service: str, handlers: Handlers) -> None:
    """As generated code does it: by name for a fast lookup, and generically."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_registered_method_handlers(service, handlers)
