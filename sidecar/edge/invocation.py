"""InvocationService: admit, decode, invoke, answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

from sidecar.core.call import Call
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.faults import Refusal, RefusalReason
from sidecar.edge import answers
from sidecar.edge.decode import Arrival, Decoded, decode
from sidecar.edge.gate import Gate
from sidecar.edge.replay import Once, Write
from sidecar.edge.rpc import Border, Handlers, Rpc
from sidecar.edge.trace import trace_of
from sidecar.invoker import Invoker
from taximeter.v1 import invocation_pb2 as pb

UNREAD_S = 1.0
"""The invoker ends a stream at its deadline, but cannot while a caller that does not read holds a part back."""
SERVICE = pb.DESCRIPTOR.services_by_name["InvocationService"].full_name


class InvocationService:
    def __init__(
        self,
        invoker: Invoker,
        once: Once,
        catalog: Callable[[str], Catalog],
        gate: Gate,
        clock: Clock,
        *,
        max_tags: int,
    ) -> None:
        """`catalog`: as a workspace sees it."""
        self._invoker = invoker
        self._once = once
        self._catalog = catalog
        self._gate = gate
        self._clock = clock
        self._max_tags = max_tags

    def handlers(self, border: Border) -> Handlers:
        async def invoke(body: bytes, rpc: Rpc) -> bytes:
            catalog = self._enter(rpc)
            found = self._read(border.parse(pb.InvokeRequest, body).call, rpc, catalog, streamed=False)
            if found.call.request_id:
                return await self._once.unary(found.call, found.digest, keep=not catalog.zero_retention)
            return answers.response(await self._invoker.invoke(found.call)).SerializeToString()

        async def invoke_stream(body: bytes, rpc: Rpc, write: Write) -> None:
            catalog = self._enter(rpc)
            found = self._read(border.parse(pb.InvokeStreamRequest, body).call, rpc, catalog, streamed=True)
            try:
                async with asyncio.timeout(found.call.deadline_s + UNREAD_S - self._clock.monotonic_s()):
                    if found.call.request_id:
                        await self._once.stream(found.call, found.digest, write, keep=not catalog.zero_retention)
                    else:
                        await self._stream(found.call, write)
            except TimeoutError:
                raise unread() from None

        return {
            "Invoke": border.unary(f"{SERVICE}/Invoke", invoke),
            "InvokeStream": border.parts(f"{SERVICE}/InvokeStream", invoke_stream),
        }

    async def _stream(self, call: Call, write: Write) -> None:
        async with aclosing(self._invoker.invoke_stream(call)) as events:
            async for event in events:
                await write(answers.event(event, call.call_id).SerializeToString())

    def _enter(self, rpc: Rpc) -> Catalog:
        """Counted in until its RPC ends. Raises Refusal: there is no call yet."""
        self._gate.enter()
        rpc.when_done(self._gate.leave)
        return self._catalog(rpc.identity.workspace)

    def _read(self, spec: pb.CallSpec, rpc: Rpc, catalog: Catalog, *, streamed: bool) -> Decoded:
        """Raises CallFailed: a refused call."""
        found = decode(spec, self._arrival(rpc, catalog, streamed=streamed), catalog, self._max_tags)
        if found.refusal is not None:
            raise self._invoker.refuse(found.call, found.refusal)
        return found

    def _arrival(self, rpc: Rpc, catalog: Catalog, *, streamed: bool) -> Arrival:
        now_ns = self._clock.monotonic_ns()
        remaining_s = catalog.default_deadline_s if rpc.remaining_s is None else rpc.remaining_s
        return Arrival(
            identity=rpc.identity,
            trace=trace_of(rpc.metadata.get("traceparent", [])),
            rpc_method=rpc.method,
            streamed=streamed,
            started_ns=self._clock.wall_ns(),
            started_monotonic_ns=now_ns,
            deadline_s=now_ns / 1e9 + remaining_s,
        )


def unread() -> Refusal:
    return Refusal(
        "DEADLINE_EXCEEDED",
        RefusalReason.DEADLINE_EXCEEDED,
        "The deadline passed while the caller was not reading the stream.",
    )
