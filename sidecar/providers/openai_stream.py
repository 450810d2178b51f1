"""Streams on the OpenAI wire (platform.openai.com/docs/api-reference/chat-streaming), and how servers differ there.

Usage may come in a chunk of its own without choices (OpenAI), with the last choice (DeepSeek, Mistral), with an
empty choice (OpenRouter), in every chunk so far (Perplexity, vLLM with continuous_usage_stats) or under `x_groq`
(Groq): the last one stands. An error may come as an event of its own, after content too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sidecar.core.faults import Garbled, ServerError, StreamCut
from sidecar.providers.events import EventReader
from sidecar.providers.openai_fault import fault_of_error
from sidecar.providers.openai_messages import split_content, tool_call
from sidecar.providers.openai_reply import CONTENT_FILTER, completed, filtered, finish_reason, reasoning_of
from sidecar.providers.openai_usage import cost_of, usage_of
from sidecar.providers.reading import index_of, objects, text_of
from sidecar.providers.sse import SseParser
from sidecar.providers.wire import Reply
from taximeter.v1 import invocation_pb2 as pb

Parts = Callable[[int, dict[str, Any]], Iterator[Any]]
"""(choice index, choice) -> the Delta and ToolCallDelta messages in it."""


class StreamReader(EventReader):
    """`sidecar.providers.wire.Reader` of one stream."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        super().__init__(SseParser())
        self._finished: dict[int, str] = {}
        """Choice -> its finish reason; empty while it goes on."""
        self._content = False
        self._adds = False
        """The chunk has content."""
        self._summed_up = False
        """Usage came, and no content since."""
        self._cost_picodollars: int | None = None

    @property
    def complete(self) -> bool:
        """Every choice has its finish reason: only usage and [DONE] can follow."""
        return bool(self._finished) and all(self._finished.values())

    def finish(self) -> Reply:
        self.end()
        if not self._finished:
            raise Garbled("the stream held no choice")
        # Relays write [DONE] behind an answer that broke off, too: only one that is whole has a finish reason, or
        # at least its usage after all content (a count so far, beside content, says nothing).
        if not self.complete and not self._summed_up:
            raise StreamCut("the stream ended without a finish reason")
        reasons = tuple(self._finished.get(index, "") for index in range(max(self._finished) + 1))
        if not self._content and set(reasons) == {CONTENT_FILTER}:
            raise filtered("", self.usage)
        return Reply(None, self.usage, self.model, reasons, self.response_id, self._cost_picodollars)

    def told_done(self) -> None:
        self.done = True

    def take(self, chunk: dict[str, Any]) -> Iterator[Any]:
        if error := chunk.get("error") or (chunk if chunk.get("object") == "error" else None):
            raise fault_of_error(error, 0)
        self.model = self.model or text_of(chunk, "model")
        self.response_id = self.response_id or text_of(chunk, "id")
        self._adds = False
        choices = objects(chunk.get("choices"))
        for place, choice in enumerate(choices):
            yield from self._read_choice(place, choice)
        groq = chunk.get("x_groq")
        self._read_usage(chunk.get("usage") or (groq.get("usage") if isinstance(groq, dict) else None))
        # The documented last chunk: usage and no choice. Nothing but [DONE] comes after it.
        self.done = self.done or (not choices and "usage" in chunk and self.usage is not None and self.complete)

    def _read_choice(self, place: int, choice: dict[str, Any]) -> Iterator[Any]:
        index = index_of(choice, place)
        reason = finish_reason(choice)
        if reason == "error":  # OpenRouter, where the error object itself is missing
            raise ServerError("the provider broke off its answer")
        for part in self._parts(index, choice):
            self._content = self._adds = True
            yield part
        if reason or index not in self._finished:
            self._finished[index] = reason

    def _read_usage(self, raw: Any) -> None:
        usage = usage_of(raw)
        self._summed_up = not self._adds and (self._summed_up or usage is not None)
        if usage is not None:
            self.usage = usage
            self._cost_picodollars = cost_of(raw)


class ChatParts:
    """The parts of a chat choice. Remembers the tool calls, since only their first piece carries id and name."""

    def __init__(self) -> None:
        self._calls: dict[tuple[int, int], _Call] = {}
        """(choice, index as the server numbers it) -> the call that is being written there."""
        self._count: dict[int, int] = {}

    def __call__(self, index: int, choice: dict[str, Any]) -> Iterator[Any]:
        delta = choice.get("delta")
        if not isinstance(delta, dict):
            return
        content = delta.get("content")
        text, thought = (content, "") if isinstance(content, str) else split_content(content)
        thought = thought or reasoning_of(delta)
        refusal = text_of(delta, "refusal")
        if text or thought or refusal:
            yield pb.Delta(choice_index=index, text=text, reasoning=thought, refusal=refusal)
        for place, entry in enumerate(objects(delta.get("tool_calls"))):
            yield self._tool_call(index, place, entry)
        single = delta.get("function_call")  # before tools there were functions, one a message
        if isinstance(single, dict) and (single.get("name") or single.get("arguments")):
            yield self._tool_call(index, 0, {"index": 0, "function": single})

    def _tool_call(self, choice: int, place: int, entry: dict[str, Any]) -> pb.ToolCallDelta:
        number = index_of(entry, place)
        call_id, name, arguments = tool_call(entry)
        call = self._calls.get((choice, number))
        # Some servers number every parallel call 0 and tell them apart by id alone (Gemini's compatible endpoint).
        if call is None or (call_id and name and call_id != call.id):
            tool_index = self._count.get(choice, 0)
            self._count[choice] = tool_index + 1
            self._calls[choice, number] = _Call(call_id, tool_index)
            return pb.ToolCallDelta(
                choice_index=choice, tool_index=tool_index, id=call_id, name=name, arguments=arguments
            )
        return pb.ToolCallDelta(choice_index=choice, tool_index=call.tool_index, arguments=arguments)


class _Call:
    __slots__ = ("id", "tool_index")

    def __init__(self, call_id: str, tool_index: int) -> None:
        self.id = call_id
        self.tool_index = tool_index


def completion_parts(index: int, choice: dict[str, Any]) -> Iterator[Any]:
    if text := completed(choice, "delta"):
        yield pb.Delta(choice_index=index, text=text)
