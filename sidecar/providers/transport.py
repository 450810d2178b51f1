"""The HTTP port, and its reference engine. The only importer of httpx."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

import httpx

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
from sidecar.providers.inflate import decoder
from sidecar.providers.wire import HttpRequest, HttpResponse

_KEPT_CONNECTIONS = 256
_KEPT_S = 30.0
_DRAIN_BYTES = 64 * 1024
_DRAIN_S = 1.0


class Answer(Protocol):
    """An answer whose headers have come. Header names in lower case."""

    status: int
    headers: Mapping[str, str]

    async def body(self) -> bytes:
        """The whole body. Raises StreamCut, TooLarge, Garbled."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes, in any cut. Raises StreamCut, TooLarge, Garbled."""
        ...


class Transport(Protocol):
    """Sends one request. Only connecting is timed here: the invoker bounds the other waits."""

    async def send(self, request: HttpRequest, *, connect_s: float, max_bytes: int) -> HttpResponse:
        """Raises ConnectFailed, ConnectTimeout, ConnectionReset, StreamCut, TooLarge (over `max_bytes`), Garbled."""
        ...

    def stream(self, request: HttpRequest, *, connect_s: float, max_bytes: int) -> AbstractAsyncContextManager[Answer]:
        """Enters when the headers are there. Leaving closes; leaving by an exception closes at once."""
        ...

    async def close(self) -> None: ...


# What each httpx exception means before the answer's headers; see test_transport for the proof that none is missing.
FAULTS: Mapping[type[Exception], type[Fault]] = {
    httpx.ConnectTimeout: ConnectTimeout,
    httpx.PoolTimeout: ConnectTimeout,
    httpx.ReadTimeout: ResponseTimeout,
    httpx.WriteTimeout: ResponseTimeout,
    httpx.ConnectError: ConnectFailed,
    httpx.ProxyError: ConnectFailed,
    httpx.UnsupportedProtocol: ConnectFailed,
    httpx.InvalidURL: ConnectFailed,
    httpx.LocalProtocolError: ConnectFailed,
    httpx.ReadError: ConnectionReset,
    httpx.WriteError: ConnectionReset,
    httpx.CloseError: ConnectionReset,
    httpx.RemoteProtocolError: ConnectionReset,
    httpx.DecodingError: Garbled,
    httpx.TooManyRedirects: Garbled,
}


def fault_of(error: Exception, *, answered: bool) -> Fault:
    """The fault that an exception of the engine stands for; `answered`: the headers had come."""
    kind = FAULTS.get(type(error), ConnectionReset)
    if answered and kind is ConnectionReset:
        kind = StreamCut
    # A request that could not be written down quotes the offending header, which may be the key.
    secretive = isinstance(error, (httpx.LocalProtocolError, UnicodeError))
    return kind(
        "the request cannot be sent: a header is malformed" if secretive else str(error) or type(error).__name__
    )


class HttpxTransport:
    """One pooled HTTP/1.1 client. Proxies and `SSL_CERT_FILE` as the environment says; no redirects, no cookies."""

    def __init__(self) -> None:
        # Connections are bounded by the calls admitted at the edge, so a full pool is never what a call waits for.
        limits = httpx.Limits(
            max_connections=None, max_keepalive_connections=_KEPT_CONNECTIONS, keepalive_expiry=_KEPT_S
        )
        # A cookie set for one account must not travel with another's request.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx.AsyncClient(limits=limits, follow_redirects=False, trust_env=True, cookies=no_cookies)
        self._draining: set[asyncio.Task[None]] = set()
        for name in ("httpx", "httpcore"):  # they log each URL at INFO, and some wires carry the key in it
            logging.getLogger(name).setLevel(logging.WARNING)

    async def send(self, request: HttpRequest, *, connect_s: float, max_bytes: int) -> HttpResponse:
        answer = await self._open(request, connect_s, max_bytes, "gzip")
        try:
            body = await answer.body()
        finally:
            await answer.close()
        return HttpResponse(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(self, request: HttpRequest, *, connect_s: float, max_bytes: int) -> AsyncIterator[Answer]:
        answer = await self._open(request, connect_s, max_bytes, "identity")
        try:
            yield answer
        except BaseException:
            await answer.close()
            raise
        if answer.ended:
            await answer.close()
        else:
            self._in_background(answer.drain())

    async def close(self) -> None:
        for task in self._draining:
            task.cancel()
        await asyncio.gather(*self._draining, return_exceptions=True)
        await self._client.aclose()

    async def _open(self, request: HttpRequest, connect_s: float, max_bytes: int, encoding: str) -> _Answer:
        try:
            message = self._client.build_request(
                request.method,
                request.url,
                headers={**request.headers, "accept-encoding": encoding},
                content=request.body,
                timeout=httpx.Timeout(None, connect=connect_s, pool=connect_s),
            )
            return _Answer(await self._client.send(message, stream=True), max_bytes)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise fault_of(error, answered=False) from error
        except UnicodeError:  # its text holds the header's value: not to be chained
            raise fault_of(httpx.LocalProtocolError(""), answered=False) from None

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)


class _Answer:
    def __init__(self, response: httpx.Response, max_bytes: int) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers.items())
        self.ended = False
        """The last byte was read: the connection can serve again."""
        self._response = response
        self._raw = response.aiter_raw()
        self._max_bytes = max_bytes

    async def body(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks()])

    async def chunks(self) -> AsyncIterator[bytes]:
        if int(self._response.headers.get("content-length") or 0) > self._max_bytes:
            raise self._too_large()
        unpack = decoder(self.headers.get("content-encoding", ""))
        size = 0
        try:
            async for raw in self._raw:
                for piece in unpack.feed(raw):
                    size += len(piece)
                    if size > self._max_bytes:
                        raise self._too_large()
                    yield piece
        except httpx.HTTPError as error:
            raise fault_of(error, answered=True) from error
        self.ended = True
        if rest := unpack.finish():
            yield rest

    async def drain(self) -> None:
        """Reads the little that follows a finished stream, so that its connection can be used again; then closes."""
        size = 0
        try:
            async with asyncio.timeout(_DRAIN_S):
                async for raw in self._raw:
                    size += len(raw)
                    if size > _DRAIN_BYTES:
                        break
        except (httpx.HTTPError, TimeoutError):
            pass
        finally:
            await self.close()

    async def close(self) -> None:
        try:
            await self._response.aclose()
        except httpx.HTTPError:
            logging.getLogger(__name__).debug("a connection did not close cleanly")

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the answer is larger than {self._max_bytes} bytes", http_status=self.status)
