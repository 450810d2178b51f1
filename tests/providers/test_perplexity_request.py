"""What goes to Perplexity's Agent API: it refuses every field that it does not know."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Operation
from sidecar.core.faults import BadRequest, Fault, Unsupported
from sidecar.providers.registry import wire
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

USER = [{"role": "ROLE_USER", "text": "hi"}]
SCHEMA = {"json_schema": {"name": "n", "schema": {"type": "object"}}}
NO_PARAMETERS = {"type": "object", "properties": {}}
CALL = {"id": "c1", "name": "f", "arguments": "{}", "signature": "sig"}


def encode(model: str = "perplexity/sonar", stream: bool = False, **fields: Any) -> HttpRequest:
    request = json_format.ParseDict({"messages": USER, **fields}, pb.ChatRequest())
    at = account("perplexity", base_url="https://api.test/v1")
    return wire("perplexity-responses")[Operation.CHAT].encode(request, model, stream, at, "k-1")


def body(model: str = "perplexity/sonar", stream: bool = False, **fields: Any) -> dict[str, Any]:
    return sent(encode(model, stream, **fields))


def items(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(messages=list(messages))["input"]
    return found


def test_it_goes_to_responses_with_the_accounts_key() -> None:
    request = encode()
    assert (request.method, request.url) == ("POST", "https://api.test/v1/responses")
    assert request.headers["authorization"] == "Bearer k-1"


def test_a_plain_call_says_no_more_than_it_must() -> None:
    said = [{"type": "message", "role": "user", "content": "hi"}]
    assert body() == {"model": "perplexity/sonar", "input": said, "store": False}


def test_a_stream_is_asked_for_and_brings_its_usage_unasked() -> None:
    assert body(stream=True) == {**body(), "stream": True}


@pytest.mark.parametrize("level", ["fast", "low", "medium", "high", "xhigh", "fast@2026-10-16.0"])
def test_a_level_of_effort_goes_in_place_of_a_model(level: str) -> None:
    found = body(level)
    assert (found["effort"], "model" in found) == (level, False)


def test_no_option_puts_another_model_in_a_levels_place() -> None:
    options = {"perplexity": {"model": "openai/gpt-6-sol", "preset": "high"}}
    found = body("low", provider_options=options)
    assert found.keys() & {"model", "preset", "effort"} == {"effort"}


def test_a_model_can_work_within_a_level() -> None:
    found = body(provider_options={"perplexity": {"effort": "low"}})
    assert (found["model"], found["effort"]) == ("perplexity/sonar", "low")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"temperature": 0}, {"temperature": 0}, id="zero is sent"),
        pytest.param({"top_p": 0.5}, {"top_p": 0.5}, id="top_p"),
        pytest.param({"max_tokens": 9}, {"max_output_tokens": 9}, id="max_tokens"),
        pytest.param({"parallel_tool_calls": False}, {"parallel_tool_calls": False}, id="parallel_tool_calls"),
        pytest.param({"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}, id="reasoning_effort"),
        pytest.param({"tool_choice": {"mode": "required"}}, {"tool_choice": "required"}, id="tool_choice"),
        pytest.param({"tool_choice": {"name": "f"}}, {"tool_choice": {"name": "f"}}, id="this tool"),
        pytest.param(
            {"response_format": SCHEMA},
            {"response_format": {"type": "json_schema", **SCHEMA}},
            id="a schema as chat completions have it",
        ),
        pytest.param({"response_format": {"text": True}}, {}, id="text is what it gives"),
        pytest.param({"choice_count": 1}, {}, id="one answer is what it gives"),
        pytest.param(
            {"tools": [{"name": "f"}], "provider_options": {"perplexity": {"tools": [{"type": "web_search"}]}}},
            {
                "tools": [
                    {"type": "function", "name": "f", "parameters": NO_PARAMETERS, "strict": False},
                    {"type": "web_search"},
                ]
            },
            id="its own tools join the call's",
        ),
    ],
)  # fmt: skip
def test_field(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(**fields) == {**body(), **expected}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        pytest.param({"top_k": 1}, Unsupported, id="top_k"),
        pytest.param({"seed": 0}, Unsupported, id="seed"),
        pytest.param({"stop": ["x"]}, Unsupported, id="stop"),
        pytest.param({"frequency_penalty": 0}, Unsupported, id="frequency_penalty"),
        pytest.param({"presence_penalty": 1}, Unsupported, id="presence_penalty"),
        pytest.param({"logit_bias": {"1": 2}}, Unsupported, id="logit_bias"),
        pytest.param({"logprobs": True}, Unsupported, id="logprobs, which would do nothing"),
        pytest.param({"top_logprobs": 2}, Unsupported, id="top_logprobs"),
        pytest.param({"choice_count": 2}, Unsupported, id="choice_count"),
        pytest.param({"reasoning_max_tokens": 0}, Unsupported, id="reasoning_max_tokens"),
        pytest.param({"reasoning_effort": "none"}, Unsupported, id="reasoning_effort none"),
        pytest.param({"response_format": {"json_object": True}}, Unsupported, id="JSON without a schema"),
        pytest.param({"messages": [{"role": "ROLE_USER", "name": "Ann", "text": "hi"}]}, Unsupported, id="a name"),
        pytest.param(
            {"messages": [{"role": "ROLE_USER", "parts": [{"file": {"url": "https://h/f.pdf"}}]}]},
            Unsupported,
            id="file",
        ),
        pytest.param(
            {"messages": [{"role": "ROLE_USER", "parts": [{"audio": {"data": "AA==", "format": "wav"}}]}]},
            Unsupported,
            id="audio",
        ),
        pytest.param(
            {"messages": [{"role": "ROLE_ASSISTANT", "parts": [{"image": {"url": "https://h/i"}}]}]},
            Unsupported,
            id="an assistant's image",
        ),
        pytest.param(
            {"messages": [{"role": "ROLE_TOOL", "parts": [{"image": {"url": "https://h/i"}}]}]},
            Unsupported,
            id="a tool's image",
        ),
        pytest.param({"messages": [{"role": "ROLE_USER", "parts": [{}]}]}, BadRequest, id="an empty part"),
        pytest.param({"messages": [{"text": "hi"}]}, BadRequest, id="no role"),
    ],
)
def test_refused(fields: dict[str, Any], kind: type[Fault]) -> None:
    with pytest.raises(kind):
        encode(**fields)


@pytest.mark.parametrize(
    ("stream", "model", "expected"),
    [
        pytest.param(False, "anthropic/claude-opus-5-5", 16_000, id="whole"),
        pytest.param(True, "anthropic/claude-opus-5-5", 64_000, id="streamed"),
        pytest.param(False, "openai/gpt-6-luna", None, id="others need none"),
    ],
)
def test_claude_demands_a_limit(stream: bool, model: str, expected: int | None) -> None:
    assert body(model, stream).get("max_output_tokens") == expected


def test_messages_keep_their_roles() -> None:
    roles = ["system", "developer", "user", "assistant"]
    assert [item["role"] for item in items(*({"role": f"ROLE_{role.upper()}", "text": "t"} for role in roles))] == roles


def test_images_are_addresses_and_nothing_else() -> None:
    parts = [{"text": "see"}, {"image": {"url": "https://h/i.png", "detail": "low"}}]
    (item,) = items({"role": "ROLE_USER", "text": "do", "parts": parts})
    assert item["content"] == [
        {"type": "input_text", "text": "do"},
        {"type": "input_text", "text": "see"},
        {"type": "input_image", "image_url": "https://h/i.png"},
    ]


def test_what_an_assistant_said_is_text() -> None:
    (item,) = items({"role": "ROLE_ASSISTANT", "parts": [{"text": "a"}, {"text": "b"}], "refusal": "c"})
    assert item["content"] == "abc"


def test_a_call_and_its_result_carry_name_and_signature() -> None:
    said, called, gave = items(
        {"role": "ROLE_ASSISTANT", "text": "wait", "toolCalls": [CALL]},
        {"role": "ROLE_TOOL", "toolCallId": "c1", "text": "4"},
    )
    assert said == {"type": "message", "role": "assistant", "content": "wait"}
    told = {"call_id": "c1", "name": "f", "thought_signature": "sig"}
    assert called == {"type": "function_call", "arguments": "{}", **told}
    assert gave == {"type": "function_call_output", "output": "4", **told}
