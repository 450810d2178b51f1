"""Streams of ConverseStream, in AWS's event stream encoding."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.core.call import Usage
from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    Garbled,
    RateLimited,
    ServerError,
    StreamCut,
)
from sidecar.providers.bedrock_stream import StreamReader
from sidecar.providers.structs import to_struct
from taximeter.v1 import invocation_pb2 as pb
from taximeter.v1 import payload_pb2
from tests.support.eventstream import event, exception, message
from tests.support.providers import ended, read

START = event("messageStart", {"role": "assistant", "p": "padding"})
METADATA = event("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2}, "metrics": {"latencyMs": 1}})


def said(delta: dict[str, Any], block: int = 0) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": block, "delta": delta})


def text(content: str, block: int = 0) -> bytes:
    return said({"text": content}, block)


def tool(block: int, name: str, **more: str) -> bytes:
    use = {"toolUseId": f"id-{name}", "name": name, **more}
    return event("contentBlockStart", {"contentBlockIndex": block, "start": {"toolUse": use}})


def ends(block: int) -> bytes:
    return event("contentBlockStop", {"contentBlockIndex": block})


def stop(reason: str = "end_turn") -> bytes:
    return event("messageStop", {"stopReason": reason})


def test_a_stream_as_documented() -> None:
    each = StreamReader()
    assert read(each, START + text("Hel") + text("lo") + ends(0)) == [pb.Delta(text="Hel"), pb.Delta(text="lo")]
    assert (each.complete, each.done) == (False, False)
    read(each, stop())
    assert (each.complete, each.done) == (True, False)
    read(each, METADATA)
    assert (each.done, each.events, each.malformed) == (True, 6, 0)
    reply = ended(each)
    assert (reply.finish_reasons, reply.usage) == (("end_turn",), Usage(input=3, output=2))
    assert reply.provider_metadata == to_struct({"metrics": {"latencyMs": 1}})


def test_metadata_may_come_first() -> None:
    each = StreamReader()
    read(each, START + text("x") + METADATA)
    assert (each.done, each.usage) == (False, Usage(input=3, output=2))
    read(each, stop())
    assert each.done


def test_without_metadata_a_stream_is_whole_but_unmetered() -> None:
    each = StreamReader()
    read(each, START + text("x") + stop())
    assert ended(each).usage is None


def test_tool_calls() -> None:
    each = StreamReader()
    data = START + text("so") + ends(0)
    data += tool(1, "f") + said({"toolUse": {"input": '{"a"'}}, 1) + said({"toolUse": {"input": ":1}"}}, 1) + ends(1)
    data += tool(2, "s", type="server_tool_use") + said({"toolUse": {"input": "{}"}}, 2) + ends(2)
    data += tool(3, "g") + said({"toolUse": {"input": ""}}, 3) + ends(3)
    assert read(each, data + stop("tool_use") + METADATA) == [
        pb.Delta(text="so"),
        pb.ToolCallDelta(tool_index=0, id="id-f", name="f"),
        pb.ToolCallDelta(tool_index=0, arguments='{"a"'),
        pb.ToolCallDelta(tool_index=0, arguments=":1}"),
        pb.ToolCallDelta(tool_index=1, id="id-g", name="g"),
        pb.ToolCallDelta(tool_index=1, arguments="{}"),
    ]
    assert ended(each).finish_reasons == ("tool_use",)


def test_reasoning_comes_as_text_and_then_as_a_block_to_give_back() -> None:
    def thought(**piece: str) -> bytes:
        return said({"reasoningContent": piece})

    redacted = event(
        "contentBlockDelta", {"contentBlockIndex": 1, "delta": {"reasoningContent": {"redactedContent": "cmVk"}}}
    )
    data = START + thought(text="h") + thought(text="m") + thought(signature="sig") + ends(0) + redacted + ends(1)
    assert read(StreamReader(), data) == [
        pb.Delta(reasoning="h"),
        pb.Delta(reasoning="m"),
        pb.Delta(reasoning_block=payload_pb2.ReasoningBlock(text="hm", signature="sig")),
        pb.Delta(reasoning_block=payload_pb2.ReasoningBlock(redacted="cmVk")),
    ]


@pytest.mark.parametrize(
    ("kind", "words", "fault"),
    [
        pytest.param("throttlingException", "slow down", RateLimited, id="throttled"),
        pytest.param("modelStreamErrorException", "broke", ServerError, id="model-error"),
        pytest.param("internalServerException", "broke", ServerError, id="internal"),
        pytest.param("serviceUnavailableException", "later", ServerError, id="unavailable"),
        pytest.param("validationException", "bad", BadRequest, id="invalid"),
        pytest.param("validationException", "Input is too long", ContextTooLong, id="too-long"),
        pytest.param("inventedException", "?", ServerError, id="unknown"),
    ],
)
def test_an_exception_is_the_fault_that_it_says(kind: str, words: str, fault: type[Fault]) -> None:
    each = StreamReader()
    with pytest.raises(Fault, match=words.replace("?", r"\?")) as caught:
        read(each, START + text("x") + exception(kind, {"message": words}))
    assert (type(caught.value), caught.value.provider_code) == (fault, kind)


def test_an_error_message_says_it_in_its_headers() -> None:
    told = message(b"", message_type="error", error_code="throttlingException", error_message="slow down")
    with pytest.raises(RateLimited, match="slow down"):
        read(StreamReader(), told)


def test_what_came_before_an_exception_is_given() -> None:
    parts = StreamReader().feed(text("x") + exception("internalServerException", {}))
    assert next(iter(parts)) == pb.Delta(text="x")
    with pytest.raises(ServerError):
        list(parts)


@pytest.mark.parametrize("place", [2, 9, 30, -2], ids=["length", "prelude-checksum", "header", "checksum"])
def test_a_damaged_message_is_never_read(place: int) -> None:
    damaged = bytearray(text("Hello, this is what was said"))
    damaged[place] ^= 1
    with pytest.raises(Garbled):
        read(StreamReader(), START + bytes(damaged))


@pytest.mark.parametrize("payload", [b"{", b"[]", b"\xff"])
def test_a_sound_message_that_is_no_json_is_passed_over(payload: bytes) -> None:
    each = StreamReader()
    data = event("contentBlockDelta", payload) + text("x") + stop() + METADATA
    assert read(each, data) == [pb.Delta(text="x")]
    assert each.malformed == 1
    assert ended(each).finish_reasons == ("end_turn",)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(START + text("x"), id="no-stop"),
        pytest.param(START + text("x") + stop()[:-3], id="within-a-message"),
        pytest.param(START + METADATA, id="only-metadata"),
    ],
)
def test_a_stream_without_its_end_is_cut(data: bytes) -> None:
    each = StreamReader()
    read(each, data)
    with pytest.raises(StreamCut):
        each.finish()


def test_a_stream_that_was_withheld_is_filtered_and_billed() -> None:
    each = StreamReader()
    read(each, START + stop("content_filtered") + METADATA)
    with pytest.raises(ContentFiltered) as caught:
        each.finish()
    assert caught.value.usage == Usage(input=3, output=2)


def test_a_guardrail_that_steps_in_later_is_a_finish_reason() -> None:
    each = StreamReader()
    read(each, START + text("Sorry.") + stop("guardrail_intervened") + METADATA)
    assert ended(each).finish_reasons == ("guardrail_intervened",)


@given(st.lists(st.text(min_size=1), max_size=5), st.integers(1, 60))
def test_any_cut_of_bytes_reads_the_same(texts: list[str], cut: int) -> None:
    each = StreamReader()
    data = START + b"".join(map(text, texts)) + stop() + METADATA
    assert [part.text for part in read(each, data, cut)] == texts
    assert each.done


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(data: bytes) -> None:
    each = StreamReader()
    try:
        read(each, data)
        each.finish()
    except Fault:
        pass
