"""Streams of Ollama."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import ContextTooLong, Fault, ServerError, StreamCut, TooLarge
from sidecar.providers.ollama_lines import LineParser
from sidecar.providers.registry import wire
from sidecar.providers.sse import Event
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import Reader
from taximeter.v1 import invocation_pb2 as pb
from tests.support.providers import ended, read

END = {"model": "m", "done": True, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 5}


def reader(operation: Operation = Operation.CHAT) -> Reader:
    make = wire("ollama")[operation].reader
    assert make is not None
    return make()


def line(**message: Any) -> dict[str, Any]:
    return {"model": "m", "message": {"role": "assistant", **message}, "done": False}


def lines(*said: Any) -> bytes:
    return b"".join((each if isinstance(each, bytes) else orjson.dumps(each)) + b"\n" for each in said)


def test_a_stream_as_documented() -> None:
    each = reader()
    parts = read(each, lines(line(content="Hel"), line(content="lo"), END | {"message": {"content": ""}}))
    assert parts == [pb.Delta(text="Hel"), pb.Delta(text="lo")]
    reply = ended(each)
    assert (reply.finish_reasons, reply.usage, reply.model) == (("stop",), Usage(input=7, output=5), "m")
    assert (each.done, each.complete, each.events, each.malformed) == (True, True, 3, 0)


@pytest.mark.parametrize("cut", [1, 3, 64])
def test_any_cut_of_bytes_reads_the_same(cut: int) -> None:
    each = reader()
    parts = read(each, lines(line(content="né"), b"", line(content="🎉"), END), cut)
    assert "".join(part.text for part in parts) == "né🎉"
    assert ended(each).finish_reasons == ("stop",)


def test_thinking_and_tool_calls() -> None:
    call = {"id": "c1", "function": {"name": "look", "arguments": {"n": 1}}}
    parts = read(
        reader(),
        lines(
            line(content="", thinking="hm"),
            line(content="", tool_calls=[call]),
            line(content="", tool_calls=[{"function": {"name": "now", "arguments": {}}}]),
            END,
        ),
    )
    assert parts == [
        pb.Delta(reasoning="hm"),
        pb.ToolCallDelta(tool_index=0, id="c1", name="look", arguments='{"n":1}'),
        pb.ToolCallDelta(tool_index=1, name="now", arguments="{}"),
    ]


def test_durations_are_told_at_the_end() -> None:
    each = reader()
    read(each, lines(line(content="x"), END | {"load_duration": 12, "created_at": "2026-01-01T00:00:00Z"}))
    told = ended(each).provider_metadata
    assert told is not None
    assert to_plain(told) == {"load_duration": 12}


def test_a_completion() -> None:
    each = reader(Operation.COMPLETION)
    parts = read(
        each, lines({"response": "a", "done": False}, {"thinking": "t", "done": False}, END | {"response": ""})
    )
    assert parts == [pb.Delta(text="a"), pb.Delta(reasoning="t")]
    assert ended(each).usage == Usage(input=7, output=5)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(lines(line(content="x")), id="no-end"),
        pytest.param(lines(line(content="x"), END | {"done": False}), id="not-done"),
        pytest.param(lines(line(content="x"))[:-1], id="content-without-the-end-of-its-line"),
        pytest.param(lines(line(content="x"), END)[:-20], id="within-the-last-line"),
    ],
)
def test_a_stream_without_its_end_is_cut(data: bytes) -> None:
    each = reader()
    read(each, data)
    with pytest.raises(StreamCut):
        each.finish()


def test_the_last_line_may_lack_its_end() -> None:
    each = reader()
    read(each, lines(line(content="x"), END)[:-1])
    assert ended(each).usage == Usage(input=7, output=5)


def test_a_malformed_line_is_skipped_and_counted() -> None:
    each = reader()
    assert read(each, lines(b"{no", b"[1]", line(content="x"), END)) == [pb.Delta(text="x")]
    assert each.malformed == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        pytest.param("an error was encountered while running the model", ServerError, id="server"),
        pytest.param("input exceeds the context length", ContextTooLong, id="context"),
    ],
)
def test_an_error_in_mid_stream(error: str, kind: type[Fault]) -> None:
    parts = iter(reader().feed(lines(line(content="x"), {"error": error})))
    assert next(parts) == pb.Delta(text="x")
    with pytest.raises(kind, match=error):
        next(parts)


def test_a_line_over_the_limit_is_too_large() -> None:
    parser = LineParser(max_line_bytes=10)
    assert parser.feed(b"0123456789\n") == [Event(b"0123456789")]
    with pytest.raises(TooLarge):
        parser.feed(b"01234567890")


PIECES = st.sampled_from(
    [line(content="x"), line(thinking="t"), line(tool_calls=[{"function": {"name": "n"}}]), END, b"{", b"null", b"",
     {"error": "e"}, {"message": 3}, line(content=[], tool_calls={})]
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECES, max_size=8), st.integers(1, 40))
def test_whatever_comes_ends_in_a_reply_or_a_fault(said: list[Any], cut: int) -> None:
    each = reader()
    with suppress(Fault):
        read(each, lines(*said), cut)
        ended(each)
