"""Whole answers of the Responses API."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    Garbled,
    KeyRejected,
    RateLimited,
    ServerError,
)
from sidecar.providers.registry import wire
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import Pending, Reply
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import answer
from tests.support.responses import USAGE, function_call, incomplete, message, reasoning, response

CODEC = wire("openai-responses")[Operation.CHAT]


def reply(body: Any) -> Reply:
    found = CODEC.decode(answer(body))
    assert isinstance(found, Reply)
    return found


def choice(*output: dict[str, Any]) -> pb.ChatChoice:
    found: pb.ChatChoice = reply(response(*output)).payload.choices[0]
    return found


def test_an_answer_as_documented() -> None:
    found = reply(response(message("Hello")))
    assert found.payload.choices[0].message == pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="Hello")
    assert (found.model, found.response_id, found.finish_reasons) == ("m-1", "resp_1", ("completed",))
    assert found.usage == Usage(input=30, cache_read=10, output=20, reasoning=5)
    assert not found.payload.HasField("provider_metadata"), "what only echoes the request is left out"


def test_all_that_was_said_is_one_text() -> None:
    assert choice(message("a", "b"), message("c")).message.text == "abc"


def test_a_refusal() -> None:
    assert choice(message({"type": "refusal", "refusal": "no"})).message.refusal == "no"


def test_calls_are_named_by_their_call_id() -> None:
    calls = choice(function_call("f", '{"a":1}'), function_call("g", "{}", 2)).message.tool_calls
    assert [(call.id, call.name, call.arguments) for call in calls] == [
        ("call_1", "f", '{"a":1}'),
        ("call_2", "g", "{}"),
    ]


def test_a_custom_tools_input_stands_where_arguments_do() -> None:
    item = {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"}
    assert choice(item).message.tool_calls[0].arguments == "SELECT 1"


@pytest.mark.parametrize(
    ("item", "text", "block"),
    [
        pytest.param(
            reasoning("a", "b", encrypted="gAAA"),
            "a\n\nb",
            pb.ReasoningBlock(id="rs_1", text="a\n\nb", signature="gAAA"),
            id="summary and proof",
        ),
        pytest.param(
            reasoning(encrypted="gAAA"), "", pb.ReasoningBlock(id="rs_1", signature="gAAA"), id="proof without a word"
        ),
        pytest.param(reasoning(content=("hm",)), "hm", pb.ReasoningBlock(id="rs_1", text="hm"), id="plain thoughts"),
        pytest.param(reasoning(), "", None, id="an id alone is nothing"),
    ],
)
def test_reasoning(item: dict[str, Any], text: str, block: pb.ReasoningBlock | None) -> None:
    found = choice(item, message("x")).message
    assert (found.reasoning, list(found.reasoning_blocks)) == (text, [block] if block else [])


def test_thoughts_of_several_items_are_paragraphs() -> None:
    assert choice(reasoning("a"), function_call("f", "{}"), reasoning("b")).message.reasoning == "a\n\nb"


def test_what_the_providers_own_tools_did_is_metadata() -> None:
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
    note = {"type": "url_citation", "url": "https://a.test"}
    text = {"type": "output_text", "text": "x", "annotations": [note]}
    found = reply(response(search, message(text), service_tier="default")).payload
    assert to_plain(found.provider_metadata) == {"output": [search], "annotations": [note], "service_tier": "default"}


def test_logprobs_have_the_form_of_chat_completions() -> None:
    entry = {"token": "x", "logprob": -0.5}
    found = choice(message({"type": "output_text", "text": "x", "logprobs": [entry]}))
    assert to_plain(found.logprobs) == {"content": [entry]}


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter", "something_new"])
def test_an_incomplete_answer_says_why_in_the_providers_word(reason: str) -> None:
    assert reply(incomplete(reason, message("so far"))).finish_reasons == (reason,)


def test_an_answer_that_the_filter_left_nothing_of_is_filtered_and_billed() -> None:
    with pytest.raises(ContentFiltered) as caught:
        reply(incomplete("content_filter", reasoning("hm")))
    assert caught.value.usage == Usage(input=30, cache_read=10, output=20, reasoning=5)


@pytest.mark.parametrize(
    ("usage", "expected", "cost"),
    [
        pytest.param(None, None, None, id="none"),
        pytest.param({}, None, None, id="empty"),
        pytest.param({"input_tokens": 0, "output_tokens": 0}, Usage(input=0, output=0), None, id="zero is a value"),
        pytest.param(
            {**USAGE, "input_tokens_details": {"cached_tokens": 1, "cache_write_tokens": 2}},
            Usage(input=30, cache_read=1, cache_write=2, output=20, reasoning=5),
            None,
            id="cache writes",
        ),
        pytest.param(
            {**USAGE, "cost_in_usd_ticks": 25_000_000},
            Usage(input=30, cache_read=10, output=20, reasoning=5),
            2_500_000_000,
            id="xai's own bill",
        ),
        pytest.param(
            {**USAGE, "total_tokens": 55},
            Usage(input=30, cache_read=10, output=25, reasoning=5),
            None,
            id="reasoning counted apart",
        ),
    ],
)
def test_usage(usage: Any, expected: Usage | None, cost: int | None) -> None:
    found = reply(response(message("x"), usage=usage))
    assert (found.usage, found.provider_cost_picodollars) == (expected, cost)


@pytest.mark.parametrize("status", ["queued", "in_progress"])
def test_a_background_answer_is_asked_for_where_it_was_made(status: str) -> None:
    found = CODEC.decode(answer(response(status=status, id="resp/../1")))
    assert isinstance(found, Pending)
    assert (found.request.method, found.request.url, found.after_s) == ("GET", "./resp%2F..%2F1", 2.0)


FAILED = "failed"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        pytest.param({"code": "server_error", "message": "m"}, ServerError, id="server_error"),
        pytest.param({"code": "rate_limit_exceeded", "message": "m"}, RateLimited, id="rate_limit_exceeded"),
        pytest.param({"code": "insufficient_quota", "message": "m"}, RateLimited, id="insufficient_quota"),
        pytest.param({"code": "context_length_exceeded", "message": "m"}, ContextTooLong, id="context"),
        pytest.param({"code": "invalid_image_url", "message": "m"}, BadRequest, id="invalid_image_url"),
        pytest.param({"code": "invalid_prompt", "message": "m"}, BadRequest, id="invalid_prompt"),
        pytest.param(
            {"code": "invalid_prompt", "message": "flagged as potentially violating our usage policy."},
            ContentFiltered,
            id="invalid_prompt by policy",
        ),
        pytest.param({"code": "image_content_policy_violation", "message": "m"}, ContentFiltered, id="image policy"),
        pytest.param({"code": "something_new", "message": "m"}, ServerError, id="unknown"),
    ],
)
def test_a_failed_response_is_the_fault_that_its_error_says(body: Any, fault: type[Fault]) -> None:
    with pytest.raises(fault) as caught:
        reply(response(status=FAILED, error=body))
    assert (caught.value.provider_code, caught.value.message) == (body["code"], body["message"])
    assert caught.value.usage == Usage(input=30, cache_read=10, output=20, reasoning=5), "it may be billed"


@pytest.mark.parametrize("status", [FAILED, "cancelled"])
def test_one_that_failed_without_a_word_is_the_servers_fault(status: str) -> None:
    with pytest.raises(ServerError, match=status):
        reply(response(status=status))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"<html>", id="no JSON"),
        pytest.param([], id="no object"),
        pytest.param({"id": "resp_1", "status": "completed"}, id="no output"),
        pytest.param({"status": "queued"}, id="nothing to ask for"),
    ],
)
def test_what_is_no_response_is_garbled(body: Any) -> None:
    with pytest.raises(Garbled):
        reply(body)


def test_an_error_under_its_status_is_read_as_on_the_openai_wire() -> None:
    error = {"error": {"code": "invalid_api_key", "type": "invalid_request_error", "message": "no"}}
    assert isinstance(CODEC.fault(answer(error, 401)), KeyRejected)


def test_what_the_api_does_not_have_stays_on_the_openai_wire() -> None:
    assert set(wire("openai-responses")) == set(wire("openai"))
    assert wire("openai-responses")[Operation.EMBEDDING] is wire("openai")[Operation.EMBEDDING]
