"""Streams of Gemini."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.faults import ContentFiltered, Fault, Garbled, RateLimited, ServerError, StreamCut
from sidecar.providers.structs import to_plain
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2
from tests.support.gemini import USAGE, called, parts, reader, stream
from tests.support.providers import ended, read

SOME = {"promptTokenCount": 7, "totalTokenCount": 7}
END = parts(finish="STOP", usage=USAGE)


def test_a_stream_as_documented() -> None:
    each = reader()
    assert read(each, stream(parts("Hel", usage=SOME), parts("lo", finish="STOP", usage=USAGE))) == [
        pb.Delta(text="Hel"),
        pb.Delta(text="lo"),
    ]
    reply = ended(each)
    assert (reply.finish_reasons, reply.usage, reply.model) == (("STOP",), Usage(input=7, output=5), "gemini-m")
    assert (each.complete, each.done, each.events, each.malformed) == (True, False, 2, 0)


@pytest.mark.parametrize("cut", [1, 3, 64])
def test_any_cut_of_bytes_reads_the_same(cut: int) -> None:
    each = reader()
    assert "".join(part.text for part in read(each, stream(parts("né"), parts("🎉"), END), cut)) == "né🎉"
    assert ended(each).finish_reasons == ("STOP",)


def test_the_last_report_of_usage_stands() -> None:
    each = reader()
    counts = [{"promptTokenCount": 7, "candidatesTokenCount": n, "totalTokenCount": 7 + n} for n in (1, 4)]
    read(each, stream(parts("a", usage=counts[0])))
    assert each.usage == Usage(input=7, output=1)
    read(each, stream(parts(finish="STOP", usage=counts[1]), parts(usage={"trafficType": "x"})))
    assert ended(each).usage == Usage(input=7, output=4)


def test_usage_may_come_after_the_end() -> None:
    each = reader()
    read(each, stream(parts("a", finish="STOP")))
    assert each.complete
    read(each, stream({"usageMetadata": USAGE}))
    assert ended(each).usage == Usage(input=7, output=5)


def test_before_the_end_unknown_output_is_unknown() -> None:
    each = reader()
    read(each, stream(parts("a", usage=SOME)))
    assert each.usage == Usage(input=7)


def test_a_reason_may_be_a_number() -> None:
    each = reader()
    read(each, stream(parts("a", candidate={"finishReason": 1})))
    assert ended(each).finish_reasons == ("1",)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(stream(parts("a")), id="no finish reason"),
        pytest.param(stream(parts("a", finish="STOP"), parts("b", index=1)), id="one of two"),
        pytest.param(stream(parts("a")) + stream(parts("b", finish="STOP"))[:-2], id="content in the last half event"),
        pytest.param(stream(parts("a", finish="FINISH_REASON_UNSPECIFIED")), id="unspecified"),
        pytest.param(stream(parts("a", candidate={"finishReason": 0})), id="unspecified, as a number"),
    ],
)
def test_what_ends_without_its_end_was_cut(data: bytes) -> None:
    each = reader()
    read(each, data)
    with pytest.raises(StreamCut):
        each.finish()


def test_thoughts_and_signatures() -> None:
    each = reader()
    found = read(
        each,
        stream(
            parts({"text": "h", "thought": True}),
            parts({"text": "m", "thought": True, "thoughtSignature": "s1"}),
            parts("so"),
            parts({"text": "", "thoughtSignature": "s2"}, finish="STOP"),
        ),
    )
    block = payload_pb2.ReasoningBlock
    assert found == [
        pb.Delta(reasoning="h"),
        pb.Delta(reasoning="m"),
        pb.Delta(reasoning_block=block(id="gemini:thought", text="hm", signature="s1")),
        pb.Delta(text="so"),
        pb.Delta(reasoning_block=block(id="gemini:end", signature="s2")),
    ]


def test_calls_are_numbered_over_events() -> None:
    each = reader()
    found = read(each, stream(parts(called("f", "s", id="c1", args={"a": 1})), parts(called("g", id="c2")), END))
    assert found == [
        pb.ToolCallDelta(tool_index=0, id="c1", name="f", arguments='{"a":1}', signature="s"),
        pb.ToolCallDelta(tool_index=1, id="c2", name="g", arguments="{}"),
    ]


def piece(path: str, more: bool = True, **value: Any) -> dict[str, Any]:
    return {"functionCall": {"partialArgs": [{"jsonPath": path, **value}], **({"willContinue": True} if more else {})}}


@pytest.mark.parametrize(
    ("pieces", "arguments"),
    [
        pytest.param([{"functionCall": {}}], "{}", id="none"),
        pytest.param([piece("$.a", numberValue=1), {"functionCall": {}}], '{"a":1}', id="a number"),
        pytest.param(
            [piece("$.a", stringValue="x"), piece("$.a", stringValue="y"), {"functionCall": {}}],
            '{"a":"xy"}',
            id="a text in pieces",
        ),
        pytest.param(
            [piece("$.a[1].b", boolValue=True), piece("$['c d']", more=False, nullValue="NULL_VALUE")],
            '{"a":[null,{"b":true}],"c d":null}',
            id="deeper",
        ),
        pytest.param([piece("$.a[99999999]", numberValue=1)], "{}", id="too far out; the end closes it"),
        pytest.param([piece("", numberValue=1), piece("$.a", numberValue=1)], '{"a":1}', id="nowhere"),
        pytest.param(
            [piece("$.a", numberValue=1), piece("$.a.b", numberValue=2)],
            '{"a":1}',
            id="what does not fit is passed over",
        ),
    ],
)
def test_arguments_in_pieces(pieces: list[dict[str, Any]], arguments: str) -> None:
    each = reader()
    begun = called("f", "s", id="c1", willContinue=True)
    (found,) = read(each, stream(parts(begun), *(parts(each_) for each_ in pieces), END))
    assert found == pb.ToolCallDelta(id="c1", name="f", arguments=arguments, signature="s")


def test_metadata_comes_with_the_end() -> None:
    each = reader()
    picture = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    read(each, stream(parts(picture), parts(finish="STOP", candidate={"groundingMetadata": {"q": "1"}})))
    metadata = ended(each).provider_metadata
    assert metadata is not None
    assert to_plain(metadata) == {"choices": [{"groundingMetadata": {"q": "1"}, "parts": [picture]}]}


@pytest.mark.parametrize(
    ("events", "kind"),
    [
        pytest.param([{"promptFeedback": {"blockReason": "BLOCKLIST"}}], ContentFiltered, id="prompt"),
        pytest.param([parts(finish="SAFETY")], ContentFiltered, id="nothing before the filter"),
        pytest.param([parts(finish="MALFORMED_FUNCTION_CALL")], Garbled, id="a bad call"),
    ],
)
def test_a_stream_without_an_answer(events: list[dict[str, Any]], kind: type[Fault]) -> None:
    each = reader()
    read(each, stream(*events, {"usageMetadata": SOME}))
    with pytest.raises(kind) as raised:
        each.finish()
    assert raised.value.usage == Usage(input=7, output=0)


def test_text_before_the_filter_is_an_answer() -> None:
    each = reader()
    read(each, stream(parts("a"), parts(finish="SAFETY")))
    assert ended(each).finish_reasons == ("SAFETY",)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        pytest.param({"error": {"code": 503, "status": "UNAVAILABLE", "message": "busy"}}, ServerError, id="object"),
        pytest.param([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}], RateLimited, id="list of one"),
    ],
)
def test_an_error_event_is_its_fault_after_what_came_before(event: Any, kind: type[Fault]) -> None:
    each = reader()
    came = each.feed(stream(parts("a"), event))
    assert next(iter(came)) == pb.Delta(text="a")
    with pytest.raises(kind):
        list(came)


def test_arguments_nested_beyond_measure_are_garbled() -> None:
    path = "$" + ".a" * 2000
    with pytest.raises(Garbled):
        read(reader(), stream(parts(called("f", willContinue=True)), parts(piece(path, numberValue=1)), END))


def test_what_is_no_event_is_counted_and_passed_over() -> None:
    each = reader()
    assert [part.text for part in read(each, stream(b"nonsense", b"1", parts("a", finish="STOP")))] == ["a"]
    assert (each.events, each.malformed) == (1, 2)


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "candidates",
    "content",
    "parts",
    "text",
    "thought",
    "functionCall",
    "name",
    "args",
    "partialArgs",
    "jsonPath",
)
shaped = st.recursive(
    json, lambda inner: st.dictionaries(st.sampled_from(FIELDS), inner | st.lists(inner, max_size=2), max_size=4)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(("candidates", "usageMetadata", "error")), shaped), max_size=4))
def test_whatever_comes_ends_in_an_answer_or_a_fault(chunks: list[dict[str, Any]]) -> None:
    each = reader()
    with suppress(Fault):
        read(each, stream(*chunks))
        each.finish()
