"""Chat streams of Cohere."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import ContentFiltered, Fault, ServerError, StreamCut
from sidecar.providers.registry import wire
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import Reader
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2
from tests.support.cohere import USAGE, call, content, end, plan, start, stream
from tests.support.providers import ended, read


def reader() -> Reader:
    make = wire("cohere")[Operation.CHAT].reader
    assert make is not None
    return make()


def block(text: str, id_: str = "") -> pb.Delta:
    return pb.Delta(reasoning_block=payload_pb2.ReasoningBlock(text=text, id=id_))


def test_a_stream_as_documented() -> None:
    each = reader()
    parts = read(
        each,
        stream(
            start(),
            content(kind="content-start", type="text", text=""),
            content(text="Hel"),
            content(text="lo"),
            content(kind="content-end"),
            end(),
        ),
    )
    assert parts == [pb.Delta(text="Hel"), pb.Delta(text="lo")]
    reply = ended(each)
    assert (reply.finish_reasons, reply.usage, reply.response_id) == (("COMPLETE",), Usage(input=7, output=5), "r-1")
    assert (each.done, each.complete, each.events, each.malformed) == (True, True, 6, 0)


@pytest.mark.parametrize("cut", [1, 3, 64])
def test_any_cut_of_bytes_reads_the_same(cut: int) -> None:
    each = reader()
    parts = read(each, stream(start(), content(text="né"), content(text="🎉"), end()), cut)
    assert "".join(part.text for part in parts) == "né🎉"
    assert ended(each).finish_reasons == ("COMPLETE",)


def test_thinking_becomes_a_block_once_it_is_whole() -> None:
    parts = read(
        reader(),
        stream(
            start(),
            content(thinking="a"),
            content(thinking="b"),
            content(kind="content-end"),
            content(1, text="yes"),
            end(),
        ),
    )
    assert parts == [pb.Delta(reasoning="a"), pb.Delta(reasoning="b"), block("ab"), pb.Delta(text="yes")]


def test_a_plan_and_two_tool_calls() -> None:
    parts = read(
        reader(),
        stream(
            start(),
            plan("I "),
            plan("look"),
            call(0, id="c1", name="look"),
            call(0, '{"n":'),
            call(0, "1}"),
            call(1, id="c2", name="now"),
            call(1, "{}"),
            end("TOOL_CALL"),
        ),
    )
    assert parts == [
        pb.Delta(reasoning="I "),
        pb.Delta(reasoning="look"),
        block("I look", "tool_plan"),
        pb.ToolCallDelta(tool_index=0, id="c1", name="look"),
        pb.ToolCallDelta(tool_index=0, arguments='{"n":'),
        pb.ToolCallDelta(tool_index=0, arguments="1}"),
        pb.ToolCallDelta(tool_index=1, id="c2", name="now"),
        pb.ToolCallDelta(tool_index=1, arguments="{}"),
    ]


def test_tool_calls_are_counted_from_zero_whatever_their_index() -> None:
    parts = read(reader(), stream(start(), call(2, id="c1", name="look"), call(2, "{}"), end("TOOL_CALL")))
    assert [part.tool_index for part in parts] == [0, 0]


def test_citations_and_the_whole_usage_are_told_at_the_end() -> None:
    cited = {"type": "citation-start", "index": 0, "delta": {"message": {"citations": {"start": 0, "end": 1}}}}
    each = reader()
    data = stream(start(), content(text="x"), cited, {"type": "citation-end", "index": 0}, end())
    assert read(each, data) == [pb.Delta(text="x")]
    told = ended(each).provider_metadata
    assert told is not None
    assert to_plain(told) == {"usage": USAGE, "choices": [{"citations": [{"start": 0, "end": 1}]}]}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(stream(start(), content(text="x"), done=False), id="no-end"),
        pytest.param(stream(start(), content(text="x")), id="done-without-an-end"),
        pytest.param(b"", id="nothing"),
        pytest.param(stream(start(), end(), done=False)[:-30], id="within-the-last-event"),
    ],
)
def test_a_stream_without_its_end_is_cut(data: bytes) -> None:
    each = reader()
    read(each, data)
    with pytest.raises(StreamCut):
        each.finish()


def test_the_end_may_lack_its_blank_line() -> None:
    each = reader()
    read(each, stream(start(), content(text="x"), end(), done=False)[:-2])
    assert ended(each).usage == Usage(input=7, output=5)


def test_a_malformed_event_is_skipped_and_counted() -> None:
    each = reader()
    assert read(each, stream(start(), b"{no", b"[1]", content(text="x"), end())) == [pb.Delta(text="x")]
    assert each.malformed == 2


@pytest.mark.parametrize(
    ("events", "kind", "words"),
    [
        pytest.param([content(text="x"), end("ERROR", error="it broke")], ServerError, "it broke", id="error"),
        pytest.param([content(text="x"), end("TIMEOUT")], ServerError, "broke off", id="timeout"),
        pytest.param([end("ERROR_TOXIC")], ContentFiltered, "filter", id="toxic"),
        pytest.param([{"id": "x", "message": "internal"}], ServerError, "internal", id="error-event"),
    ],
)
def test_an_error_ends_the_stream(events: list[Any], kind: type[Fault], words: str) -> None:
    with pytest.raises(kind, match=words):
        read(reader(), stream(start(), *events))


def test_what_a_broken_answer_used_is_kept() -> None:
    each = reader()
    with pytest.raises(ServerError):
        read(each, stream(start(), content(text="x"), end("ERROR")))
    assert each.usage == Usage(input=7, output=5)


PIECES = st.sampled_from(
    [
        start(),
        content(text="x"),
        content(thinking="t"),
        plan("p"),
        call(0, id="c", name="n"),
        call(0, "{"),
        end(),
        b"{",
        b"null",
        {"type": 3},
        {"type": "content-delta", "delta": {"message": {"content": []}}},
        {"delta": None},
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=8), st.integers(1, 40))
def test_whatever_comes_ends_in_a_reply_or_a_fault(events: list[Any], cut: int) -> None:
    each = reader()
    with suppress(Fault):
        read(each, stream(*events), cut)
        ended(each)
