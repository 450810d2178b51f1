"""Whatever a provider sends, on whichever wire: the same parts in any cut, no truncated answer as success, and no error
but the faults that failover knows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.faults import Fault
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import invocation_pb2 as pb
from tests.support.hostile_wires import Frame, Told, aws, converse, json_of, named
from tests.support.spoiling import SPOILT, paths, spoil, spoilt
from tests.support.told_natives import NATIVES
from tests.support.told_openai import OPENAI

TOLD = (*OPENAI, *NATIVES)
streams = pytest.mark.parametrize("told", [told for told in TOLD if told.answers], ids=str)
answers = pytest.mark.parametrize("told", TOLD, ids=str)
quick = settings(max_examples=60, deadline=None)


def content(parts: Sequence[Any]) -> tuple[str, dict[int, str]]:
    """(text, arguments of each tool call)."""
    calls: dict[int, str] = {}
    for part in parts:
        if isinstance(part, pb.ToolCallDelta):
            calls[part.tool_index] = calls.get(part.tool_index, "") + part.arguments
    return "".join(part.text for part in parts if isinstance(part, pb.Delta)), calls


def frozen_by(frame: Frame) -> int:
    """Pairs of a name and a payload: in the payload alone is JSON to spoil."""
    return 1 if frame in (aws, named) else 0


def taken(told: Told, data: Sequence[bytes]) -> None:
    """Only faults may come of it, and only what can be written down."""
    with suppress(Fault):
        parts, reply = converse(told, data)
        for part in parts:
            part.SerializeToString()
        written(reply)


def written(reply: object) -> None:
    if isinstance(reply, Reply) and reply.payload is not None:
        type(reply.payload).FromString(reply.payload.SerializeToString())
    if isinstance(reply, Reply) and reply.provider_metadata is not None:
        type(reply.provider_metadata).FromString(reply.provider_metadata.SerializeToString())


@streams
def test_whole_stream_is_read_whole(told: Told) -> None:
    parts, reply = converse(told, told.data)
    assert content(parts)[0] == "hällo"
    assert reply is not None
    assert reply.usage is not None


@streams
def test_any_cut_gives_the_same_parts(told: Told) -> None:
    whole = converse(told, told.data)
    longest = max(map(len, told.data))
    for cuts in (range(1, longest), range(7, longest, 7), *([at] for at in range(1, longest, 3))):
        assert converse(told, told.data, cuts) == whole


@streams
def test_truncated_stream_is_no_success(told: Told) -> None:
    whole = content(converse(told, told.data)[0])
    for number, answer in enumerate(told.data):
        for size in range(len(answer)):
            with suppress(Fault):
                parts, reply = converse(told, [*told.data[:number], answer[:size]])
                assert reply is None or content(parts) == whole


@streams
def test_each_field_of_a_stream_spoilt(told: Told) -> None:
    for number, (frame, events) in enumerate(told.answers):
        for at, event in enumerate(events):
            for path in paths(event):
                if len(path) > frozen_by(frame):
                    for by in SPOILT:
                        told_so = [*events[:at], spoil(event, path, by), *events[at + 1 :]]
                        taken(told, [*told.data[:number], frame(told_so), *told.data[number + 1 :]])


@streams
@quick
@given(data=st.data())
def test_stream_spoilt_in_many_places(told: Told, data: st.DataObject) -> None:
    spoiled = [frame(data.draw(spoilt(events, frozen_by(frame)))) for frame, events in told.answers]
    taken(told, spoiled)


@streams
@quick
@given(data=st.data())
def test_stream_of_noise(told: Told, data: st.DataObject) -> None:
    """Bytes in the middle that nobody can read, or that break the framing."""
    stream = bytearray(data.draw(st.sampled_from(told.data)))
    at, size = data.draw(st.integers(0, len(stream))), data.draw(st.integers(0, 8))
    stream[at : at + size] = data.draw(st.binary(max_size=8))
    taken(told, [bytes(stream), *told.data[1:]])


@answers
def test_each_field_of_an_answer_spoilt(told: Told) -> None:
    for path in paths(told.whole):
        for by in SPOILT:
            with suppress(Fault):
                written(told.codec.decode(HttpResponse(200, {}, json_of(spoil(told.whole, path, by)))))


@answers
@quick
@given(data=st.data())
def test_answer_spoilt_in_many_places(told: Told, data: st.DataObject) -> None:
    body = data.draw(spoilt([told.whole]))
    with suppress(Fault):
        written(told.codec.decode(HttpResponse(200, {}, json_of(body[0] if body else None))))


@answers
@pytest.mark.parametrize("by", SPOILT[1:], ids=str)
def test_answer_that_is_something_else(told: Told, by: object) -> None:
    with pytest.raises(Fault):
        told.codec.decode(HttpResponse(200, {}, json_of(by)))
