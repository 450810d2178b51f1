"""What comes from Perplexity's Agent API, whole and streamed."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import Fault, ModelNotFound, RateLimited, ServerError, StreamCut
from sidecar.providers.registry import wire
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import Reader, Reply
from taximeter.v1 import invocation_pb2 as pb
from tests.support.providers import answer, read
from tests.support.providers import ended as came_to
from tests.support.responses import ended, function_call, item_done, message, response, said, started, stream

CODEC = wire("perplexity-responses")[Operation.CHAT]
FOUND = {"type": "search_results", "queries": ["q"], "results": [{"id": 1, "url": "https://h", "title": "T"}]}
BILL = {
    "input_tokens": 3000,
    "input_tokens_details": {"cache_creation_input_tokens": 1200, "cache_read_input_tokens": 1700},
    "output_tokens": 40,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 3040,
    "tool_calls_details": {"search_web": {"invocation": 2}},
    "cost": {"currency": "USD", "input_cost": 0.0002, "tool_calls_cost": 0.001, "total_cost": 0.00125},
}
USED = Usage(input=3000, cache_read=1700, cache_write=1200, output=40, reasoning=5)
SIGNED = {**function_call("f", "{}"), "thought_signature": "sig"}


def decoded(*output: dict[str, Any], **more: Any) -> Reply:
    reply = CODEC.decode(answer(response(*output, usage=BILL, **more)))
    assert isinstance(reply, Reply)
    return reply


def reader() -> Reader:
    assert CODEC.reader is not None
    return CODEC.reader()


def begun(item: dict[str, Any], index: int = 0) -> dict[str, Any]:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


SEARCHED = [
    started(),
    begun(function_call("search_web", '{"queries":["q"]}')),
    {"type": "response.reasoning.search_queries", "queries": ["q"], "thought": "Searching the web..."},
    item_done(FOUND),
    said("The answer", 1),
    said("[1]", 1),
    item_done(message("The answer[1]"), 1),
]


def test_usage_and_the_bill() -> None:
    reply = decoded(message("a"))
    assert (reply.usage, reply.provider_cost_picodollars) == (USED, 1_250_000_000)


def test_sources_and_how_often_it_searched_are_told() -> None:
    metadata = to_plain(decoded(FOUND, message("a"), service_tier="fast").payload.provider_metadata)
    told = {"output": [FOUND], "tool_calls_details": {"search_web": {"invocation": 2}}, "service_tier": "fast"}
    assert metadata == told


def test_a_call_brings_its_signature() -> None:
    (call,) = decoded(SIGNED).payload.choices[0].message.tool_calls
    assert (call.id, call.name, call.signature) == ("call_1", "f", "sig")


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        pytest.param(400, {"type": "invalid_model", "code": 400, "message": "no"}, ModelNotFound, id="a Sonar name"),
        pytest.param(429, {"type": "request_rate_limit_exceeded", "code": 429}, RateLimited, id="too many requests"),
        pytest.param(200, {"code": "cancelled", "message": "stopped"}, ServerError, id="failed under 200"),
    ],
)
def test_errors(status: int, error: dict[str, Any], kind: type[Fault]) -> None:
    said = answer(response(status="failed", error=error) if status == 200 else {"error": error}, status)
    if status != 200:
        assert isinstance(CODEC.fault(said), kind)
        return
    with pytest.raises(kind):
        CODEC.decode(said)


def test_a_streams_own_searches_are_no_calls_of_the_callers() -> None:
    reading = reader()
    parts = read(reading, stream(*SEARCHED, ended(output=[FOUND, message("The answer[1]")], usage=BILL)))
    assert parts == [pb.Delta(text="The answer"), pb.Delta(text="[1]")]
    reply = came_to(reading)
    assert (reply.usage, reply.provider_cost_picodollars) == (USED, 1_250_000_000)
    assert reply.provider_metadata is not None
    assert to_plain(reply.provider_metadata)["output"] == [FOUND]


@pytest.mark.parametrize(
    "told",
    [
        pytest.param([begun(SIGNED), item_done(SIGNED)], id="in an item that is done"),
        pytest.param([begun(SIGNED)], id="in the answer at the end"),
        pytest.param([said("wait", 1), begun(SIGNED)], id="in the answer at the end, after a text"),
    ],
)
def test_a_function_to_run_is_told_once(told: list[Any]) -> None:
    parts = read(reader(), stream(started(), *told, ended(output=[SIGNED], usage=BILL)))
    calls = [part for part in parts if isinstance(part, pb.ToolCallDelta)]
    assert calls == [
        pb.ToolCallDelta(id="call_1", name="f", signature="sig"),
        pb.ToolCallDelta(arguments="{}"),
    ]


@pytest.mark.parametrize(
    "last",
    [
        pytest.param({"type": "response.failed", "error": {"message": "no"}}, id="failed, without a response"),
        pytest.param(ended("failed", error={"message": "no"}), id="failed"),
        pytest.param(ended("cancelled"), id="cancelled"),
        pytest.param({"type": "error", "error": {"message": "no"}}, id="an error alone"),
    ],
)
def test_ends_that_are_faults(last: dict[str, Any]) -> None:
    with pytest.raises(ServerError):
        read(reader(), stream(started(), last))


def test_a_cut_stream_is_billed_by_what_was_told_so_far() -> None:
    reading = reader()
    found = {"type": "response.reasoning.search_results", "results": [], "usage": BILL}
    read(reading, stream(started(), found, said("half")))
    with pytest.raises(StreamCut):
        reading.finish()
    assert reading.usage == USED
