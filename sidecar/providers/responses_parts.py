"""The content of a streamed response: events -> Delta and ToolCallDelta, in order.

developers.openai.com/api/reference/resources/responses/streaming-events. Pieces come as deltas; an item that is done
comes once more as a whole (`response.output_item.done`), from which we take what no delta has brought: servers that
speak this wire differ in what they send in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sidecar.providers.openai_messages import BETWEEN_THOUGHTS
from sidecar.providers.reading import text_of
from sidecar.providers.responses_output import CALLS, SIGNATURE, call_id, reasoning_block, texts, thoughts
from taximeter.v1 import invocation_pb2 as pb

Event = dict[str, Any]
Parts = Iterator[Any]


class ResponseParts:
    """Remembers what each item has said so far."""

    def __init__(self) -> None:
        self._said: dict[tuple[str, Any], str] = {}
        """(kind, item) -> what its deltas have brought."""
        self._calls: dict[Any, int] = {}
        """Item -> which tool call it is."""
        self._thought: tuple[Any, ...] | None = None
        """The part of the reasoning that was written last."""
        self._read_by: Mapping[str, Callable[[Any, Event], Parts]] = {
            "response.output_item.added": self._begun,
            "response.output_item.done": self._done,
            "response.output_text.delta": self._text,
            "response.refusal.delta": self._refusal,
            "response.reasoning_summary_text.delta": self._reasoning,
            "response.reasoning_text.delta": self._reasoning,
            "response.function_call_arguments.delta": self._arguments,
            "response.custom_tool_call_input.delta": self._arguments,
        }

    @property
    def answered(self) -> bool:
        """Something besides reasoning has come."""
        return bool(self._calls) or any(kind in ("text", "refusal") for kind, _ in self._said)

    @property
    def anything(self) -> bool:
        return bool(self._calls or self._said)

    def __call__(self, event: Event) -> Parts:
        """The parts in one event; none in an event of a type that we do not know."""
        if read := self._read_by.get(text_of(event, "type")):
            yield from read(_place(event), event)

    def rest(self, items: list[Event]) -> Parts:
        """What no event has told of the items of an answer that is whole: a server may tell all at the end."""
        if not self.anything:
            for place, item in enumerate(items):
                yield from self._done(place, {"item": item})

    def _begun(self, place: Any, event: Event) -> Parts:
        item = event.get("item")
        if isinstance(item, dict) and text_of(item, "type") in CALLS:
            yield from self._call(place, item)

    def _call(self, place: Any, item: Event) -> Parts:
        if place not in self._calls:
            self._calls[place] = len(self._calls)
            name, signature = text_of(item, "name"), text_of(item, SIGNATURE)
            yield pb.ToolCallDelta(tool_index=self._calls[place], id=call_id(item), name=name, signature=signature)

    def _arguments(self, place: Any, event: Event) -> Parts:
        if place in self._calls:
            yield from self._more_arguments(place, text_of(event, "delta"))

    def _more_arguments(self, place: Any, piece: str) -> Parts:
        if piece:
            self._add("arguments", place, piece)
            yield pb.ToolCallDelta(tool_index=self._calls[place], arguments=piece)

    def _text(self, place: Any, event: Event) -> Parts:
        if piece := text_of(event, "delta"):
            self._add("text", place, piece)
            yield pb.Delta(text=piece)

    def _refusal(self, place: Any, event: Event) -> Parts:
        if piece := text_of(event, "delta"):
            self._add("refusal", place, piece)
            yield pb.Delta(refusal=piece)

    def _reasoning(self, place: Any, event: Event) -> Parts:
        """Parts of the reasoning are paragraphs; each says which it is."""
        part = (
            place,
            *(index for name in ("summary_index", "content_index") if isinstance(index := event.get(name), int)),
        )
        yield from self._more_reasoning(place, part, text_of(event, "delta"))

    def _more_reasoning(self, place: Any, part: tuple[Any, ...], piece: str) -> Parts:
        if not piece:
            return
        between = BETWEEN_THOUGHTS if self._thought not in (None, part) else ""
        # What lies between two items belongs to neither.
        self._add("reasoning", place, between + piece if ("reasoning", place) in self._said else piece)
        self._thought = part
        yield pb.Delta(reasoning=between + piece)

    def _done(self, place: Any, event: Event) -> Parts:
        item = event.get("item")
        if not isinstance(item, dict):
            return
        match text_of(item, "type"):
            case "message":
                for piece in self._rest("text", place, "".join(texts(item, "output_text", "text"))):
                    yield from self._text(place, {"delta": piece})
                for piece in self._rest("refusal", place, "".join(texts(item, "refusal", "refusal"))):
                    yield from self._refusal(place, {"delta": piece})
            case "reasoning":
                for piece in self._rest("reasoning", place, thoughts(item)):
                    yield from self._more_reasoning(place, self._thought_of(place), piece)
                if block := reasoning_block(item):
                    yield pb.Delta(reasoning_block=block)
            case kind if kind in CALLS:
                yield from self._call(place, item)
                for piece in self._rest("arguments", place, text_of(item, CALLS[kind])):
                    yield from self._more_arguments(place, piece)

    def _thought_of(self, place: Any) -> tuple[Any, ...]:
        """The part that the rest of an item's reasoning continues."""
        return self._thought if self._thought is not None and self._thought[0] == place else (place,)

    def _rest(self, kind: str, place: Any, whole: str) -> Iterator[str]:
        """What of the whole no delta has brought. Nothing, if what they brought is another text."""
        said = self._said.get((kind, place), "")
        if len(whole) > len(said) and whole.startswith(said):
            yield whole[len(said) :]

    def _add(self, kind: str, place: Any, piece: str) -> None:
        self._said[kind, place] = self._said.get((kind, place), "") + piece


def _place(event: Event) -> int | str:
    """Which item of the output an event is about: its number, else its id."""
    index, item = event.get("output_index"), event.get("item")
    if isinstance(index, int):
        return index
    return text_of(event, "item_id") or (text_of(item, "id") if isinstance(item, dict) else "")
