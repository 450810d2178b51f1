"""What we send to Ollama."""

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
ACCOUNT = account("ollama", base_url="http://o.test")
REQUESTS: dict[Operation, Any] = {
    Operation.CHAT: pb.ChatRequest,
    Operation.COMPLETION: pb.CompletionRequest,
    Operation.EMBEDDING: pb.EmbeddingRequest,
}


def encoded(
    operation: Operation, fields: dict[str, Any], *, model: str = "m", stream: bool = False, secret: str = ""
) -> HttpRequest:
    request = json_format.ParseDict(fields, REQUESTS[operation]())
    return wire("ollama")[operation].encode(request, model, stream, ACCOUNT, secret)


def chat(fields: dict[str, Any], model: str = "m") -> dict[str, Any]:
    return sent(encoded(Operation.CHAT, {"prompt": "hello"} | fields, model=model))


def test_a_request_as_documented() -> None:
    request = encoded(Operation.CHAT, {"prompt": "hello"}, stream=True)
    assert (request.method, request.url) == ("POST", "http://o.test/api/chat")
    assert request.headers["accept"] == "application/x-ndjson"
    assert "authorization" not in request.headers
    assert sent(request) == {"model": "m", "messages": [HELLO], "stream": True}


def test_a_hosted_one_gets_its_key() -> None:
    request = encoded(Operation.CHAT, {"prompt": "hello"}, secret="sk-1")
    assert request.headers["authorization"] == "Bearer sk-1"


TOOL = {
    "name": "look",
    "description": "looks",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
}
SENT_TOOL = {"type": "function", "function": TOOL}
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
NOW = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(
            {"temperature": 0, "top_p": 0.5, "top_k": 3, "seed": 1},
            {"options": {"temperature": 0, "top_p": 0.5, "top_k": 3, "seed": 1}},
            id="sampling",
        ),
        pytest.param({"max_tokens": 9, "stop": ["x"]}, {"options": {"num_predict": 9, "stop": ["x"]}}, id="ends"),
        pytest.param(
            {"frequency_penalty": 0.1, "presence_penalty": 0},
            {"options": {"frequency_penalty": 0.1, "presence_penalty": 0}},
            id="penalties",
        ),
        pytest.param({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, id="logprobs"),
        pytest.param({"choice_count": 1, "parallel_tool_calls": True}, {}, id="what-it-does-anyway"),
        pytest.param({"tools": [TOOL]}, {"tools": [SENT_TOOL]}, id="tools"),
        pytest.param({"tools": [{"name": "now"}]}, {"tools": [NOW]}, id="a-tool-without-parameters"),
        pytest.param({"tools": [TOOL], "tool_choice": {"mode": "auto"}}, {"tools": [SENT_TOOL]}, id="tool-choice-auto"),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"mode": "none"}}, {}, id="tools-that-must-not-be-used-stay-here"
        ),
        pytest.param({"response_format": {"json_object": True}}, {"format": "json"}, id="json"),
        pytest.param({"response_format": {"text": True}}, {}, id="text"),
        pytest.param(
            {"response_format": {"json_schema": {"name": "n", "schema": SCHEMA}}}, {"format": SCHEMA}, id="schema"
        ),
        pytest.param({"response_format": {"json_schema": {"name": "n"}}}, {"format": "json"}, id="schema-without-one"),
        pytest.param(
            {"provider_options": {"ollama": {"keep_alive": "5m", "options": {"num_ctx": 8192, "seed": 2}}}, "seed": 1},
            {"keep_alive": "5m", "options": {"num_ctx": 8192, "seed": 2}},
            id="own-options-join-ours",
        ),
        pytest.param({"provider_options": {"ollama": {"model": "x", "stream": True}}}, {}, id="what-no-option-changes"),
    ],
)
def test_a_field_becomes(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert chat(fields) == {"model": "m", "stream": False, "messages": [HELLO], **expected}


@pytest.mark.parametrize(
    ("fields", "model", "expected"),
    [
        pytest.param({}, "qwen3", None, id="unsaid"),
        pytest.param({"reasoning_effort": "none"}, "qwen3", False, id="none"),
        pytest.param({"reasoning_effort": "high"}, "qwen3", True, id="on"),
        pytest.param({"reasoning_max_tokens": 0}, "qwen3", False, id="zero"),
        pytest.param({"reasoning_effort": "high"}, "gpt-oss:20b", "high", id="gpt-oss-takes-levels"),
        pytest.param({"reasoning_effort": "minimal"}, "gpt-oss:20b", "low", id="gpt-oss-has-no-minimal"),
        pytest.param({"reasoning_effort": "none"}, "gpt-oss:20b", False, id="gpt-oss-none"),
    ],
)
def test_thinking(fields: dict[str, Any], model: str, expected: object) -> None:
    assert chat(fields, model).get("think") == expected


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        pytest.param(Operation.CHAT, {"choice_count": 2}, id="choices"),
        pytest.param(Operation.CHAT, {"parallel_tool_calls": False}, id="one-call-at-a-time"),
        pytest.param(Operation.CHAT, {"logit_bias": {"1": 5}}, id="logit-bias"),
        pytest.param(Operation.CHAT, {"tool_choice": {"mode": "required"}}, id="a-tool-must-be-called"),
        pytest.param(Operation.CHAT, {"tool_choice": {"name": "look"}}, id="this-tool-must-be-called"),
        pytest.param(Operation.CHAT, {"reasoning_max_tokens": 9}, id="so-much-reasoning"),
        pytest.param(Operation.CHAT, {"messages": [{"role": "ROLE_USER", "parts": [{"audio": {}}]}]}, id="audio"),
        pytest.param(
            Operation.CHAT,
            {"messages": [{"role": "ROLE_USER", "parts": [{"image": {"url": "https://x.test"}}]}]},
            id="url",
        ),
        pytest.param(Operation.COMPLETION, {"more_prompts": ["b"]}, id="more-prompts"),
        pytest.param(Operation.COMPLETION, {"echo": True}, id="echo"),
        pytest.param(Operation.COMPLETION, {"best_of": 2}, id="best-of"),
        pytest.param(Operation.COMPLETION, {"choice_count": 2}, id="choices-of-a-completion"),
        pytest.param(Operation.EMBEDDING, {"token_inputs": [{"tokens": [1]}]}, id="tokens"),
    ],
)
def test_what_the_wire_cannot_say_goes_to_the_next_target(operation: Operation, fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encoded(operation, fields)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"text": "x"}, id="no-role"),
        pytest.param({"role": "ROLE_USER", "parts": [{}]}, id="empty-part"),
        pytest.param({"role": "ROLE_USER", "parts": [{"image": {"url": "data:image/png;base64,?"}}]}, id="no-base64"),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "tool_calls": [{"name": "n", "arguments": "{"}]}, id="broken-arguments"
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "tool_calls": [{"name": "n", "arguments": "[]"}]}, id="list-of-arguments"
        ),
    ],
)
def test_nonsense_is_a_bad_request(message: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        chat({"messages": [message]})


CALL = {"id": "c1", "name": "look", "arguments": '{"n": 1}'}
SENT_CALL = {"id": "c1", "function": {"name": "look", "arguments": {"n": 1}}}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"role": "ROLE_DEVELOPER", "text": "t"}, {"role": "system", "content": "t"}, id="developer"),
        pytest.param(
            {"role": "ROLE_USER", "text": "a", "parts": [{"text": "b"}]},
            {"role": "user", "content": "a\nb"},
            id="texts-are-one",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"text": "see"}, {"image": {"data": "aQ==", "media_type": "image/png"}}]},
            {"role": "user", "content": "see", "images": ["aQ=="]},
            id="image-data",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"image": {"url": "data:image/png;base64,aQ=="}}]},
            {"role": "user", "content": "", "images": ["aQ=="]},
            id="image-data-url",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "text": "yes", "reasoning": "hm"},
            {"role": "assistant", "content": "yes", "thinking": "hm"},
            id="thinking",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "tool_calls": [CALL]},
            {"role": "assistant", "content": "", "tool_calls": [SENT_CALL]},
            id="tool-calls",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "tool_calls": [{"name": "now"}]},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "now", "arguments": {}}}]},
            id="tool-call-without-id-and-arguments",
        ),
        pytest.param({"role": "ROLE_ASSISTANT", "refusal": "no"}, {"role": "assistant", "content": "no"}, id="refusal"),
    ],
)
def test_a_message_becomes(message: dict[str, Any], expected: dict[str, Any]) -> None:
    assert chat({"messages": [message], "prompt": ""})["messages"] == [expected]


@pytest.mark.parametrize(
    ("calls", "answers", "expected"),
    [
        pytest.param(["c1=look", "c2=now"], ["c2", "c1"], ["now/c2", "look/c1"], id="by-id"),
        pytest.param(["=look", "=now"], ["", ""], ["look/", "now/"], id="without-ids-in-order"),
        pytest.param([], ["c9"], ["/c9"], id="nobody-called"),
    ],
)
def test_a_tool_s_answer_names_its_tool(calls: list[str], answers: list[str], expected: list[str]) -> None:
    pairs = [each.partition("=") for each in calls]
    messages = [{"role": "ROLE_ASSISTANT", "tool_calls": [{"id": id_, "name": name} for id_, _, name in pairs]}]
    messages += [{"role": "ROLE_TOOL", "text": "42", "tool_call_id": answer} for answer in answers]
    found = chat({"messages": messages, "prompt": ""})["messages"][1:]
    assert [f"{each.get('tool_name', '')}/{each.get('tool_call_id', '')}" for each in found] == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"prompt": "def f(", "suffix": "return"}, {"prompt": "def f(", "suffix": "return"}, id="fill-in"),
        pytest.param({"prompt": "a", "max_tokens": 5}, {"prompt": "a", "options": {"num_predict": 5}}, id="options"),
        pytest.param(
            {"prompt": "a", "logprobs": 2}, {"prompt": "a", "logprobs": True, "top_logprobs": 2}, id="logprobs"
        ),
        pytest.param({"prompt": "a", "logprobs": 0}, {"prompt": "a", "logprobs": True}, id="no-top-logprobs"),
        pytest.param(
            {"prompt": "a", "provider_options": {"ollama": {"raw": True}}}, {"prompt": "a", "raw": True}, id="raw"
        ),
    ],
)
def test_a_completion_becomes(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    request = encoded(Operation.COMPLETION, fields)
    assert request.url == "http://o.test/api/generate"
    assert sent(request) == {"model": "m", "stream": False, **expected}


def test_an_embedding_becomes() -> None:
    request = encoded(Operation.EMBEDDING, {"inputs": ["a", "b"], "dimensions": 64})
    assert request.url == "http://o.test/api/embed"
    assert sent(request) == {"model": "m", "input": ["a", "b"], "dimensions": 64}
