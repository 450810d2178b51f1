"""Whole answers on the OpenAI wire."""

from __future__ import annotations

import base64
from array import array
from contextlib import suppress
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import ContentFiltered, Fault, Garbled, RateLimited, ServerError
from sidecar.providers.registry import wire
from sidecar.providers.wire import HttpResponse, Reply
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import answer

USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def decode(body: Any, operation: Operation = Operation.CHAT) -> Reply:
    found = wire("openai")[operation].decode(answer(body, x_request_id="req_1"))
    assert isinstance(found, Reply)
    return found


def chat(message: dict[str, Any], finish: Any = "stop", **more: Any) -> dict[str, Any]:
    return {
        "id": "c-1",
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": USAGE,
        **more,
    }


def test_a_chat_answer() -> None:
    reply = decode(chat({"role": "assistant", "content": "hi"}))
    expected = pb.ChatResponse(id="c-1", model="m-1")
    expected.choices.add(message=pb.ChatMessage(role=pb.ROLE_ASSISTANT, text="hi"), finish_reason="stop")
    assert reply == Reply(expected, Usage(input=3, output=2), "m-1", ("stop",), "c-1")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"content": ""}, {"text": ""}, id="empty-text"),
        pytest.param({"content": None, "refusal": "no"}, {"refusal": "no"}, id="refusal"),
        pytest.param(
            {"content": "4", "reasoning_content": "2+2"}, {"text": "4", "reasoning": "2+2"}, id="reasoning-content"
        ),
        pytest.param({"content": "4", "reasoning": "2+2"}, {"text": "4", "reasoning": "2+2"}, id="reasoning"),
        pytest.param(
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                    {"type": "text", "text": "4"},
                ]
            },
            {"text": "4", "reasoning": "2+2"},
            id="mistral-parts",
        ),
        pytest.param(
            {
                "content": None,
                "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{ }"}}],
            },
            {"tool_calls": [{"id": "t", "name": "f", "arguments": "{ }"}]},
            id="tool-call",
        ),
        pytest.param(
            {"content": None, "tool_calls": [{"id": "t", "function": {"name": "f", "arguments": {"a": 1}}}]},
            {"tool_calls": [{"id": "t", "name": "f", "arguments": '{"a":1}'}]},
            id="arguments-as-an-object",
        ),
        pytest.param(
            {"content": None, "tool_calls": [{"id": "t", "type": "custom", "custom": {"name": "f", "input": "x"}}]},
            {"tool_calls": [{"id": "t", "name": "f", "arguments": "x"}]},
            id="custom-tool",
        ),
        pytest.param(
            {"content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"tool_calls": [{"name": "f", "arguments": "{}"}]},
            id="function-of-old",
        ),
        pytest.param(
            {"content": "4", "function_call": {"name": "", "arguments": ""}, "tool_calls": None},
            {"text": "4"},
            id="empty-function-is-none",
        ),
    ],
)
def test_messages(message: dict[str, Any], expected: dict[str, Any]) -> None:
    said = decode(chat({"role": "assistant", **message})).payload.choices[0].message
    assert said == json_format.ParseDict({"role": "ROLE_ASSISTANT", **expected}, pb.ChatMessage())


def test_choices_logprobs_and_what_else_was_said() -> None:
    body = {
        "id": "c-1",
        "model": "m-1",
        "system_fingerprint": "fp",
        "service_tier": None,
        "citations": ["https://x"],
        "choices": [
            {"index": 1, "message": {"content": "b", "annotations": [{"n": 1}]}, "finish_reason": "length"},
            {
                "index": 0,
                "message": {"content": "a"},
                "finish_reason": "stop",
                "logprobs": {"content": [{"logprob": -0.5}]},
            },
        ],
    }
    payload = decode(body).payload
    assert [(choice.index, choice.message.text, choice.finish_reason) for choice in payload.choices] == [
        (1, "b", "length"),
        (0, "a", "stop"),
    ]
    assert json_format.MessageToDict(payload.choices[1].logprobs) == {"content": [{"logprob": -0.5}]}
    assert json_format.MessageToDict(payload.provider_metadata) == {
        "system_fingerprint": "fp",
        "citations": ["https://x"],
        "choices": [{"annotations": [{"n": 1.0}]}, {}],
    }


@pytest.mark.parametrize("finish", [pytest.param(None, id="null"), pytest.param("", id="empty")])
def test_a_whole_answer_without_finish_reason_is_an_answer(finish: Any) -> None:
    assert decode(chat({"content": "hi"}, finish)).finish_reasons == ("",)


def test_metadata_deeper_than_protobuf_reads_is_text() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = {"d": deep}
    payload = decode(chat({"content": "hi"}, deep=deep)).payload
    assert pb.ChatResponse.FromString(payload.SerializeToString()) == payload


def test_a_completion() -> None:
    body = {"id": "c", "model": "m", "choices": [{"text": "a", "index": 0, "finish_reason": "stop", "logprobs": None}]}
    reply = decode(body, Operation.COMPLETION)
    assert (reply.payload.choices[0].text, reply.finish_reasons, reply.usage) == ("a", ("stop",), None)


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param([0.5, -2.0, 3], id="numbers"),
        pytest.param(base64.b64encode(array("f", [0.5, -2.0, 3.0]).tobytes()).decode(), id="base64"),
    ],
)
def test_an_embedding(vector: Any) -> None:
    body = {"model": "m", "data": [{"index": 0, "embedding": vector}], "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    reply = decode(body, Operation.EMBEDDING)
    assert list(reply.payload.embeddings[0].values) == [0.5, -2.0, 3.0]
    assert reply.usage == Usage(input=4)


@pytest.mark.parametrize(
    ("result", "safe", "concerns", "rating"),
    [
        pytest.param(
            {
                "flagged": True,
                "categories": {"a": True, "b": True, "c": False},
                "category_scores": {"a": 0.6, "b": 0.9, "c": 0.1},
            },
            False,
            ["b", "a"],
            pb.RATING_UNSAFE,
            id="flagged-highest-first",
        ),
        pytest.param(
            {"flagged": False, "categories": {"a": False}, "category_scores": {"a": 0.4}},
            True,
            [],
            pb.RATING_CAUTION,
            id="near",
        ),
        pytest.param(
            {"flagged": False, "categories": {"a": False}, "category_scores": {"a": 0.39}},
            True,
            [],
            pb.RATING_SAFE,
            id="far",
        ),
        pytest.param(
            {"categories": {"a": True}, "category_scores": {"a": 0.2}},
            False,
            ["a"],
            pb.RATING_UNSAFE,
            id="mistral-without-flagged",
        ),
        pytest.param({"flagged": True}, False, [], pb.RATING_UNSAFE, id="flagged-for-no-given-reason"),
    ],
)
def test_moderation(result: dict[str, Any], safe: bool, concerns: list[str], rating: int) -> None:
    found = decode({"id": "x", "model": "m", "results": [result]}, Operation.MODERATION).payload.results[0]
    assert (found.safe, list(found.concerns), found.rating) == (safe, concerns, rating)
    assert [score.score for score in found.scores] == sorted((score.score for score in found.scores), reverse=True)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"<html>", Garbled, id="not-json"),
        pytest.param([1], Garbled, id="not-an-object"),
        pytest.param({}, Garbled, id="no-choices"),
        pytest.param({"choices": []}, Garbled, id="empty-choices"),
        pytest.param({"choices": "x"}, Garbled, id="choices-of-another-kind"),
        pytest.param({"choices": [{"finish_reason": "stop"}]}, Garbled, id="no-message"),
        pytest.param({"error": {"code": 502, "message": "down"}}, ServerError, id="error-under-200"),
        pytest.param({"error": {"code": 429, "message": "slow"}}, RateLimited, id="rate-limit-under-200"),
        pytest.param(
            {"choices": [{"error": {"code": 502, "message": "x"}, "message": {}}]}, ServerError, id="error-of-a-choice"
        ),
        pytest.param(chat({"content": ""}, "content_filter"), ContentFiltered, id="filtered"),
        pytest.param(chat({"content": None}, "content_filter"), ContentFiltered, id="filtered-null"),
    ],
)
def test_what_is_no_answer(body: Any, expected: type[Fault]) -> None:
    with pytest.raises(expected) as caught:
        decode(body)
    assert type(caught.value) is expected


def test_a_filtered_answer_says_what_it_used() -> None:
    with pytest.raises(ContentFiltered) as caught:
        decode(chat({"content": ""}, "content_filter"))
    assert caught.value.usage == Usage(input=3, output=2)


def test_a_filter_after_content_is_a_finish_reason() -> None:
    assert decode(chat({"content": "some"}, "content_filter")).finish_reasons == ("content_filter",)


NAMES = """
content tool_calls function name arguments index usage error prompt_tokens completion_tokens_details
reasoning_tokens embedding categories category_scores flagged text type thinking id model logprobs
cost code
"""
names = st.sampled_from(NAMES.split())
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
)
objects = st.dictionaries(
    names, scalars | st.lists(st.dictionaries(names, scalars, max_size=3) | scalars, max_size=2), max_size=4
)
bodies = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries({"message": objects | scalars, "text": scalars}) | objects, max_size=2
        )
        | scalars,
        "data": st.lists(objects, max_size=2) | scalars,
        "results": st.lists(
            st.fixed_dictionaries({"categories": objects | scalars, "category_scores": objects}), max_size=2
        ),
        "usage": objects | st.fixed_dictionaries({"prompt_tokens_details": objects, "cost": objects}) | scalars,
    },
    optional={"id": scalars, "model": scalars, "error": objects | scalars, "extra": objects},
)


@pytest.mark.parametrize("operation", list(wire("openai")))
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=bodies)
def test_any_json_is_an_answer_or_a_fault(operation: Operation, body: dict[str, Any]) -> None:
    with suppress(Fault):
        wire("openai")[operation].decode(HttpResponse(200, {}, orjson.dumps(body)))
