"""UsageService, passed through to the bookkeeper byte for byte; only who asks is added."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass

from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge.roles import ACCESS
from sidecar.edge.rpc import Border, Handlers, Relayed, Rpc
from taximeter.ledger.v1 import ledger_pb2
from taximeter.v1 import usage_pb2
from taximeter.v1.metering_pb2 import Metering

if TYPE_CHECKING:
    from sidecar.edge.rpc import Handler

SERVICE = usage_pb2.DESCRIPTOR.services_by_name["UsageService"]
WORKSPACE_KEY = "taximeter-workspace"
ACROSS_KEY = "taximeter-across"
"""Present: the caller may ask about other workspaces too."""
_ERASE = "/taximeter.ledger.v1.LedgerService/EraseWorkspace"
_METERING_S = 1.0
"""For what is good to know, and not worth waiting for."""
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A bookkeeper that comes back is found within a tenth of a second: asking a dead socket costs next to nothing.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 5000),  # how long one attempt may take, not a pause
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.enable_retries", 0),
)


class UsageRelay:
    """Opens its channel at the first question, so that a start waits for no bookkeeper."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._channel: grpc.aio.Channel | None = None

    def handlers(self, border: Border) -> Handlers:
        """What is no message ends here: the bookkeeper's own server would call it an error of ours."""

        def handler(method: MethodDescriptor) -> Handler:
            kind, name = GetMessageClass(method.input_type), f"{SERVICE.full_name}/{method.name}"

            async def stream(body: bytes, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
                border.parse(kind, body)
                await self._stream(body, rpc, write)

            async def unary(body: bytes, rpc: Rpc) -> bytes:
                border.parse(kind, body)
                return await self.passed(body, rpc)

            return border.parts(name, stream) if method.server_streaming else border.unary(name, unary)

        return {method.name: handler(method) for method in SERVICE.methods}

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def metering(self, workspace: str, call_id: str) -> Metering | None:
        """What a call of the workspace came to; None if the ledger does not know it, or does not say so soon."""
        ask: Any = self._open().unary_unary(f"/{SERVICE.full_name}/GetCall")
        body = usage_pb2.GetCallRequest(call_id=call_id).SerializeToString()
        try:
            answer = await ask(body, timeout=_METERING_S, metadata=((WORKSPACE_KEY, workspace),))
        except grpc.aio.AioRpcError:
            return None
        return usage_pb2.GetCallResponse.FromString(answer).metering

    async def calls(self, workspace: str) -> AsyncIterator[bytes]:
        """Every call of the workspace as JSON lines, in any cut. Raises Refusal, Relayed."""
        asked = usage_pb2.ExportUsageRequest(period=usage_pb2.Period(), format=usage_pb2.EXPORT_FORMAT_JSON_LINES)
        asked.period.start.SetInParent()  # 1970
        ask: Any = self._open().unary_stream(f"/{SERVICE.full_name}/ExportUsage")
        call = ask(asked.SerializeToString(), metadata=((WORKSPACE_KEY, workspace),))
        try:
            async for part in call:
                yield usage_pb2.ExportUsageResponse.FromString(part).data
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from None
        finally:
            call.cancel()

    async def erase(self, workspace: str, before_ns: int) -> int:
        """Deletes the workspace's calls from before; returns how many. Raises Refusal, Relayed."""
        asked = ledger_pb2.EraseWorkspaceRequest(workspace=workspace, before_ns=before_ns)
        ask: Any = self._open().unary_unary(_ERASE)
        try:
            answer: bytes = await ask(asked.SerializeToString())
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from None
        return ledger_pb2.EraseWorkspaceResponse.FromString(answer).deleted_calls

    async def passed(self, body: bytes, rpc: Rpc, *more: tuple[str, str]) -> bytes:
        """The bookkeeper's answer to the same; `more`: metadata beside who asks. Raises Refusal, Relayed."""
        ask: Any = self._open().unary_unary(f"/{rpc.method}")
        try:
            answer: bytes = await ask(body, timeout=rpc.remaining_s, metadata=(*self._metadata(rpc), *more))
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from None
        return answer

    async def _stream(self, body: bytes, rpc: Rpc, write: Callable[[bytes], Awaitable[None]]) -> None:
        ask: Any = self._open().unary_stream(f"/{rpc.method}")
        call = ask(body, timeout=rpc.remaining_s, metadata=self._metadata(rpc))
        try:
            async for part in call:
                await write(part)
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from None
        finally:
            call.cancel()

    def _open(self) -> grpc.aio.Channel:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"unix:{self._socket}", options=_OPTIONS)
        return self._channel

    @staticmethod
    def _metadata(rpc: Rpc) -> tuple[tuple[str, str], ...]:
        own = (WORKSPACE_KEY, rpc.identity.workspace)
        return (own, (ACROSS_KEY, "1")) if ACCESS[rpc.method].reaches_all(rpc.identity) else (own,)


def _translated(error: grpc.aio.AioRpcError) -> Refusal | Relayed:
    """A bookkeeper that does not answer is our error to explain; what it answers is its own."""
    trailers = [(key, value) for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    if error.code() is grpc.StatusCode.UNAVAILABLE and not trailers:
        return Refusal(
            "UNAVAILABLE",
            RefusalReason.LEDGER_UNAVAILABLE,
            "The ledger cannot be read: the bookkeeper does not answer. Calls are still taken and journaled; "
            "start it with `taximeter bookkeeper`.",
            retry_after_s=1.0,
        )
    return Relayed(error.code(), error.details() or "", trailers)
