"""One exchange with one provider: the request goes out, the answer comes in, every wait is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from sidecar.core.addresses import Forbidden, Reach
from sidecar.core.catalog import Catalog
from sidecar.core.clock import Clock
from sidecar.core.faults import Fault, FirstTokenTimeout, Garbled, ResponseTimeout, Stalled, StreamCut
from sidecar.invoker.live import Live
from sidecar.invoker.watch import Watch
from sidecar.limits import Limits
from sidecar.providers.allowances import allowances
from sidecar.providers.http import CREDENTIALS, server_of
from sidecar.providers.resolving import check_reach
from sidecar.providers.transport import Answer, Transport
from sidecar.providers.wire import HttpRequest, HttpResponse, Pending, Reader, Reply

LINGER_S = 1.0
"""How long a stream whose choices are all whole is waited for: usage and the terminal event may follow."""


class DeadlinePassed(Exception):
    """The caller's deadline came while the provider was waited for."""


class Exchange:
    """`left_s` below: until the caller's deadline."""

    def __init__(self, transport: Transport, clock: Clock, limits: Limits) -> None:
        self._transport = transport
        self._clock = clock
        self._limits = limits

    async def ask(self, live: Live, left_s: float, catalog: Catalog) -> None:
        """The whole answer at once, as `live.reply`. Raises Fault, DeadlinePassed."""
        response_s = live.timeouts.response_s or left_s
        live.waits(self._clock.monotonic_ns())
        try:
            async with asyncio.timeout(min(response_s, left_s)):
                await self._converse(live, catalog.max_answer_bytes)
        except TimeoutError:
            if left_s <= response_s:
                raise DeadlinePassed from None
            raise ResponseTimeout(f"no answer within {response_s:g} s") from None
        finally:
            live.resumes(self._clock.monotonic_ns())

    async def _converse(self, live: Live, max_bytes: int) -> None:
        reply = await self._send(live, live.request, max_bytes)
        while isinstance(reply, Pending):
            await asyncio.sleep(reply.after_s)
            live.waits(self._clock.monotonic_ns())
            reply = await self._send(live, await onward(live, reply), max_bytes)
        live.reply = reply
        live.content_bytes = reply.payload.ByteSize()

    async def _send(self, live: Live, request: HttpRequest, max_bytes: int) -> Reply | Pending:
        connect_s = live.timeouts.connect_s or 0.0
        response = await self._transport.send(request, connect_s=connect_s, max_bytes=max_bytes)
        live.resumes(self._clock.monotonic_ns())
        self._answered(live, response)
        response = replace(response, body=live.heard(response.body))
        if not 200 <= response.status < 300:
            raise live.codec.fault(response)
        return live.codec.decode(response)

    async def stream(self, live: Live, reader: Reader, left_s: float, catalog: Catalog) -> AsyncGenerator[Any, None]:
        """Chunks as they come; then `live.reply`. Raises Fault, DeadlinePassed."""
        live.reader = reader
        ear = _Ear(live, reader, self._clock, left_s, LINGER_S * catalog.time_scale)
        request = live.request
        try:
            while True:
                whole, status = reader.complete, live.http_status
                try:
                    async with aclosing(self._listen(live, reader, ear, request, catalog.max_answer_bytes)) as chunks:
                        async for chunk in chunks:
                            yield chunk
                except Fault:
                    if not whole:
                        raise
                    live.http_status = status  # the caller has the whole answer: only its usage was still asked for
                ear.rest()
                reply = reader.finish()
                if isinstance(reply, Reply):
                    _all_there(live, reader, reply)
                    break
                request = await onward(live, reply)
                if reply.after_s:
                    await asyncio.sleep(min(reply.after_s, ear.left_s))
        finally:
            ear.close()
        live.reply = reply

    async def _listen(
        self, live: Live, reader: Reader, ear: _Ear, request: HttpRequest, max_bytes: int
    ) -> AsyncGenerator[Any, None]:
        """The chunks of one answer."""
        connect_s = live.timeouts.connect_s or 0.0
        try:
            ear.listen()
            async with self._transport.stream(request, connect_s=connect_s, max_bytes=max_bytes) as answer:
                self._answered(live, answer)
                await _accepted(live, answer)
                async for data in answer.chunks():
                    ear.rest()
                    chunks, fault = self._fed(live, reader, data)
                    for chunk in chunks:
                        yield chunk
                    if fault is not None:
                        raise fault
                    if reader.done:
                        break
                    ear.listen()
        except asyncio.CancelledError:
            if not ear.interrupted():
                raise
            if not reader.complete:
                raise ear.silence() from None
        except StreamCut:
            if not reader.complete:
                raise

    def _answered(self, live: Live, answer: HttpResponse | Answer) -> None:
        """The headers have come: they may tell of the provider's limits."""
        live.answered(answer.status, answer.headers)
        told = allowances(answer.headers, self._clock.wall_ns)
        if told:
            self._limits.learn(live.planned.target, told)

    def _fed(self, live: Live, reader: Reader, data: bytes) -> tuple[list[Any], Fault | None]:
        """What the data holds, all of it counted before any of it is passed on: the caller may hang up any time."""
        data = live.heard(data)
        chunks: list[Any] = []
        fault = None
        try:
            chunks.extend(reader.feed(data))
        except Fault as error:
            fault = error
        live.gave(chunks, self._clock.monotonic_ns())
        return chunks, fault


async def onward(live: Live, pending: Pending) -> HttpRequest:
    """The request that asks on. Raises Garbled for an address that an answer must not lead to: of an account of a
    workspace, which may be a server of its own, also any that the workspace itself could not name."""
    request = pending.request
    account = live.planned.account
    if request.url.startswith(("/", "./")):
        opens = {name: value for name, value in live.request.headers.items() if name in CREDENTIALS}
        return replace(request, url=_under(live, request.url), headers={**request.headers, **opens})
    if server_of(request.url) == server_of(account.base_url):
        return request
    if not request.url.startswith("https://"):
        raise Garbled("the provider's answer leads to an address that is not https")
    if account.owner:
        try:
            await check_reach(request.url, Reach())
        except Forbidden:
            raise Garbled("the provider's answer leads to an address that no workspace may name") from None
    return request


def _under(live: Live, path: str) -> str:
    """ "/path" under the account's base URL; "./path" under the first request's address, with its query."""
    if path.startswith("/"):
        return live.planned.account.base_url.rstrip("/") + path
    address, _, query = live.request.url.partition("?")
    return f"{address}{path[1:]}?{query}" if query else f"{address}{path[1:]}"


def _all_there(live: Live, reader: Reader, reply: Reply) -> None:
    """A reader knows of the choices that have begun: where its stream had no end, those asked for must be there.
    Raises StreamCut."""
    if not reader.done and len(reply.finish_reasons) < live.choices:
        raise StreamCut(f"the stream ended after {len(reply.finish_reasons)} of {live.choices} choices")


async def _accepted(live: Live, answer: Answer) -> None:
    """Raises the fault of an answer outside 2xx."""
    if not 200 <= answer.status < 300:
        body = live.heard(await answer.body())
        raise live.codec.fault(HttpResponse(answer.status, answer.headers, body))


class _Ear:
    """Listens to one stream: how long the next event may take, and what its absence means."""

    def __init__(self, live: Live, reader: Reader, clock: Clock, left_s: float, linger_s: float) -> None:
        self._live = live
        self._reader = reader
        self._clock = clock
        self._linger_s = linger_s
        self._watch = Watch()
        now_s = clock.monotonic_s()
        self._deadline_s = now_s + left_s
        self._silent_s = now_s + (live.timeouts.ttft_s or left_s)
        self._events = 0

    def listen(self) -> None:
        """We wait for the provider from now on. Only events show life: comments and half lines do not."""
        now_ns = self._clock.monotonic_ns()
        now_s = now_ns / 1e9
        stall_s = self._live.timeouts.stall_s or self._deadline_s - now_s
        if self._reader.complete:
            self._silent_s = now_s + min(self._linger_s, stall_s)
        elif self._reader.events > self._events:
            self._events = self._reader.events
            self._silent_s = now_s + stall_s
        self._live.waits(now_ns)
        self._watch.arm(max(min(self._silent_s, self._deadline_s) - now_s, 0.0))

    def rest(self) -> None:
        """The provider has said something, or the caller has the stream."""
        self._watch.rest()
        self._live.resumes(self._clock.monotonic_ns())

    def close(self) -> None:
        self._watch.close()
        self._live.resumes(self._clock.monotonic_ns())

    @property
    def left_s(self) -> float:
        """Until the caller's deadline."""
        return max(self._deadline_s - self._clock.monotonic_s(), 0.0)

    def interrupted(self) -> bool:
        return self._watch.caught()

    def silence(self) -> Exception:
        if self._silent_s >= self._deadline_s:
            return DeadlinePassed()
        if not self._reader.events:
            return FirstTokenTimeout(f"no first event within {self._live.timeouts.ttft_s:g} s")
        return Stalled(f"silent for {self._live.timeouts.stall_s:g} s")
