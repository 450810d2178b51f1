"""Streams of the Responses API: documented ones, and what servers leave out of them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.faults import BadRequest, ContentFiltered, Fault, RateLimited, ServerError, StreamCut
from sidecar.providers.responses_stream import ResponseStream
from sidecar.providers.structs import to_plain
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2
from tests.support import providers
from tests.support.providers import read
from tests.support.responses import ended, function_call, item_done, message, reasoning, said, started, stream

USED = Usage(input=30, cache_read=10, output=20, reasoning=5)


def summary(piece: str, part: int = 0, index: int = 0) -> dict[str, Any]:
    return {
        "type": "response.reasoning_summary_text.delta",
        "output_index": index,
        "summary_index": part,
        "delta": piece,
    }


def begun(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def arguments(piece: str, index: int = 0) -> dict[str, Any]:
    return {"type": "response.function_call_arguments.delta", "output_index": index, "delta": piece}


def parts_of(*events: Any) -> list[Any]:
    return read(ResponseStream(), stream(*events))


def test_a_stream_as_documented() -> None:
    each = ResponseStream()
    empty = {**message(), "content": []}
    parts = read(each, stream(started(), begun(empty), said("Hel"), said("lo"), item_done(message("Hello")), ended()))
    assert parts == [pb.Delta(text="Hel"), pb.Delta(text="lo")]
    assert (each.done, each.complete, each.events, each.malformed) == (True, True, 6, 0)
    reply = providers.ended(each)
    assert (reply.model, reply.response_id, reply.finish_reasons) == ("m-1", "resp_1", ("completed",))
    assert (reply.usage, reply.payload) == (USED, None)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64])
def test_any_cut_of_bytes_reads_the_same(cut: int) -> None:
    data = stream(started(), said("né"), said("🎉"), ended())
    assert read(ResponseStream(), data, cut) == [pb.Delta(text="né"), pb.Delta(text="🎉")]


def test_calls_are_numbered_in_their_order_whatever_their_place() -> None:
    calls = [function_call("f", ""), function_call("g", "", 2)]
    found = parts_of(begun(calls[0], 1), arguments("{}", 1), begun(calls[1], 3), arguments("[", 3), arguments("]", 3))
    assert found == [
        pb.ToolCallDelta(tool_index=0, id="call_1", name="f"),
        pb.ToolCallDelta(tool_index=0, arguments="{}"),
        pb.ToolCallDelta(tool_index=1, id="call_2", name="g"),
        pb.ToolCallDelta(tool_index=1, arguments="["),
        pb.ToolCallDelta(tool_index=1, arguments="]"),
    ]


def test_thoughts_come_as_paragraphs_then_as_a_block() -> None:
    whole = reasoning("ab", "c", encrypted="gAAA")
    found = parts_of(summary("a"), summary("b"), summary("c", 1), item_done(whole), summary("d", 0, 1))
    block = payload_pb2.ReasoningBlock(id="rs_1", text="ab\n\nc", signature="gAAA")
    assert found == [
        pb.Delta(reasoning="a"),
        pb.Delta(reasoning="b"),
        pb.Delta(reasoning="\n\nc"),
        pb.Delta(reasoning_block=block),
        pb.Delta(reasoning="\n\nd"),
    ]


def test_plain_thoughts_are_reasoning_too() -> None:
    delta = {"type": "response.reasoning_text.delta", "output_index": 0, "content_index": 0, "delta": "hm"}
    assert parts_of(delta) == [pb.Delta(reasoning="hm")]


def test_a_refusal() -> None:
    delta = {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "no"}
    assert parts_of(delta) == [pb.Delta(refusal="no")]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([item_done(message("Hello"))], [pb.Delta(text="Hello")], id="text without deltas"),
        pytest.param(
            [said("Hel"), item_done(message("Hello"))],
            [pb.Delta(text="Hel"), pb.Delta(text="lo")],
            id="the rest of a text",
        ),
        pytest.param(
            [said("Hola"), item_done(message("Hello"))], [pb.Delta(text="Hola")], id="another text is not added to it"
        ),
        pytest.param(
            [item_done(function_call("f", "{}"))],
            [pb.ToolCallDelta(id="call_1", name="f"), pb.ToolCallDelta(arguments="{}")],
            id="a call without deltas",
        ),
        pytest.param(
            [begun(function_call("f", "")), item_done(function_call("f", "{}"))],
            [pb.ToolCallDelta(id="call_1", name="f"), pb.ToolCallDelta(arguments="{}")],
            id="arguments without deltas",
        ),
        pytest.param([ended(output=[message("Hello")])], [pb.Delta(text="Hello")], id="everything at the end"),
        pytest.param(
            [said("Hello"), ended(output=[reasoning("hm"), message("Hello")])],
            [pb.Delta(text="Hello")],
            id="nothing twice",
        ),
        pytest.param([said("a"), {"type": "response.something_new"}], [pb.Delta(text="a")], id="unknown events"),
        pytest.param([{"type": "keepalive"}, said("a")], [pb.Delta(text="a")], id="keepalive"),
    ],
)
def test_what_a_server_leaves_out_is_made_up_for(events: list[Any], expected: list[Any]) -> None:
    assert parts_of(*events) == expected


@pytest.mark.parametrize(
    ("last", "reasons"),
    [
        pytest.param(ended(), ("completed",), id="completed"),
        pytest.param(
            ended("incomplete", incomplete_details={"reason": "max_output_tokens"}),
            ("max_output_tokens",),
            id="the provider's own word",
        ),
        pytest.param(
            ended("incomplete", incomplete_details={"reason": "content_filter"}),
            ("content_filter",),
            id="filtered late",
        ),
    ],
)
def test_finish_reasons(last: Any, reasons: tuple[str, ...]) -> None:
    each = ResponseStream()
    read(each, stream(said("a"), last))
    assert providers.ended(each).finish_reasons == reasons


def test_a_stream_that_the_filter_left_nothing_of_is_filtered_and_billed() -> None:
    each = ResponseStream()
    read(each, stream(summary("hm"), ended("incomplete", incomplete_details={"reason": "content_filter"})))
    with pytest.raises(ContentFiltered) as caught:
        each.finish()
    assert caught.value.usage == USED


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([started(), said("a")], id="no terminal event"),
        pytest.param([started(), said("a"), item_done(message("a"))], id="the item is done, the response is not"),
        pytest.param([], id="nothing at all"),
        pytest.param([said("a"), b"[DONE]"], id="[DONE] is no end of this wire"),
    ],
)
def test_a_truncated_answer_is_never_a_success(events: list[Any]) -> None:
    each = ResponseStream()
    read(each, stream(*events))
    with pytest.raises(StreamCut):
        each.finish()


def test_a_last_event_without_its_blank_line_still_ends_the_stream() -> None:
    each = ResponseStream()
    read(each, stream(said("a"), ended()).removesuffix(b"\n\n"))
    assert providers.ended(each).usage == USED


ERROR = {"code": "rate_limit_exceeded", "message": "slow down"}


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        pytest.param({"type": "error", **ERROR}, RateLimited, id="error"),
        pytest.param({"type": "error", "error": ERROR}, RateLimited, id="error in an object"),
        pytest.param({"error": ERROR}, RateLimited, id="error without a type"),
        pytest.param(ended("failed", error=ERROR), RateLimited, id="failed"),
        pytest.param(ended("failed"), ServerError, id="failed without a word"),
        pytest.param(ended("failed", error={"code": "invalid_image", "message": "m"}), BadRequest, id="bad image"),
    ],
)
def test_an_error_event_is_the_fault_that_it_says(event: Any, fault: type[Fault]) -> None:
    parts = ResponseStream().feed(stream(said("a"), event))
    assert next(parts) == pb.Delta(text="a"), "what came before has come"
    with pytest.raises(fault):
        next(parts)


def test_what_was_said_besides_is_told_at_the_end() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    each = ResponseStream()
    read(each, stream(said("a"), item_done(search, 1), ended(output=[message("a"), search], service_tier="flex")))
    reply = providers.ended(each)
    assert reply.provider_metadata is not None
    assert to_plain(reply.provider_metadata) == {"output": [search], "service_tier": "flex"}


def test_what_follows_the_end_is_passed_over() -> None:
    each = ResponseStream()
    assert read(each, stream(said("a"), ended(), b"[DONE]", said("b"))) == [pb.Delta(text="a")]


def test_a_malformed_event_is_skipped_and_counted() -> None:
    each = ResponseStream()
    assert read(each, stream(said("a"), b"{oops", b"[]", ended())) == [pb.Delta(text="a")]
    assert (each.malformed, each.events) == (2, 2)


def test_a_cut_stream_keeps_what_was_reported_so_far() -> None:
    each = ResponseStream()
    read(each, stream({"type": "response.in_progress", "response": ended()["response"]}))
    assert (each.usage, each.model, each.response_id) == (USED, "m-1", "resp_1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["type", "item", "delta", "output_index", "content", "summary", "output", "usage", "error", "status", "text"]
    ), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip
KINDS = st.sampled_from([
    "response.output_item.added", "response.output_item.done", "response.output_text.delta", "response.completed",
    "response.function_call_arguments.delta", "response.reasoning_text.delta", "response.incomplete", "error",
])  # fmt: skip
ITEMS = st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "new"])


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(events=st.lists(st.builds(lambda kind, item, more: {**more, "type": kind, "item": {**more, "type": item}},
                                 KINDS, ITEMS, st.dictionaries(st.text(max_size=3), JSON, max_size=2)
                                 | st.fixed_dictionaries({"delta": JSON, "output_index": JSON, "content": JSON,
                                                          "summary": JSON, "response": JSON, "arguments": JSON})),
                       max_size=6))  # fmt: skip
def test_whatever_comes_only_faults_come_of_it(events: list[Any]) -> None:
    each = ResponseStream()
    with suppress(Fault):
        read(each, stream(*events))
        each.finish()
