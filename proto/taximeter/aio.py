"""The client for asyncio: `Client`, with `await`. Belongs to the loop it is made in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

import grpc
import grpc.aio

from taximeter import calls, replies
from taximeter.aio_questions import AsyncQuestions
from taximeter.errors import translated
from taximeter.messages import ChatMessages
from taximeter.options import CallOptions, ChatOptions, CompletionOptions, EmbedOptions
from taximeter.v1 import invocation_pb2, invocation_pb2_grpc
from taximeter.v1.metering_pb2 import Metering


class AsyncClient(AsyncQuestions):
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
        self._token = calls.bearer(token)
        self._timeout = timeout
        self._invocation = invocation_pb2_grpc.InvocationServiceStub(self._channel)
        super().__init__(self._channel)

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

    async def _ask(self, spec: invocation_pb2.CallSpec, options: Mapping[str, Any]) -> invocation_pb2.InvokeResponse:
        with translated():
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
        with translated():
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
