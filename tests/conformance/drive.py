"""Sends one recorded request through the wire and an engine to the replay server. Another driver may do it by gRPC."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from sidecar.core.call import Usage
from sidecar.core.faults import Fault
from sidecar.providers.registry import wire
from sidecar.providers.transport import Transport
from sidecar.providers.wire import Codec, HttpRequest, HttpResponse, Pending
from tests.conformance.families import family_of
from tests.conformance.outcome import Outcome, of_parts, of_payload
from tests.support.providers import account, ended
from tests.support.providers_replay import Exchange, Replay

Driver = Callable[[Exchange, Any, Replay], Awaitable[Outcome]]
"""(exchange, our request, replay) -> what a caller would get."""

CONNECT_S = 5.0
MAX_BYTES = 32 * 1024 * 1024


def through_codec(transport: Transport) -> Driver:
    async def drive(exchange: Exchange, request: Any, replay: Replay) -> Outcome:
        family = family_of(exchange)
        codec = wire(family.wire(exchange))[family.operation(exchange)]
        base_url = replay.address(exchange.id) + family.base_path(exchange)
        target = account(family.account_type(exchange), base_url=base_url)
        target = replace(target, options={**target.options, **family.settings(exchange)})
        http = codec.encode(request, family.model(exchange), exchange.stream, target, "sk-conformance")
        try:
            return await (
                _stream(codec, http, transport) if exchange.stream else _ask(codec, http, base_url, transport)
            )
        except Fault as fault:
            return Outcome(error=(fault.http_status, type(fault).__name__, fault.message))

    return drive


async def _ask(codec: Codec, http: HttpRequest, base_url: str, transport: Transport) -> Outcome:
    response = await transport.send(http, connect_s=CONNECT_S, max_bytes=MAX_BYTES)
    if response.status >= 300:
        raise codec.fault(response)
    reply = codec.decode(response)
    while isinstance(reply, Pending):
        polled = replace(reply.request, url=base_url + reply.request.url)
        reply = codec.decode(await transport.send(polled, connect_s=CONNECT_S, max_bytes=MAX_BYTES))
    outcome = of_payload(reply.payload)
    outcome.usage = _usage(reply.usage)
    return outcome


async def _stream(codec: Codec, http: HttpRequest, transport: Transport) -> Outcome:
    assert codec.reader is not None
    reader, parts = codec.reader(), []
    async with transport.stream(http, connect_s=CONNECT_S, max_bytes=MAX_BYTES) as answer:
        if answer.status >= 300:
            raise codec.fault(HttpResponse(answer.status, answer.headers, await answer.body()))
        async for data in answer.chunks():
            parts += list(reader.feed(data))
            if reader.done:
                break
    reply = ended(reader)
    assert reader.malformed == 0
    outcome = of_parts(parts, reply.finish_reasons, reply.model)
    outcome.usage = _usage(reply.usage)
    return outcome


def _usage(usage: Usage | None) -> dict[str, float]:
    if usage is None:
        return {}
    named = {
        "input": usage.input,
        "cached": usage.cache_read,
        "cache_write": usage.cache_write,
        "output": usage.output,
        "reasoning": usage.reasoning,
        "audio_in": usage.audio_in,
        "audio_out": usage.audio_out,
        "seconds": usage.seconds,
    }
    return {name: value for name, value in named.items() if value is not None}
