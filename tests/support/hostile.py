"""A provider that misbehaves by script: a real server on a loopback port, speaking its wire by hand.

Each request it gets plays the next act of its script; the last act repeats. It counts its hits, keeps what came and
when, and sees when a caller hangs up. An act answers a unary request and a streamed one, each in its way.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.support.hostile_server import Act, Exchange, Hostile, House, dead_url, deaf_url, house
from tests.support.hostile_tongue import USAGE

__all__ = ("USAGE", "Act", "Exchange", "Hostile", "House", "dead_url", "deaf_url", "hostile", "house")

HANG_S = 60.0
JSON = {"content-type": "application/json"}


@asynccontextmanager
async def hostile(*script: Act) -> AsyncGenerator[Hostile, None]:
    """Serves the script (a good answer, if none is given) on a port of its own."""
    async with house() as made:
        yield made.stage("only", *(script or (answer(),)))


def answer(
    text: str = "hello",
    *,
    usage: Mapping[str, Any] | None = USAGE,
    end: bytes = b"[DONE]",
    hold: bool = False,
    model: str = "told",
    spoilt: bool = False,
) -> Act:
    """A good answer, streamed word by word if that was asked. `hold`: the connection stays open behind it.
    `spoilt`: an unreadable event stands in the midst of the stream."""

    async def act(exchange: Exchange) -> None:
        tongue = exchange.tongue
        if not exchange.stream:
            await status(200, tongue.whole(exchange.path, text, model, usage))(exchange)
            return
        await exchange.begin(model)
        words = text.split(" ")
        for number, word in enumerate(words):
            if spoilt and number == len(words) // 2:
                await exchange.piece(tongue.garbage())
            await exchange.piece(tongue.word(word, model))
        for event in tongue.closing(model, usage, end):
            await exchange.piece(event)
        if hold:
            await silence(exchange)
        await quiet_end(exchange)

    return act


def status(code: int, body: Any = None, **headers: str) -> Act:
    """An answer of one piece. Header names with `_` for `-`."""

    async def act(exchange: Exchange) -> None:
        said = exchange.tongue.error(code, f"status {code}") if body is None else body
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await exchange.head(code, {**JSON, "content-length": str(len(data)), **named})
        await exchange.send(data)

    return act


def refusal(code: int, text: str, kind: str = "invalid_request_error", name: str | None = None) -> Act:
    return status(code, {"error": {"message": text, "type": kind, "code": name}})


CONTEXT_LENGTH = refusal(400, "This model's maximum context length is 8 tokens", name="context_length_exceeded")
CONTENT_FILTER = refusal(400, "withheld", name="content_filter")
BAD_REQUEST = refusal(400, "canary: temperature must be below 2")
UNAUTHORIZED = refusal(401, "Incorrect API key provided", name="invalid_api_key")
NO_MODEL = refusal(404, "The model does not exist", name="model_not_found")


async def silence(exchange: Exchange) -> None:
    """Takes the request, and says nothing until the caller hangs up."""
    with suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(HANG_S):
            await exchange.reader.read()
            exchange.hanging_up = True


async def reset(exchange: Exchange) -> None:
    """Breaks the connection before any header."""
    exchange.cut()


def late(act: Act, after_s: float) -> Act:
    async def later(exchange: Exchange) -> None:
        await asyncio.sleep(after_s)
        await act(exchange)

    return later


def either(unary: Act, streamed: Act) -> Act:
    """One or the other, as was asked."""

    async def act(exchange: Exchange) -> None:
        await (streamed if exchange.stream else unary)(exchange)

    return act


def breaking(words: int, then: Act, of: int = 0) -> Act:
    """So many words, and then what `then` does; of a unary answer of `of` words, as much of its body."""

    async def act(exchange: Exchange) -> None:
        if exchange.stream:
            await exchange.begin()
            for number in range(words):
                await exchange.say(f"w{number}")
        else:
            text = " ".join(f"w{number}" for number in range(of or words + 1))
            body = json.dumps(exchange.tongue.whole(exchange.path, text, "told", USAGE)).encode()
            await exchange.head(200, {**JSON, "content-length": str(len(body))})
            await exchange.send(body[: len(body) * words // (of or words + 1)])
        await then(exchange)

    return act


async def quiet_end(exchange: Exchange) -> None:
    """An orderly end of the body, without finish reason and terminal event; of a unary body, of the connection."""
    if exchange.stream:
        await exchange.send(b"0\r\n\r\n")
    else:
        exchange.writer.close()


def error_event(code: int, message: str) -> Act:
    """An event that says so, and the end of the stream."""

    async def act(exchange: Exchange) -> None:
        await exchange.piece(exchange.tongue.error_event(code, message))
        await quiet_end(exchange)

    return act


def error_body(code: int, message: str, status_code: int = 200) -> Act:
    """An error told under a status that says otherwise."""

    async def act(exchange: Exchange) -> None:
        await status(status_code, exchange.tongue.error(code, message))(exchange)

    return act


async def comments(exchange: Exchange) -> None:
    """Keep-alive comments, and never an event."""
    with suppress(ConnectionError):
        while True:
            await exchange.piece(b": still here\n\n")
            await asyncio.sleep(0.005)


async def garbage_for_ever(exchange: Exchange) -> None:
    """Events that nobody can read, until the caller hangs up."""
    with suppress(ConnectionError):
        while True:
            await exchange.piece(exchange.tongue.garbage())
            await asyncio.sleep(0.005)


def events(*data: bytes) -> Act:
    async def act(exchange: Exchange) -> None:
        await exchange.begin()
        for each in data:
            await exchange.event(each)
        await quiet_end(exchange)

    return act


def malformed(text: str = "hello", model: str = "told") -> Act:
    """An unreadable event in the midst of an otherwise good stream."""

    async def act(exchange: Exchange) -> None:
        await exchange.begin(model)
        await exchange.say(text)
        await exchange.piece(exchange.tongue.garbage())
        await exchange.say(" again")
        for event in exchange.tongue.closing(model, USAGE, b"[DONE]"):
            await exchange.piece(event)
        await quiet_end(exchange)

    return act


def huge(size: int = 50 * 1024 * 1024) -> Act:
    """An answer far beyond any limit, without saying so beforehand."""

    async def act(exchange: Exchange) -> None:
        await exchange.head(200, {**JSON, "transfer-encoding": "chunked"})
        block = b"x" * 65536
        with suppress(ConnectionError):
            for _ in range(size // len(block)):
                await exchange.piece(block)

    return act


def bomb(megabytes: int = 200) -> Act:
    """A few kilobytes of gzip that unpack to far more than any limit."""
    packed = gzip.compress(b"[" + b" " * (1 << 20) * megabytes, 1)
    return status(200, packed, content_encoding="gzip")


async def done(exchange: Exchange) -> None:
    """A terminal event, whatever came before."""
    await exchange.piece(exchange.tongue.closing("told", USAGE, b"[DONE]")[-1])
    await quiet_end(exchange)


async def garbage_and_done(exchange: Exchange) -> None:
    """An event that nobody can read, and the terminal one."""
    await exchange.piece(exchange.tongue.garbage())
    await done(exchange)


def no_prefill(act: Act) -> Act:
    """400 if the conversation ends with the assistant's own words, as some providers do."""

    async def picky(exchange: Exchange) -> None:
        prefilled = exchange.body["messages"][-1]["role"] == "assistant"
        await (refusal(400, "assistant message prefill is not supported") if prefilled else act)(exchange)

    return picky
