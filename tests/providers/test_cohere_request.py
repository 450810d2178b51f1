"""What we send to Cohere."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Operation
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.registry import wire
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

HELLO = {"role": "user", "content": "hello"}
ACCOUNT = account("cohere", base_url="https://api.test/v2")


def encoded(fields: dict[str, Any], *, stream: bool = False) -> HttpRequest:
    request = json_format.ParseDict({"prompt": "hello"} | fields, pb.ChatRequest())
    return wire("cohere")[Operation.CHAT].encode(request, "command-a", stream, ACCOUNT, "co-key")


def embedding(**fields: Any) -> dict[str, Any]:
    request = json_format.ParseDict(fields, pb.EmbeddingRequest())
    return sent(wire("cohere")[Operation.EMBEDDING].encode(request, "embed-v4.0", False, ACCOUNT, "co-key"))


def test_a_request_as_documented() -> None:
    request = encoded({}, stream=True)
    assert (request.method, request.url) == ("POST", "https://api.test/v2/chat")
    assert (request.headers["authorization"], request.headers["accept"]) == ("Bearer co-key", "text/event-stream")
    assert sent(request) == {"model": "command-a", "stream": True, "messages": [HELLO]}


TOOL = {
    "name": "look",
    "description": "looks",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
}
SENT_TOOL = {"type": "function", "function": TOOL}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"top_k": 3, "top_p": 0.5}, {"k": 3, "p": 0.5}, id="k-and-p"),
        pytest.param(
            {"temperature": 0, "max_tokens": 9, "seed": 1},
            {"temperature": 0, "max_tokens": 9, "seed": 1},
            id="sampling",
        ),
        pytest.param(
            {"frequency_penalty": 0.1, "presence_penalty": 0},
            {"frequency_penalty": 0.1, "presence_penalty": 0},
            id="penalties",
        ),
        pytest.param({"stop": ["x"]}, {"stop_sequences": ["x"]}, id="stop"),
        pytest.param({"logprobs": True}, {"logprobs": True}, id="logprobs"),
        pytest.param({"choice_count": 1, "parallel_tool_calls": True}, {}, id="what-it-does-anyway"),
        pytest.param({"tools": [TOOL]}, {"tools": [SENT_TOOL]}, id="tools"),
        pytest.param(
            {"tools": [{"name": "now"}]},
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {"name": "now", "parameters": {"type": "object", "properties": {}}},
                    }
                ]
            },
            id="a-tool-without-parameters",
        ),
        pytest.param(
            {"tools": [TOOL | {"strict": True}]}, {"tools": [SENT_TOOL], "strict_tools": True}, id="strict-tools"
        ),
        pytest.param({"tools": [TOOL], "tool_choice": {"mode": "auto"}}, {"tools": [SENT_TOOL]}, id="tool-choice-auto"),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"mode": "none"}},
            {"tools": [SENT_TOOL], "tool_choice": "NONE"},
            id="tool-choice-none",
        ),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"mode": "required"}},
            {"tools": [SENT_TOOL], "tool_choice": "REQUIRED"},
            id="tool-choice-required",
        ),
        pytest.param(
            {"tools": [{"name": "now"}, TOOL], "tool_choice": {"name": "look"}},
            {"tools": [SENT_TOOL], "tool_choice": "REQUIRED"},
            id="one-tool-by-name-is-the-only-one-offered",
        ),
        pytest.param(
            {"response_format": {"json_object": True}}, {"response_format": {"type": "json_object"}}, id="json"
        ),
        pytest.param({"response_format": {"text": True}}, {"response_format": {"type": "text"}}, id="text"),
        pytest.param(
            {"response_format": {"json_schema": {"name": "n", "schema": SCHEMA}}},
            {"response_format": {"type": "json_object", "json_schema": SCHEMA}},
            id="json-schema",
        ),
        pytest.param({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}, id="no-reasoning"),
        pytest.param({"reasoning_effort": "low"}, {"thinking": {"type": "enabled"}}, id="reasoning"),
        pytest.param(
            {"reasoning_max_tokens": 99}, {"thinking": {"type": "enabled", "token_budget": 99}}, id="so-much-reasoning"
        ),
        pytest.param({"reasoning_max_tokens": 0}, {"thinking": {"type": "disabled"}}, id="reasoning-of-zero"),
        pytest.param(
            {
                "provider_options": {"cohere": {"documents": ["d"], "safety_mode": "OFF", "k": 1}, "openai": {"x": 1}},
                "top_k": 2,
            },
            {"documents": ["d"], "safety_mode": "OFF", "k": 1},
            id="own-options-last",
        ),
        pytest.param({"provider_options": {"cohere": {"model": "x", "stream": True}}}, {}, id="what-no-option-changes"),
    ],
)
def test_a_field_becomes(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sent(encoded(fields)) == {"model": "command-a", "stream": False, "messages": [HELLO], **expected}


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"choice_count": 2}, id="choices"),
        pytest.param({"parallel_tool_calls": False}, id="one-call-at-a-time"),
        pytest.param({"top_logprobs": 3}, id="top-logprobs"),
        pytest.param({"logit_bias": {"1": 5}}, id="logit-bias"),
        pytest.param({"messages": [{"role": "ROLE_USER", "parts": [{"audio": {"format": "wav"}}]}]}, id="audio"),
        pytest.param({"messages": [{"role": "ROLE_USER", "parts": [{"file": {"file_id": "f"}}]}]}, id="files"),
    ],
)
def test_what_the_wire_cannot_say_goes_to_the_next_target(fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encoded(fields)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"messages": [{"text": "x"}]}, id="no-role"),
        pytest.param({"messages": [{"role": "ROLE_USER", "parts": [{}]}]}, id="empty-part"),
        pytest.param({"tool_choice": {"name": "look"}}, id="a-tool-that-is-not-there"),
        pytest.param({"tool_choice": {"mode": "maybe"}}, id="no-such-mode"),
    ],
)
def test_nonsense_is_a_bad_request(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        encoded(fields)


CALL = {"id": "c1", "name": "look", "arguments": "{}"}
SENT_CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"role": "ROLE_DEVELOPER", "text": "t"}, {"role": "system", "content": "t"}, id="developer"),
        pytest.param(
            {"role": "ROLE_USER", "text": "see", "parts": [{"image": {"url": "https://x.test/i", "detail": "low"}}]},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "see"},
                    {"type": "image_url", "image_url": {"url": "https://x.test/i", "detail": "low"}},
                ],
            },
            id="image-url",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"image": {"data": "aQ==", "media_type": "image/png"}}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aQ=="}}]},
            id="image-data",
        ),
        pytest.param(
            {"role": "ROLE_TOOL", "tool_call_id": "c1", "text": "42"},
            {"role": "tool", "tool_call_id": "c1", "content": "42"},
            id="tool",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "tool_calls": [CALL], "reasoning": "I will look"},
            {"role": "assistant", "tool_calls": [SENT_CALL], "tool_plan": "I will look"},
            id="reasoning-before-tool-calls-is-their-plan",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "text": "yes", "reasoning": "hm"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]},
            id="reasoning-is-thinking",
        ),
        pytest.param(
            {
                "role": "ROLE_ASSISTANT",
                "tool_calls": [CALL],
                "reasoning": "hm I look",
                "reasoning_blocks": [{"text": "hm "}, {"text": "I look", "id": "tool_plan"}],
            },
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "hm "}],
                "tool_plan": "I look",
                "tool_calls": [SENT_CALL],
            },
            id="blocks-go-back-where-they-came-from",
        ),
        pytest.param({"role": "ROLE_ASSISTANT", "text": "a"}, {"role": "assistant", "content": "a"}, id="assistant"),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "refusal": "no"},
            {"role": "assistant", "content": [{"type": "text", "text": "no"}]},
            id="refusal",
        ),
    ],
)
def test_a_message_becomes(message: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sent(encoded({"messages": [message], "prompt": ""}))["messages"] == [expected]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"inputs": ["a", "b"]}, {"texts": ["a", "b"], "input_type": "search_document"}, id="texts"),
        pytest.param(
            {"inputs": ["a"], "input_type": "search_query"},
            {"texts": ["a"], "input_type": "search_query"},
            id="input-type",
        ),
        pytest.param(
            {"inputs": ["a"], "dimensions": 256},
            {"texts": ["a"], "input_type": "search_document", "output_dimension": 256},
            id="dimensions",
        ),
        pytest.param(
            {"provider_options": {"cohere": {"images": ["data:x"], "input_type": "image"}}},
            {"images": ["data:x"], "input_type": "image"},
            id="images-through-options",
        ),
    ],
)
def test_an_embedding_becomes(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert embedding(**fields) == {"model": "embed-v4.0", "embedding_types": ["float"], **expected}


def test_tokens_cannot_be_embedded() -> None:
    with pytest.raises(Unsupported):
        embedding(token_inputs=[{"tokens": [1]}])
