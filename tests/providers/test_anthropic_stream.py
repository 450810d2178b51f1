"""Streams on the Anthropic wire: documented ones, and those that servers really send."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered, Fault, Garbled, RateLimited, ServerError, StreamCut
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2
from tests.support.anthropic import block, end, events, reader, start, text
from tests.support.providers import ended, read

param = pytest.param
PING = {"type": "ping"}
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
NONE_CACHED = {"cache_read": 0, "cache_write": 0}


def json(*pieces: str) -> list[dict[str, Any]]:
    return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def thinking(*pieces: str) -> list[dict[str, Any]]:
    return [{"type": "thinking_delta", "thinking": piece} for piece in pieces]


def parts(*blocks: dict[str, Any]) -> list[Any]:
    return read(reader(), events(start(), *blocks))


def test_a_stream_as_documented() -> None:
    each = reader()
    data = events(start(input_tokens=25, output_tokens=1), PING, *text("Hel"), *text("lo", 1), *end(output_tokens=15))
    assert read(each, data) == [pb.Delta(text="Hel"), pb.Delta(text="lo")]
    reply = ended(each)
    assert (reply.finish_reasons, reply.usage, reply.model, reply.response_id) == (
        ("end_turn",),
        Usage(input=25, output=15, **NONE_CACHED),
        "m-1",
        "msg_1",
    )
    assert (each.done, each.complete, each.events, each.malformed) == (True, True, 10, 0)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64])
def test_any_cut_of_bytes_reads_the_same(cut: int) -> None:
    each = reader()
    assert (
        "".join(part.text for part in read(each, events(start(), *text("né"), *text("🎉", 1), *end()), cut)) == "né🎉"
    )
    assert ended(each).finish_reasons == ("end_turn",)


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        param(block(0, {"type": "text", "text": "He"}), [pb.Delta(text="He")], id="text-in-the-blocks-beginning"),
        param(
            block(0, TOOL, *json("", '{"x"', ": 1}")),
            [
                pb.ToolCallDelta(id="toolu_1", name="f"),
                pb.ToolCallDelta(arguments='{"x"'),
                pb.ToolCallDelta(arguments=": 1}"),
            ],
            id="a-tool-call",
        ),
        param(
            block(0, TOOL, *json("")),
            [pb.ToolCallDelta(id="toolu_1", name="f"), pb.ToolCallDelta(arguments="{}")],
            id="a-tool-call-without-arguments",
        ),
        param(
            block(0, {**TOOL, "input": {"x": 1}}),
            [pb.ToolCallDelta(id="toolu_1", name="f"), pb.ToolCallDelta(arguments='{"x":1}')],
            id="arguments-in-the-blocks-beginning",
        ),
        param(
            [*text("Hi"), *block(1, TOOL, *json("{}")), *block(2, {**TOOL, "id": "toolu_2"}, *json("{}"))],
            [
                pb.Delta(text="Hi"),
                pb.ToolCallDelta(id="toolu_1", name="f"),
                pb.ToolCallDelta(arguments="{}"),
                pb.ToolCallDelta(tool_index=1, id="toolu_2", name="f"),
                pb.ToolCallDelta(tool_index=1, arguments="{}"),
            ],
            id="tool-calls-are-counted-by-themselves",
        ),
        param(
            block(0, {"type": "thinking", "thinking": ""}, *thinking("h", "m"),
                  {"type": "signature_delta", "signature": "sig"}),
            [
                pb.Delta(reasoning="h"),
                pb.Delta(reasoning="m"),
                pb.Delta(reasoning_block=payload_pb2.ReasoningBlock(text="hm", signature="sig")),
            ],
            id="reasoning-and-the-block-once-whole",
        ),
        param(
            block(0, {"type": "thinking", "thinking": ""}, {"type": "signature_delta", "signature": "sig"}),
            [pb.Delta(reasoning_block=payload_pb2.ReasoningBlock(signature="sig"))],
            id="reasoning-that-is-not-shown",
        ),
        param(
            block(0, {"type": "redacted_thinking", "data": "d"}),
            [pb.Delta(reasoning_block=payload_pb2.ReasoningBlock(redacted="d"))],
            id="redacted-reasoning",
        ),
        param(
            block(0, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, *json('{"q": 1}')),
            [],
            id="a-server-tool-is-no-call-of-ours",
        ),
        param(
            block(0, {"type": "text", "text": ""}, {"type": "citations_delta", "citation": {}}), [], id="citations"
        ),
        param([{"type": "yet_to_come", "delta": 1}], [], id="an-event-yet-to-be-invented"),
        param([{"type": "content_block_stop", "index": 9}], [], id="the-end-of-no-block"),
    ],
)  # fmt: skip
def test_what_comes_out(blocks: list[dict[str, Any]], expected: list[Any]) -> None:
    assert parts(*blocks) == expected


# --- usage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begun", "ended_with", "expected"),
    [
        param({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 25, "output_tokens": 15},
              Usage(input=25, output=15, **NONE_CACHED), id="a-beginning-of-zeros-is-not-final"),
        param({"input_tokens": 25, "output_tokens": 3}, {"output_tokens": 0},
              Usage(input=25, output=0, **NONE_CACHED), id="the-first-output-is-provisional"),
        param({"input_tokens": 2, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 0},
              {"input_tokens": 6, "cache_creation_input_tokens": 33, "cache_read_input_tokens": 62, "output_tokens": 9},
              Usage(input=101, cache_write=33, cache_read=62, output=9), id="server-tools-let-the-input-grow"),
        param({"input_tokens": 25}, {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 7}},
              Usage(input=25, output=9, reasoning=7, **NONE_CACHED), id="thinking"),
        param({"input_tokens": 25}, {"server_tool_use": None}, None, id="output-that-no-one-counted-is-estimated"),
    ],
)  # fmt: skip
def test_usage_in_two_parts(begun: dict[str, Any], ended_with: dict[str, Any], expected: Usage | None) -> None:
    each = reader()
    read(each, events(start(**begun), *text("Hi"), *end(**ended_with)))
    assert ended(each).usage == expected


def test_a_cut_stream_knows_its_input_and_no_output() -> None:
    each = reader()
    read(each, events(start(input_tokens=25, output_tokens=1), *text("Hi")))
    assert each.usage == Usage(input=25, **NONE_CACHED)


# --- endings ------------------------------------------------------------------------------


def test_a_stream_is_whole_once_its_stop_reason_is_told() -> None:
    each = reader()
    read(each, events(start(), *text("Hi"), end()[0]))
    assert (each.complete, each.done) == (True, False)
    assert ended(each).finish_reasons == ("end_turn",)


@pytest.mark.parametrize(
    "data",
    [
        param(events(start(), *text("Hi")), id="before-the-stop-reason"),
        param(events(start(), *text("Hi"), {"type": "message_stop"}), id="ended-by-a-relay-without-stop-reason"),
        param(events(start()), id="before-any-content"),
        param(b"", id="before-anything"),
        param(events(start()) + events(*text("Hi")[:2])[:-1], id="within-an-event"),
    ],
)
def test_a_stream_without_its_end_is_cut(data: bytes) -> None:
    each = reader()
    read(each, data)
    with pytest.raises(StreamCut):
        each.finish()


def test_an_end_without_a_message_is_garbled() -> None:
    each = reader()
    read(each, events(*end()))
    with pytest.raises(Garbled):
        each.finish()


def test_another_message_on_half_of_the_first_is_a_broken_stream() -> None:
    each = reader()
    second = start()
    second["message"]["id"] = "msg_2"
    with pytest.raises(StreamCut, match="began another"):
        read(each, events(start(), *text("Hi"), second))


def test_a_beginning_sent_twice_does_no_harm() -> None:
    each = reader()
    read(each, events(start(input_tokens=25), start(input_tokens=25), *text("Hi"), *end(output_tokens=2)))
    assert ended(each).usage == Usage(input=25, output=2, **NONE_CACHED)


def test_nothing_is_read_after_the_end() -> None:
    each = reader()
    assert read(each, events(start(), *text("Hi"), *end(), OVERLOADED, *text("more"))) == [pb.Delta(text="Hi")]
    assert ended(each).finish_reasons == ("end_turn",)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        param(OVERLOADED, ServerError, id="overloaded"),
        param({"type": "error", "error": {"type": "rate_limit_error", "message": "m"}}, RateLimited, id="rate-limit"),
        param({"error": {"message": "m", "code": 500}}, ServerError, id="another-servers-words"),
    ],
)
def test_an_error_event_is_the_fault_that_it_says(event: dict[str, Any], kind: type[Fault]) -> None:
    came = iter(reader().feed(events(start(), *text("Hi"), event)))
    assert next(came) == pb.Delta(text="Hi")
    with pytest.raises(kind):
        next(came)


def test_a_malformed_event_is_skipped_and_counted() -> None:
    each = reader()
    assert read(each, events(start(), b'{"type": "content_bl', *text("Hi"), b"[]", *end())) == [pb.Delta(text="Hi")]
    assert ended(each).finish_reasons == ("end_turn",)
    assert each.malformed == 2


@pytest.mark.parametrize(
    "content",
    [
        param([], id="nothing-came"),
        param(block(0, {"type": "thinking", "thinking": ""}, *thinking("hm")), id="it-only-reasoned"),
    ],
)
def test_a_refusal_without_an_answer_is_filtered_and_billed(content: list[dict[str, Any]]) -> None:
    each = reader()
    read(each, events(start(input_tokens=25), *content, *end("refusal", output_tokens=2)))
    with pytest.raises(ContentFiltered) as found:
        each.finish()
    assert found.value.usage == Usage(input=25, output=2, **NONE_CACHED)


def test_a_refusal_after_content_is_a_stop_reason() -> None:
    each = reader()
    read(each, events(start(), *text("Hi"), *end("refusal")))
    assert ended(each).finish_reasons == ("refusal",)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=300) | st.text(max_size=200).map(str.encode), cut=st.integers(1, 50))
def test_garbage_is_a_fault_or_nothing(data: bytes, cut: int) -> None:
    each = reader()
    with suppress(Fault):
        read(each, b"data: " + data + b"\n\n", cut)
        each.finish()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ("index", "message", "content_block", "delta", "usage", "error")
_TYPES = ("message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "error")


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(_TYPES), st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=4)), max_size=5
    )
)
def test_events_with_anything_in_their_fields(found: list[tuple[str, dict[str, Any]]]) -> None:
    each = reader()
    with suppress(Fault):
        read(each, events(start(), *({**fields, "type": kind} for kind, fields in found)))
        each.finish()
