"""What goes out on the OpenAI wire: each field of ours, and how the servers' dialects differ."""

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
PNG = "iVBORw=="


def encode(
    request: Any, type_: str = "openai", stream: bool = False, model: str = "m-1", **changes: Any
) -> HttpRequest:
    operation = {
        pb.ChatRequest: Operation.CHAT,
        pb.CompletionRequest: Operation.COMPLETION,
        pb.EmbeddingRequest: Operation.EMBEDDING,
        pb.ModerationRequest: Operation.MODERATION,
    }[type(request)]
    return wire("openai")[operation].encode(request, model, stream, account(type_, **changes), "sk-1")


def chat(type_: str = "openai", stream: bool = False, **fields: Any) -> dict[str, Any]:
    """The JSON of a chat request given in protobuf's JSON form."""
    return sent(encode(json_format.ParseDict({"messages": USER, **fields}, pb.ChatRequest()), type_, stream))


def message(type_: str = "openai", **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = chat(type_, messages=[fields])["messages"][0]
    return found


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"temperature": 0}, {"temperature": 0}, id="zero-is-sent"),
        pytest.param({"top_p": 0.5}, {"top_p": 0.5}, id="top-p"),
        pytest.param({"seed": 7}, {"seed": 7}, id="seed"),
        pytest.param({"stop": ["a", "b"]}, {"stop": ["a", "b"]}, id="stop"),
        pytest.param(
            {"frequency_penalty": 1.5, "presence_penalty": -1},
            {"frequency_penalty": 1.5, "presence_penalty": -1},
            id="penalties",
        ),
        pytest.param({"choice_count": 3}, {"n": 3}, id="n"),
        pytest.param({"parallel_tool_calls": False}, {"parallel_tool_calls": False}, id="false-is-sent"),
        pytest.param({"reasoning_effort": "low"}, {"reasoning_effort": "low"}, id="reasoning-effort"),
        pytest.param({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}, id="logprobs"),
        pytest.param({"logit_bias": {"50256": -100}}, {"logit_bias": {"50256": -100}}, id="logit-bias-whole"),
        pytest.param({"max_tokens": 9}, {"max_completion_tokens": 9}, id="openai-max-completion-tokens"),
        pytest.param({"tool_choice": {"mode": "required"}}, {"tool_choice": "required"}, id="tool-choice-mode"),
        pytest.param(
            {"tool_choice": {"name": "f"}},
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            id="tool-choice-name",
        ),
        pytest.param(
            {
                "tools": [
                    {"name": "f", "description": "d", "parameters": {"type": "object", "maxItems": 3}, "strict": True}
                ]
            },
            {
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "f",
                            "description": "d",
                            "parameters": {"type": "object", "maxItems": 3},
                            "strict": True,
                        },
                    }
                ]
            },
            id="tool",
        ),
        pytest.param(
            {"tools": [{"name": "f"}]}, {"tools": [{"type": "function", "function": {"name": "f"}}]}, id="bare-tool"
        ),
        pytest.param(
            {"response_format": {"json_object": True}}, {"response_format": {"type": "json_object"}}, id="json-object"
        ),
        pytest.param({"response_format": {"text": True}}, {"response_format": {"type": "text"}}, id="text-format"),
        pytest.param(
            {"response_format": {"json_schema": {"name": "s", "schema": {"minimum": 1, "x": 0.5}, "strict": True}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "s", "schema": {"minimum": 1, "x": 0.5}, "strict": True},
                }
            },
            id="json-schema-whole-numbers-stay-whole",
        ),
        pytest.param(
            {
                "provider_options": {
                    "openai": {"service_tier": "flex", "metadata": {"n": 1, "none": None, "l": [1, True]}}
                }
            },
            {"service_tier": "flex", "metadata": {"n": 1, "none": None, "l": [1, True]}},
            id="provider-options-untouched",
        ),
        pytest.param(
            {"provider_options": {"groq": {"service_tier": "flex"}}}, {}, id="another-providers-options-stay-out"
        ),
        pytest.param(
            {"temperature": 1, "provider_options": {"openai": {"temperature": 0.5}}},
            {"temperature": 0.5},
            id="provider-options-win",
        ),
        pytest.param(
            {"provider_options": {"openai": {"model": "dear", "stream": True}}}, {}, id="but-not-over-model-and-stream"
        ),
    ],
)
def test_chat_fields(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert chat(**fields) == {"model": "m-1", "messages": [{"role": "user", "content": "hi"}], **expected}


def test_whole_numbers_leave_as_integers() -> None:
    request = json_format.ParseDict(
        {"messages": USER, "tools": [{"name": "f", "parameters": {"a": 1}}]}, pb.ChatRequest()
    )
    assert b'"parameters":{"a":1}' in encode(request).body


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"role": "ROLE_SYSTEM", "text": "s"}, {"role": "system", "content": "s"}, id="system"),
        pytest.param({"role": "ROLE_DEVELOPER", "text": "s"}, {"role": "developer", "content": "s"}, id="developer"),
        pytest.param(
            {"role": "ROLE_USER", "text": "", "name": "ann"},
            {"role": "user", "content": "", "name": "ann"},
            id="empty-text-and-name",
        ),
        pytest.param(
            {"role": "ROLE_TOOL", "text": "42", "tool_call_id": "t1"},
            {"role": "tool", "content": "42", "tool_call_id": "t1"},
            id="tool-answer",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "tool_calls": [{"id": "t1", "name": "f", "arguments": '{ "a":1}'}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": '{ "a":1}'}}],
            },
            id="tool-calls-as-the-model-wrote-them",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "refusal": "no"},
            {"role": "assistant", "content": None, "refusal": "no"},
            id="refusal",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"text": "a"}]},
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            id="text-part",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"image": {"url": "https://x/y.png", "detail": "low"}}]},
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}}],
            },
            id="image-by-url",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"image": {"data": PNG, "media_type": "image/png"}}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
            id="image-by-bytes",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"audio": {"data": PNG, "format": "wav"}}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}]},
            id="audio",
        ),
        pytest.param(
            {"role": "ROLE_USER", "parts": [{"file": {"file_id": "file-1"}}]},
            {"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]},
            id="file-by-id",
        ),
        pytest.param(
            {
                "role": "ROLE_USER",
                "parts": [{"file": {"filename": "a.pdf", "data": PNG, "media_type": "application/pdf"}}],
            },
            {
                "role": "user",
                "content": [
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"}}
                ],
            },
            id="file-by-bytes",
        ),
    ],
)
def test_messages(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert message(**fields) == expected


def test_prompt_is_one_user_message() -> None:
    assert sent(encode(pb.ChatRequest(prompt="hi")))["messages"] == [{"role": "user", "content": "hi"}]


THOUGHT = {"role": "ROLE_ASSISTANT", "text": "4", "reasoning": "2+2"}


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        pytest.param("openai", {"content": "4"}, id="openai-refuses-it"),
        pytest.param("deepseek", {"content": "4", "reasoning_content": "2+2"}, id="deepseek"),
        pytest.param("groq", {"content": "4", "reasoning": "2+2"}, id="groq"),
        pytest.param(
            "mistral",
            {
                "content": [
                    {"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]},
                    {"type": "text", "text": "4"},
                ],
                "prefix": True,  # being the last
            },
            id="mistral-as-a-part",
        ),
        pytest.param("openai-compatible", {"content": "4", "reasoning_content": "2+2"}, id="unknown-server"),
    ],
)
def test_reasoning_is_given_back_as_the_server_takes_it(type_: str, expected: dict[str, Any]) -> None:
    assert message(type_, **THOUGHT) == {"role": "assistant", **expected}


@pytest.mark.parametrize(
    ("type_", "fields", "expected"),
    [
        pytest.param("openai-compatible", {"max_tokens": 9}, {"max_tokens": 9}, id="max-tokens-elsewhere"),
        pytest.param("local", {"max_tokens": 9}, {"max_tokens": 9}, id="max-tokens-local"),
        pytest.param("mistral", {"seed": 7}, {"random_seed": 7}, id="mistral-seed"),
        pytest.param("together", {"top_k": 40}, {"top_k": 40}, id="top-k-where-it-is-taken"),
        pytest.param(
            "vllm", {"provider_options": {"openai": {"user": "u"}}}, {"user": "u"}, id="options-under-the-wires-name"
        ),
    ],
)
def test_dialects(type_: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert chat(type_, **fields).items() >= expected.items()


def test_the_developer_role_is_system_where_it_is_not_known() -> None:
    assert message("openai-compatible", role="ROLE_DEVELOPER", text="s")["role"] == "system"


def test_options_of_the_account_win_over_those_of_its_type() -> None:
    options = {"provider_options": {"openai": {"user": "type", "a": 1}, "openai2": {"user": "account"}}}
    request = json_format.ParseDict({"messages": USER, **options}, pb.ChatRequest())
    assert sent(encode(request, name="openai2")).items() >= {"user": "account", "a": 1}.items()


@pytest.mark.parametrize(
    ("type_", "fields", "expected"),
    [
        pytest.param("openai", {"top_k": 5}, Unsupported, id="openai-top-k"),
        pytest.param("groq", {"logprobs": True}, Unsupported, id="groq-logprobs"),
        pytest.param("openai", {"messages": [{"text": "x"}]}, BadRequest, id="no-role"),
        pytest.param("openai", {"messages": [{"role": "ROLE_USER", "parts": [{}]}]}, BadRequest, id="empty-part"),
        pytest.param(
            "openai", {"messages": [{"role": "ROLE_USER", "parts": [{"image": {}}]}]}, BadRequest, id="image-of-nothing"
        ),
        pytest.param(
            "openai",
            {"messages": [{"role": "ROLE_USER", "parts": [{"image": {"data": PNG}}]}]},
            BadRequest,
            id="bytes-of-no-type",
        ),
    ],
)
def test_what_cannot_be_sent(type_: str, fields: dict[str, Any], expected: type[Fault]) -> None:
    with pytest.raises(expected):
        chat(type_, **fields)


@pytest.mark.parametrize(
    ("type_", "options", "expected"),
    [
        pytest.param(
            "openai", {}, {"stream": True, "stream_options": {"include_usage": True}}, id="usage-is-asked-for"
        ),
        pytest.param("mistral", {}, {"stream": True}, id="not-where-it-comes-unasked"),
        pytest.param(
            "openai",
            {
                "provider_options": {
                    "openai": {"stream_options": {"include_usage": False, "include_obfuscation": False}}
                }
            },
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
            id="metering-is-not-to-be-switched-off",
        ),
    ],
)
def test_streams(type_: str, options: dict[str, Any], expected: dict[str, Any]) -> None:
    body = chat(type_, stream=True, **options)
    assert {name: value for name, value in body.items() if name.startswith("stream")} == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(pb.CompletionRequest(prompt="a"), {"prompt": "a"}, id="completion"),
        pytest.param(
            pb.CompletionRequest(prompt="a", more_prompts=["b"]), {"prompt": ["a", "b"]}, id="completion-of-many"
        ),
        pytest.param(
            pb.CompletionRequest(prompt="a", max_tokens=5, logprobs=1, echo=True, suffix="z", best_of=2, stop=["."]),
            {"prompt": "a", "max_tokens": 5, "logprobs": 1, "echo": True, "suffix": "z", "best_of": 2, "stop": ["."]},
            id="completion-fields",
        ),
        pytest.param(
            pb.EmbeddingRequest(inputs=["a", "b"], dimensions=8), {"input": ["a", "b"], "dimensions": 8}, id="embedding"
        ),
        pytest.param(
            pb.EmbeddingRequest(token_inputs=[pb.TokenInput(tokens=[1, 2])]),
            {"input": [[1, 2]]},
            id="embedding-of-tokens",
        ),
        pytest.param(pb.ModerationRequest(inputs=["a"]), {"input": ["a"]}, id="moderation"),
        pytest.param(
            pb.ModerationRequest(parts=[pb.ContentPart(text="a"), pb.ContentPart(image=pb.ImagePart(url="https://x"))]),
            {"input": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "https://x"}}]},
            id="moderation-of-parts",
        ),
    ],
)
def test_other_operations(request_: Any, expected: dict[str, Any]) -> None:
    assert sent(encode(request_)) == {"model": "m-1", **expected}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(pb.EmbeddingRequest(inputs=["a"], token_inputs=[pb.TokenInput(tokens=[1])]), id="embedding"),
        pytest.param(pb.ModerationRequest(inputs=["a"], parts=[pb.ContentPart(text="a")]), id="moderation"),
    ],
)
def test_two_kinds_of_input_at_once_are_refused(request_: Any) -> None:
    with pytest.raises(BadRequest):
        encode(request_)


def test_address_and_headers() -> None:
    request = encode(pb.ChatRequest(prompt="hi"), base_url="https://api.test/v1/")
    assert (request.method, request.url) == ("POST", "https://api.test/v1/chat/completions")
    assert request.headers["authorization"] == "Bearer sk-1"
    assert "sk-1" not in repr(request)


def test_no_key_no_authorization() -> None:
    found = wire("openai")[Operation.CHAT].encode(pb.ChatRequest(prompt="hi"), "m", False, account("local"), "")
    assert "authorization" not in found.headers
