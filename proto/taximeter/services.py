"""Any of the sidecar's services by its generated stub, asked as the client asks: its token, its timeout, its errors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from taximeter.errors import translated

Metadata = tuple[tuple[str, str], ...]


class Carrying:
    """A channel's face, as generated stubs look at it. Streams have no timeout but the one they are given."""

    def __init__(self, channel: Any, metadata: Metadata, timeout_s: float | None) -> None:
        self._channel = channel
        self._metadata = metadata
        self._timeout_s = timeout_s

    def unary_unary(self, *method: Any, **how: Any) -> Any:
        ask = self._channel.unary_unary(*method, **how)

        def call(request: Any, timeout: float | None = None) -> Any:
            with translated():
                return ask(request, timeout=self._timeout_s if timeout is None else timeout, metadata=self._metadata)

        return call

    def unary_stream(self, *method: Any, **how: Any) -> Any:
        ask = self._channel.unary_stream(*method, **how)

        def call(request: Any, timeout: float | None = None) -> Iterator[Any]:
            answer = ask(request, timeout=timeout, metadata=self._metadata)
            try:
                with translated():
                    yield from answer
            finally:
                answer.cancel()

        return call


class AsyncCarrying(Carrying):
    """The same, of a channel of grpc.aio."""

    def unary_unary(self, *method: Any, **how: Any) -> Any:
        ask = self._channel.unary_unary(*method, **how)

        async def call(request: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - the sidecar must know it
            with translated():
                waits_s = self._timeout_s if timeout is None else timeout
                return await ask(request, timeout=waits_s, metadata=self._metadata)

        return call

    def unary_stream(self, *method: Any, **how: Any) -> Any:
        ask = self._channel.unary_stream(*method, **how)

        async def call(request: Any, timeout: float | None = None) -> AsyncIterator[Any]:  # noqa: ASYNC109
            answer = ask(request, timeout=timeout, metadata=self._metadata)
            try:
                with translated():
                    async for message in answer:
                        yield message
            finally:
                answer.cancel()

        return call
