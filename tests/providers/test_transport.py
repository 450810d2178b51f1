"""The transport on loopback: what a server can do to a connection, and what each httpx exception becomes."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from sidecar.core.faults import (
    ConnectFailed,
    ConnectionReset,
    ConnectTimeout,
    Fault,
    Garbled,
    ResponseTimeout,
    StreamCut,
    TooLarge,
)
from sidecar.providers.transport import FAULTS, HttpxTransport, fault_of
from sidecar.providers.wire import HttpRequest

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""(request head, writer) -> writes what it likes."""

# Raised only by code that misuses a response object; ours does not.
OUR_OWN_MISTAKES = {
    httpx.CookieConflict,
    httpx.HTTPStatusError,
    httpx.RequestNotRead,
    httpx.ResponseNotRead,
    httpx.StreamClosed,
    httpx.StreamConsumed,
}


class Server:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/v1/x"
        self.connections = 0
        self.heads: list[bytes] = []
        self.gone = asyncio.Event()
        """A client has hung up."""


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    server: Server

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                server.heads.append(head)
                await handler(head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            server.gone.set()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    server = Server(listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()


@pytest.fixture
async def transport() -> AsyncIterator[HttpxTransport]:
    made = HttpxTransport()
    yield made
    await made.close()


def reply(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def writes(data: bytes, then_close: bool = False) -> Handler:
    async def handler(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        if then_close:
            await writer.drain()
            writer.close()

    return handler


async def resets(_head: bytes, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
GZIPPED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-encoding: gzip\r\n\r\n"
BOMB = gzip.compress(b"\0" * 50_000_000)


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        pytest.param(resets, ConnectionReset, id="resets-before-headers"),
        pytest.param(writes(b"", then_close=True), ConnectionReset, id="closes-before-headers"),
        pytest.param(writes(b"SMTP ready\r\n\r\n", then_close=True), ConnectionReset, id="speaks-no-http"),
        pytest.param(writes(reply(b"abc", length=9), then_close=True), StreamCut, id="truncates-the-body"),
        pytest.param(writes(CHUNKED + b"3\r\nabc\r\n", then_close=True), StreamCut, id="truncates-the-chunks"),
        pytest.param(writes(reply(b"x" * 2000)), TooLarge, id="too-large-by-its-own-word"),
        pytest.param(writes(CHUNKED + b"7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n"), TooLarge, id="too-large-in-chunks"),
        pytest.param(writes(GZIPPED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BOMB), BOMB)), TooLarge, id="gzip-bomb"),
        pytest.param(writes(reply(b"no gzip", "content-encoding: gzip")), Garbled, id="broken-gzip"),
        pytest.param(writes(reply(b"x", "content-encoding: br")), Garbled, id="encoding-not-asked-for"),
        pytest.param(writes(reply(gzip.compress(b"abc")[:-4], "content-encoding: gzip")), StreamCut, id="cut-gzip"),
    ],
)
async def test_what_a_server_does_to_a_unary_call(
    transport: HttpxTransport, handler: Handler, expected: type[Fault]
) -> None:
    async with serving(handler) as server:
        with pytest.raises(expected):
            await transport.send(HttpRequest("POST", server.url), connect_s=2, max_bytes=1000)


@pytest.mark.parametrize(
    ("body", "header"),
    [
        pytest.param(b"hello", "", id="plain"),
        pytest.param(gzip.compress(b"hello"), "content-encoding: gzip", id="gzip"),
        pytest.param(gzip.compress(b"hel") + gzip.compress(b"lo"), "content-encoding: gzip", id="gzip-members"),
        pytest.param(zlib.compress(b"hello"), "content-encoding: deflate", id="deflate"),
    ],
)
async def test_a_body_comes_out_as_it_was_meant(transport: HttpxTransport, body: bytes, header: str) -> None:
    async with serving(writes(reply(body, *([header] if header else []), "X-Request-Id: r1"))) as server:
        answer = await transport.send(HttpRequest("POST", server.url, {}, b"{}"), connect_s=2, max_bytes=1000)
    assert (answer.status, answer.body, answer.headers["x-request-id"]) == (200, b"hello", "r1")


async def test_a_bomb_is_noticed_before_it_is_in_memory(transport: HttpxTransport) -> None:
    async with serving(writes(GZIPPED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BOMB), BOMB))) as server:
        tracemalloc.start()
        with pytest.raises(TooLarge):
            await transport.send(HttpRequest("POST", server.url), connect_s=2, max_bytes=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 5_000_000


async def test_fifty_megabytes_stop_at_the_limit(transport: HttpxTransport) -> None:
    async def endless(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        for _ in range(50):
            writer.write(b"100000\r\n" + b"x" * 0x100000 + b"\r\n")
            await writer.drain()

    held = 0

    async def read(url: str) -> None:
        nonlocal held
        async with transport.stream(HttpRequest("POST", url), connect_s=2, max_bytes=100_000) as answer:
            async for chunk in answer.chunks():
                held += len(chunk)

    async with serving(endless) as server:
        with pytest.raises(TooLarge):
            await read(server.url)
    assert held <= 100_000


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("http://127.0.0.1:1/v1", ConnectFailed, id="refused"),
        pytest.param("gopher://127.0.0.1/v1", ConnectFailed, id="no-such-scheme"),
        pytest.param("http://[bad/v1", ConnectFailed, id="malformed-url"),
    ],
)
async def test_where_there_is_no_server(transport: HttpxTransport, url: str, expected: type[Fault]) -> None:
    with pytest.raises(expected):
        await transport.send(HttpRequest("POST", url), connect_s=2, max_bytes=1000)


@pytest.mark.parametrize("key", [pytest.param("sk-\n1", id="line-feed"), pytest.param("sk-\u00e9", id="not-ascii")])
async def test_a_key_that_is_no_header_is_never_quoted(transport: HttpxTransport, key: str) -> None:
    async with serving(writes(reply(b""))) as server:
        request = HttpRequest("POST", server.url, {"authorization": f"Bearer {key}"})
        with pytest.raises(ConnectFailed) as caught:
            await transport.send(request, connect_s=2, max_bytes=1000)
    assert "sk-" not in caught.value.message


async def test_redirects_are_answers(transport: HttpxTransport) -> None:
    moved = b"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with serving(writes(moved)) as server:
        answer = await transport.send(HttpRequest("POST", server.url), connect_s=2, max_bytes=1000)
    assert answer.status == 307


async def test_cookies_of_one_call_stay_out_of_the_next(transport: HttpxTransport) -> None:
    async with serving(writes(reply(b"", "set-cookie: session=1; path=/"))) as server:
        for _ in range(2):
            await transport.send(HttpRequest("POST", server.url), connect_s=2, max_bytes=1000)
    assert not any(b"session" in head for head in server.heads)


async def test_a_connection_serves_again(transport: HttpxTransport) -> None:
    async with serving(writes(reply(b"ok"))) as server:
        for _ in range(3):
            await transport.send(HttpRequest("POST", server.url), connect_s=2, max_bytes=1000)
    assert server.connections == 1


async def test_a_stream_left_at_its_end_gives_its_connection_back(transport: HttpxTransport) -> None:
    """[DONE] comes before HTTP's own last chunk: leaving there must not cost a new TLS handshake."""
    finish = asyncio.Event()

    async def handler(_head: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"4\r\nDONE\r\n")
        await writer.drain()
        await finish.wait()
        writer.write(b"0\r\n\r\n")

    async with serving(handler) as server:
        async with transport.stream(HttpRequest("POST", server.url), connect_s=2, max_bytes=1000) as answer:
            async for chunk in answer.chunks():
                assert chunk == b"DONE"
                break
        finish.set()
        async with asyncio.timeout(20):
            while transport._draining:
                await asyncio.gather(*transport._draining)
        await transport.send(HttpRequest("POST", server.url), connect_s=2, max_bytes=1000)
    assert server.connections == 1


async def test_a_stream_left_by_an_exception_hangs_up_at_once(transport: HttpxTransport) -> None:
    async def called(url: str) -> None:
        async with transport.stream(HttpRequest("POST", url), connect_s=2, max_bytes=1000) as answer:
            async for _ in answer.chunks():
                raise KeyError

    async with serving(writes(CHUNKED + b"1\r\na\r\n")) as server:
        with pytest.raises(KeyError):
            await called(server.url)
        async with asyncio.timeout(20):
            await server.gone.wait()


async def test_a_hundred_calls_at_once(transport: HttpxTransport) -> None:
    async with serving(writes(reply(b"ok"))) as server:
        answers = await asyncio.gather(
            *(transport.send(HttpRequest("POST", server.url), connect_s=5, max_bytes=1000) for _ in range(100))
        )
    assert [answer.body for answer in answers] == [b"ok"] * 100


def httpx_exceptions() -> list[type[Exception]]:
    found = [getattr(httpx, name) for name in dir(httpx)]
    classes = [each for each in found if isinstance(each, type) and issubclass(each, Exception)]
    return [each for each in classes if not any(other is not each and issubclass(other, each) for other in classes)]


@pytest.mark.parametrize("kind", httpx_exceptions(), ids=lambda kind: kind.__name__)
def test_every_httpx_exception_is_a_fault_or_our_own_mistake(kind: type[Exception]) -> None:
    assert (kind in FAULTS) != (kind in OUR_OWN_MISTAKES)


@pytest.mark.parametrize(
    ("error", "answered", "expected"),
    [
        pytest.param(httpx.ConnectTimeout("x"), False, ConnectTimeout, id="connect-timeout"),
        pytest.param(httpx.PoolTimeout("x"), False, ConnectTimeout, id="no-place-in-the-pool"),
        pytest.param(httpx.ProxyError("x"), False, ConnectFailed, id="proxy"),
        pytest.param(httpx.ReadError("x"), False, ConnectionReset, id="reset-before-headers"),
        pytest.param(httpx.ReadError("x"), True, StreamCut, id="reset-in-the-body"),
        pytest.param(httpx.RemoteProtocolError("x"), True, StreamCut, id="body-ends-early"),
        pytest.param(httpx.ReadTimeout("x"), True, ResponseTimeout, id="read-timeout"),
        pytest.param(httpx.DecodingError("x"), True, Garbled, id="undecodable"),
    ],
)
def test_what_an_exception_means(error: Exception, answered: bool, expected: type[Fault]) -> None:
    assert type(fault_of(error, answered=answered)) is expected
