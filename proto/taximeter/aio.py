"""The client for asyncio: `Client`, with `await`. Belongs to the loop it is made in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self, Unpack

import grpc
import grpc.aio

from taximeter import calls, replies
from taximeter.errors import from_rpc
from taximeter.messages import ChatMessages
from taximeter.options import CallOptions, ChatOptions, CompletionOptions, EmbedOptions
from taximeter.v1 import catalog_pb2, catalog_pb2_grpc, invocation_pb2, invocation_pb2_grpc, usage_pb2, usage_pb2_grpc
from taximeter.v1.metering_pb2 import Metering


class AsyncClient:
    """Methods, arguments and errors are those of `taximeter.Client`."""

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        timeout: float | None = calls.DEFAULT_TIMEOUT_S,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        where = calls.target(address or calls.default_address())
        self._channel = (
            grpc.aio.secure_channel(where, credentials, calls.OPTIONS)
            if credentials
            else grpc.aio.insecure_channel(where, calls.OPTIONS)
        )
        self._token = token
        self._timeout = timeout
        self._invocation = invocation_pb2_grpc.InvocationServiceStub(self._channel)
        self._catalog = catalog_pb2_grpc.CatalogServiceStub(self._channel)
        self._usage = usage_pb2_grpc.UsageServiceStub(self._channel)

    async def close(self) -> None:
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def chat(self, messages: ChatMessages, **options: Unpack[ChatOptions]) -> replies.ChatReply:
        return replies.chat_reply(await self._ask(calls.chat_spec(messages, options), options))

    async def complete(self, prompt: str, **options: Unpack[CompletionOptions]) -> replies.CompletionReply:
        return replies.completion_reply(await self._ask(calls.completion_spec(prompt, options), options))

    async def embed(self, inputs: str | Sequence[str], **options: Unpack[EmbedOptions]) -> replies.EmbedReply:
        return replies.embed_reply(await self._ask(calls.embedding_spec(inputs, options), options))

    async def moderate(self, inputs: str | Sequence[str], **options: Unpack[CallOptions]) -> replies.ModerationReply:
        return replies.moderation_reply(await self._ask(calls.moderation_spec(inputs, options), options))

    async def invoke(
        self,
        call: invocation_pb2.CallSpec,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - the sidecar must know the deadline
        traceparent: str = "",
    ) -> invocation_pb2.InvokeResponse:
        return await self._ask(call, {"timeout": timeout, "traceparent": traceparent})

    def stream(self, messages: ChatMessages, **options: Unpack[ChatOptions]) -> AsyncStream:
        return self._stream(calls.chat_spec(messages, options), options)

    def invoke_stream(
        self, call: invocation_pb2.CallSpec, *, timeout: float | None = None, traceparent: str = ""
    ) -> AsyncStream:
        return self._stream(call, {"timeout": timeout, "traceparent": traceparent})

    async def usage(
        self,
        group_by: Sequence[str] = ("provider",),
        *,
        since: timedelta | datetime = timedelta(days=7),
        until: datetime | None = None,
        filters: Mapping[str, str] | None = None,
    ) -> usage_pb2.QueryUsageResponse:
        request: usage_pb2.QueryUsageRequest | None = calls.usage_request(group_by, since, until, filters)
        found = usage_pb2.QueryUsageResponse()
        with _translated():
            while request is not None:
                page = await self._usage.QueryUsage(request, timeout=self._timeout, metadata=self._metadata({}))
                found.rows.extend(page.rows)
                found.total.CopyFrom(page.total)
                request = calls.next_page(request, page)
        return found

    async def get_call(self, call_id: str) -> usage_pb2.GetCallResponse:
        with _translated():
            request = usage_pb2.GetCallRequest(call_id=call_id)
            return await self._usage.GetCall(request, timeout=self._timeout, metadata=self._metadata({}))

    async def providers(self) -> catalog_pb2.ListProvidersResponse:
        with _translated():
            request = catalog_pb2.ListProvidersRequest()
            return await self._catalog.ListProviders(request, timeout=self._timeout, metadata=self._metadata({}))

    async def health(self) -> catalog_pb2.ListHealthResponse:
        with _translated():
            request = catalog_pb2.ListHealthRequest()
            return await self._catalog.ListHealth(request, timeout=self._timeout, metadata=self._metadata({}))

    async def _ask(self, spec: invocation_pb2.CallSpec, options: Mapping[str, Any]) -> invocation_pb2.InvokeResponse:
        with _translated():
            return await self._invocation.Invoke(
                invocation_pb2.InvokeRequest(call=spec), timeout=self._wait(options), metadata=self._metadata(options)
            )

    def _stream(self, spec: invocation_pb2.CallSpec, options: Mapping[str, Any]) -> AsyncStream:
        request = invocation_pb2.InvokeStreamRequest(call=spec)
        return AsyncStream(
            self._invocation.InvokeStream(request, timeout=self._wait(options), metadata=self._metadata(options))
        )

    def _wait(self, options: Mapping[str, Any]) -> float | None:
        wait: float | None = options.get("timeout")
        return self._timeout if wait is None else wait

    def _metadata(self, options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        return calls.metadata(self._token, options)


class AsyncStream:
    """Events in order; `close` (or leaving its `async with`) hangs up, and what was spent is still metered."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.call_id = ""
        """Known from the first event on."""
        self.metering: Metering | None = None
        """Known from the last event on."""

    async def __aiter__(self) -> AsyncIterator[replies.Event]:
        with _translated():
            async for message in self._answer:
                event = replies.event(message)
                if event is not None:
                    self._note(event)
                    yield event

    @property
    def text(self) -> AsyncIterator[str]:
        """The first choice's text as it comes. Raises StreamRestarted if what came so far is void."""
        return (text async for event in self if (text := replies.text_of(event)))

    def close(self) -> None:
        self._answer.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _note(self, event: replies.Event) -> None:
        if isinstance(event, invocation_pb2.Started):
            self.call_id = event.call_id
        elif isinstance(event, invocation_pb2.Finished):
            self.metering = event.metering


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise from_rpc(error) from None
