"""What a wire's reader and decoder is told: answers as events, to be spoilt, framed and read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from sidecar.core.call import Operation
from sidecar.providers.registry import wire
from sidecar.providers.wire import Codec, Pending, Reader, Reply
from tests.support import eventstream
from tests.support.providers import events

Frame = Callable[[Sequence[Any]], bytes]
"""JSON events -> the bytes of a stream."""
Answer = tuple[Frame, Sequence[Any]]

DEEP = "@deep@"
"""Stands in an event for lists within lists, as deep as JSON readers go."""
_DEPTH = 1000


@dataclass(frozen=True)
class Told:
    """One operation of a wire, and what the provider says to it."""

    wire: str
    operation: Operation
    answers: Sequence[Answer] = ()
    """Of a stream: one answer, or one after the other where the conversation goes on."""
    whole: Any = None
    error: Any = field(default_factory=dict)
    """The documented error body."""

    @property
    def codec(self) -> Codec:
        return wire(self.wire)[self.operation]

    def reader(self) -> Reader:
        make = self.codec.reader
        assert make is not None
        return make()

    @property
    def data(self) -> list[bytes]:
        return [frame(each) for frame, each in self.answers]

    def __str__(self) -> str:
        return f"{self.wire}-{self.operation.value}"


def json_of(value: Any) -> bytes:
    deep = b"[" * _DEPTH + b"]" * _DEPTH
    return orjson.dumps(value).replace(b'"' + DEEP.encode() + b'"', deep)


def sse(told: Sequence[Any]) -> bytes:
    return events(*map(json_of, told), done=False)


def sse_done(told: Sequence[Any]) -> bytes:
    return events(*map(json_of, told))


def lines(told: Sequence[Any]) -> bytes:
    return b"".join(json_of(event) + b"\n" for event in told)


def aws(told: Sequence[Any]) -> bytes:
    """(kind, payload) each."""
    return b"".join(eventstream.event(str(kind), json_of(payload)) for kind, payload in told)


def plain(told: Sequence[Any]) -> bytes:
    return b"".join(map(json_of, told))


def named(told: Sequence[Any]) -> bytes:
    """(name, data) each; data is text, or JSON."""
    return b"".join(
        b"event: %s\ndata: %s\n\n" % (str(name).encode(), data.encode() if isinstance(data, str) else json_of(data))
        for name, data in told
    )


def converse(told: Told, answers: Sequence[bytes], cuts: Sequence[int] = ()) -> tuple[list[Any], Reply | None]:
    """(parts, the reply); no reply where the reader asked on at the last answer. Raises what the reader raises."""
    reader = told.reader()
    parts: list[Any] = []
    for answer in answers:
        for piece in _pieces(answer, cuts):
            parts += reader.feed(piece)
        reply = reader.finish()
        if not isinstance(reply, Pending):
            return parts, reply
    return parts, None


def _pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(places)]
