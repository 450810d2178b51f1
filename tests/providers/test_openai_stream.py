"""Streams on the OpenAI wire: documented ones, and those that servers really send."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import BadRequest, ContentFiltered, Fault, Garbled, RateLimited, ServerError, StreamCut
from sidecar.providers.registry import wire
from sidecar.providers.wire import Reader
from taximeter.v1 import invocation_pb2 as pb
from tests.support.providers import chunk, ended, events, read

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
LAST = {"id": "c-1", "choices": [], "usage": USAGE}


def reader(operation: Operation = Operation.CHAT) -> Reader:
    make = wire("openai")[operation].reader
    assert make is not None
    return make()


def piece(index: int | None, arguments: str = "", **more: Any) -> dict[str, Any]:
    entry = {"function": {"arguments": arguments, **({"name": more.pop("name")} if "name" in more else {})}, **more}
    return entry if index is None else {"index": index, **entry}


def test_a_stream_as_documented() -> None:
    each = reader()
    parts = read(each, events(chunk("", role="assistant"), chunk("Hel"), chunk("lo"), chunk(finish="stop"), LAST))
    assert parts == [pb.Delta(text="Hel"), pb.Delta(text="lo")]
    reply = ended(each)
    assert (reply.finish_reasons, reply.usage, reply.model, reply.response_id) == (
        ("stop",),
        Usage(input=3, output=2),
        "m-1",
        "c-1",
    )
    assert (each.done, each.events, each.malformed) == (True, 5, 0)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64])
def test_any_cut_of_bytes_reads_the_same(cut: int) -> None:
    data = events(chunk("né"), chunk("🎉"), chunk(finish="stop"), LAST)
    each = reader()
    assert "".join(part.text for part in read(each, data, cut)) == "né🎉"
    assert ended(each).finish_reasons == ("stop",)


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        pytest.param([{"reasoning_content": "r"}], [pb.Delta(reasoning="r")], id="reasoning-content"),
        pytest.param([{"reasoning": "r", "content": "c"}], [pb.Delta(reasoning="r", text="c")], id="both-at-once"),
        pytest.param([{"refusal": "no"}], [pb.Delta(refusal="no")], id="refusal"),
        pytest.param(
            [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}]}],
            [pb.Delta(reasoning="r")],
            id="mistral-thinking",
        ),
        pytest.param([{"content": ""}, {"content": None}, {}], [], id="nothing-said"),
        pytest.param(
            [
                {"tool_calls": [piece(0, id="t0", name="f", type="function")]},
                {"tool_calls": [piece(0, '{"a"')]},
                {"tool_calls": [piece(0, ":1}")]},
                {"tool_calls": [piece(1, "{}", id="t1", name="g")]},
            ],
            [
                pb.ToolCallDelta(id="t0", name="f"),
                pb.ToolCallDelta(arguments='{"a"'),
                pb.ToolCallDelta(arguments=":1}"),
                pb.ToolCallDelta(tool_index=1, id="t1", name="g", arguments="{}"),
            ],
            id="tool-calls-in-pieces",
        ),
        pytest.param(
            [{"tool_calls": [piece(0, "{}", id="a", name="f")]}, {"tool_calls": [piece(0, "{}", id="b", name="f")]}],
            [
                pb.ToolCallDelta(id="a", name="f", arguments="{}"),
                pb.ToolCallDelta(tool_index=1, id="b", name="f", arguments="{}"),
            ],
            id="parallel-calls-all-numbered-0",
        ),
        pytest.param(
            [{"tool_calls": [piece(None, "{}", id="a", name="f"), piece(None, "{}", id="b", name="g")]}],
            [
                pb.ToolCallDelta(id="a", name="f", arguments="{}"),
                pb.ToolCallDelta(tool_index=1, id="b", name="g", arguments="{}"),
            ],
            id="calls-without-index",
        ),
        pytest.param(
            [{"tool_calls": [piece(0, "{", id="a", name="f")]}, {"tool_calls": [piece(0, "}", id="a", name="f")]}],
            [pb.ToolCallDelta(id="a", name="f", arguments="{"), pb.ToolCallDelta(arguments="}")],
            id="id-and-name-in-every-piece",
        ),
        pytest.param(
            [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}],
            [pb.ToolCallDelta(name="f"), pb.ToolCallDelta(arguments="{}")],
            id="function-of-old",
        ),
    ],
)
def test_parts(deltas: list[dict[str, Any]], expected: list[Any]) -> None:
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    assert read(reader(), events(*chunks)) == expected


def test_choices_are_told_apart() -> None:
    each = reader()
    data = events(chunk("a"), chunk("b", index=1), chunk(finish="stop"), chunk(finish="length", index=1))
    assert read(each, data) == [pb.Delta(text="a"), pb.Delta(choice_index=1, text="b")]
    assert ended(each).finish_reasons == ("stop", "length")


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        pytest.param([chunk("a"), chunk(finish="stop"), LAST], Usage(input=3, output=2), id="in-a-chunk-of-its-own"),
        pytest.param(
            [chunk("a"), chunk(finish="stop", top={"usage": USAGE})],
            Usage(input=3, output=2),
            id="with-the-last-choice",
        ),
        pytest.param(
            [chunk("a"), chunk(finish="stop"), chunk("", top={"usage": USAGE})],
            Usage(input=3, output=2),
            id="with-an-empty-choice",
        ),
        pytest.param(
            [chunk("a"), chunk(finish="stop", top={"x_groq": {"usage": USAGE}})], Usage(input=3, output=2), id="groq"
        ),
        pytest.param(
            [
                chunk("a", top={"usage": {"prompt_tokens": 3, "completion_tokens": 1}}),
                chunk(finish="stop", top={"usage": USAGE}),
            ],
            Usage(input=3, output=2),
            id="cumulative-last-wins",
        ),
        pytest.param(
            [chunk("a", top={"usage": USAGE}), chunk(finish="stop", top={"usage": None})],
            Usage(input=3, output=2),
            id="null-does-not-erase",
        ),
        pytest.param(
            [chunk("a"), chunk(finish="stop"), {"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}}],
            Usage(input=0, output=0),
            id="zero-is-a-value",
        ),
        pytest.param([chunk("a"), chunk(finish="stop")], None, id="none"),
    ],
)
def test_usage(chunks: list[Any], expected: Usage | None) -> None:
    each = reader()
    read(each, events(*chunks))
    assert ended(each).usage == each.usage == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(events(chunk("a"), chunk(finish="stop"), done=False), ("stop",), id="no-done-but-a-finish-reason"),
        pytest.param(events(chunk("a"), LAST), ("",), id="usage-and-done-without-finish-reason"),
        pytest.param(events(chunk("a"), b"{not json", LAST), ("",), id="finish-reason-unreadable-but-usage-comes"),
        pytest.param(events(chunk("a"), chunk(finish="stop"), LAST)[:-2], ("stop",), id="last-blank-line-missing"),
        pytest.param(
            events(chunk("a", finish="content_filter"), LAST), ("content_filter",), id="filter-after-content-passes"
        ),
        pytest.param(events(chunk("a"), b"{not json", chunk(finish="stop")), ("stop",), id="malformed-event-skipped"),
        pytest.param(b": ping\n\n" + events(chunk("a"), chunk(finish="stop")), ("stop",), id="comments"),
    ],
)
def test_streams_that_are_whole(data: bytes, expected: tuple[str, ...]) -> None:
    each = reader()
    assert [part.text for part in read(each, data)] == ["a"]
    assert ended(each).finish_reasons == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(b"", StreamCut, id="nothing"),
        pytest.param(events(chunk("a"), done=False), StreamCut, id="cut-before-finish-reason"),
        pytest.param(
            events(chunk("a"), chunk(finish="stop"), chunk("b", index=1), done=False),
            StreamCut,
            id="one-choice-unfinished",
        ),
        pytest.param(
            events(chunk("a", finish="stop"), done=False)[:-2], StreamCut, id="content-in-an-unfinished-event"
        ),
        pytest.param(events(chunk("a")), StreamCut, id="done-without-finish-reason-and-usage"),
        pytest.param(events(chunk("a", top={"usage": USAGE})), StreamCut, id="done-after-usage-so-far"),
        pytest.param(events(chunk("a"), b"{not json"), StreamCut, id="done-after-an-unreadable-end"),
        pytest.param(events(), Garbled, id="done-and-nothing-else"),
        pytest.param(b'{"choices": []}', StreamCut, id="json-instead-of-a-stream"),
        pytest.param(events(chunk(finish="content_filter"), LAST), ContentFiltered, id="filtered-before-content"),
    ],
)
def test_streams_that_are_not(data: bytes, expected: type[Fault]) -> None:
    each = reader()
    read(each, data)
    with pytest.raises(expected):
        ended(each)


@pytest.mark.parametrize(
    ("event", "expected", "status"),
    [
        pytest.param({"error": {"message": "x", "type": "server_error"}}, ServerError, 0, id="openai"),
        pytest.param({"error": {"message": "x", "code": "rate_limit_exceeded"}}, RateLimited, 0, id="rate-limited"),
        pytest.param(
            {"error": {"message": "x", "status_code": 400, "code": "tool_use_failed"}}, BadRequest, 400, id="groq"
        ),
        pytest.param(
            {**chunk(finish="error"), "error": {"code": 502, "message": "x"}}, ServerError, 502, id="openrouter"
        ),
        pytest.param(chunk(finish="error"), ServerError, 0, id="finish-reason-error"),
        pytest.param({"object": "error", "message": "x", "code": 400}, BadRequest, 400, id="vllm-of-old"),
        pytest.param({"error": "out of memory"}, ServerError, 0, id="plain-text"),
    ],
)
def test_an_error_event_is_the_fault_it_means(event: dict[str, Any], expected: type[Fault], status: int) -> None:
    parts = iter(reader().feed(events(chunk("a"), event)))
    assert next(parts) == pb.Delta(text="a")
    with pytest.raises(expected) as caught:
        next(parts)
    assert (type(caught.value), caught.value.http_status) == (expected, status)


@pytest.mark.parametrize(
    ("data", "done", "complete"),
    [
        pytest.param(events(chunk("a"), done=False), False, False, id="going-on"),
        pytest.param(events(chunk("a"), chunk(finish="stop"), done=False), False, True, id="finished-usage-may-follow"),
        pytest.param(
            events(chunk("a"), chunk(finish="stop"), LAST, done=False), True, True, id="documented-last-chunk"
        ),
        pytest.param(
            events(chunk("a", top={"usage": USAGE}), chunk(finish="stop", top={"usage": USAGE}), done=False),
            False,
            True,
            id="cumulative-usage-waits",
        ),
        pytest.param(events({"choices": [], "usage": USAGE}, done=False), False, False, id="usage-before-any-choice"),
        pytest.param(events(chunk("a")), True, False, id="done-said"),
    ],
)
def test_when_it_is_done(data: bytes, done: bool, complete: bool) -> None:
    each = reader()
    read(each, data)
    assert (each.done, each.complete) == (done, complete)


def test_what_follows_done_is_not_read() -> None:
    each = reader()
    assert read(each, events(chunk("a"), chunk(finish="stop")) + events(chunk("b"))) == [pb.Delta(text="a")]


def test_malformed_events_are_counted() -> None:
    each = reader()
    read(each, events(b"{", b"[1]", b"\xff", chunk("a"), chunk(finish="stop")))
    assert (each.malformed, each.events) == (3, 3)


def test_a_completion_stream() -> None:
    each = reader(Operation.COMPLETION)
    chunks = [
        {"choices": [{"text": text, "index": 0, "finish_reason": end}]} for text, end in (("a", None), ("b", "stop"))
    ]
    assert read(each, events(*chunks)) == [pb.Delta(text="a"), pb.Delta(text="b")]
    assert ended(each).finish_reasons == ("stop",)


def test_what_openrouter_says_it_billed() -> None:
    each = reader()
    read(each, events(chunk("a"), chunk(finish="stop"), {"choices": [], "usage": {**USAGE, "cost": 0.000123}}))
    assert ended(each).provider_cost_picodollars == 123_000_000


NAMES = """
content tool_calls function name arguments index type thinking finish_reason id model text refusal
usage
"""
names = st.sampled_from(NAMES.split())
scalars = st.none() | st.booleans() | st.integers(-5, 2**63) | st.text(max_size=3)
objects = st.dictionaries(
    names, scalars | st.lists(st.dictionaries(names, scalars, max_size=3) | scalars, max_size=2), max_size=4
)
choices = st.fixed_dictionaries(
    {"delta": objects | st.fixed_dictionaries({"tool_calls": st.lists(objects), "function_call": objects}) | scalars},
    optional={"index": scalars, "finish_reason": scalars, "text": scalars},
)
chunks = st.fixed_dictionaries(
    {"choices": st.lists(choices, max_size=2) | scalars},
    optional={"usage": objects | scalars, "x_groq": objects | scalars, "error": objects, "object": scalars},
)


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.COMPLETION])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sent=st.lists(chunks, max_size=4), cut=st.integers(0, 20))
def test_any_stream_is_parts_or_a_fault(operation: Operation, sent: list[dict[str, Any]], cut: int) -> None:
    each = reader(operation)
    with suppress(Fault):
        read(each, events(*sent), cut)
        ended(each)
