"""What we send to Converse."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Operation
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.bedrock_media import document_name
from sidecar.providers.registry import wire
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-2-lite-v1:0"
LLAMA = "meta.llama3-1-70b-instruct-v1:0"
DATA = base64.b64encode(b"data").decode()
URL = "https://api.test/"


def encoded(request: dict[str, Any], model: str = CLAUDE, stream: bool = False) -> HttpRequest:
    message = json_format.ParseDict(request, pb.ChatRequest())
    return wire("bedrock")[Operation.CHAT].encode(message, model, stream, account("bedrock", base_url=URL), "ABSKx")


def body(request: dict[str, Any], model: str = CLAUDE) -> dict[str, Any]:
    return sent(encoded(request, model))


@pytest.mark.parametrize(
    ("model", "stream", "path", "accept"),
    [
        pytest.param(NOVA, False, "us.amazon.nova-2-lite-v1%3A0/converse", "application/json", id="whole"),
        pytest.param("m", True, "m/converse-stream", "application/vnd.amazon.eventstream", id="stream"),
        pytest.param("arn:aws:x/y", False, "arn%3Aaws%3Ax%2Fy/converse", "application/json", id="arn"),
    ],
)
def test_where_a_model_is_asked(model: str, stream: bool, path: str, accept: str) -> None:
    request = encoded({"prompt": "hi"}, model, stream)
    assert (request.method, request.url) == ("POST", f"https://api.test/model/{path}")
    assert request.headers["accept"] == accept
    assert sent(request) == {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


CALL = {"id": "t1", "name": "f", "arguments": '{"a":1}'}
RESULT = {"role": "ROLE_TOOL", "text": "42", "tool_call_id": "t1"}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [{"role": "ROLE_USER", "text": "a"}, {"role": "ROLE_USER", "parts": [{"text": "b"}, {"text": ""}]}],
            [user({"text": "a"}, {"text": "b"})],
            id="neighbours-are-one-turn",
        ),
        pytest.param(
            [
                {
                    "role": "ROLE_USER",
                    "parts": [{"text": "a", "cache_point": {}}, {"text": "b", "cache_point": {"ttl": "1h"}}],
                }
            ],
            [
                user(
                    {"text": "a"},
                    {"cachePoint": {"type": "default"}},
                    {"text": "b"},
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                )
            ],
            id="cache-points",
        ),
        pytest.param(
            [{"role": "ROLE_ASSISTANT", "text": "", "tool_calls": [CALL, {"id": "t2", "name": "g"}]}],
            [
                {
                    "role": "assistant",
                    "content": [
                        {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}},
                        {"toolUse": {"toolUseId": "t2", "name": "g", "input": {}}},
                    ],
                }
            ],
            id="tool-calls",
        ),
        pytest.param(
            [RESULT, {**RESULT, "tool_call_id": "t2", "tool_failed": True}, {"role": "ROLE_USER", "text": "go on"}],
            [
                user(
                    {"toolResult": {"toolUseId": "t1", "content": [{"text": "42"}]}},
                    {"toolResult": {"toolUseId": "t2", "content": [{"text": "42"}], "status": "error"}},
                    {"text": "go on"},
                )
            ],
            id="tool-results-are-the-users",
        ),
        pytest.param(
            [
                {
                    "role": "ROLE_ASSISTANT",
                    "reasoning": "left out",
                    "reasoning_blocks": [{"text": "r", "signature": "s"}, {"redacted": "cmVk"}, {"text": "bare"}],
                    "text": "so",
                }
            ],
            [
                {
                    "role": "assistant",
                    "content": [
                        {"reasoningContent": {"reasoningText": {"text": "r", "signature": "s"}}},
                        {"reasoningContent": {"redactedContent": "cmVk"}},
                        {"reasoningContent": {"reasoningText": {"text": "bare"}}},
                        {"text": "so"},
                    ],
                }
            ],
            id="signed-reasoning-goes-back",
        ),
        pytest.param(
            [{"role": "ROLE_ASSISTANT", "reasoning": "unsigned", "text": "so"}],
            [{"role": "assistant", "content": [{"text": "so"}]}],
            id="unsigned-reasoning-stays-out",
        ),
    ],
)
def test_a_conversation(messages: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert body({"messages": messages})["messages"] == expected


def test_the_system_prompt_stands_apart() -> None:
    messages = [
        {"role": "ROLE_SYSTEM", "parts": [{"text": "be brief", "cache_point": {}}]},
        {"role": "ROLE_DEVELOPER", "text": "and kind"},
    ]
    assert body({"messages": messages, "prompt": "hi"}) == {
        "system": [{"text": "be brief"}, {"cachePoint": {"type": "default"}}, {"text": "and kind"}],
        "messages": [user({"text": "hi"})],
    }


@pytest.mark.parametrize(
    ("part", "block"),
    [
        pytest.param(
            {"image": {"data": DATA, "media_type": "image/jpeg", "detail": "low"}},
            {"image": {"format": "jpeg", "source": {"bytes": DATA}}},
            id="image",
        ),
        pytest.param(
            {"image": {"url": f"data:image/webp;base64,{DATA}"}},
            {"image": {"format": "webp", "source": {"bytes": DATA}}},
            id="data-url",
        ),
        pytest.param(
            {"image": {"url": "s3://bucket/x.png", "media_type": "image/png"}},
            {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://bucket/x.png"}}}},
            id="s3",
        ),
        pytest.param(
            {"audio": {"data": DATA, "format": "wav"}},
            {"audio": {"format": "wav", "source": {"bytes": DATA}}},
            id="audio",
        ),
        pytest.param(
            {"file": {"data": DATA, "media_type": "application/pdf", "filename": "a/My  report_2.v1.pdf"}},
            {"document": {"format": "pdf", "name": "My report_2-v1", "source": {"bytes": DATA}}},
            id="document",
        ),
        pytest.param(
            {"file": {"url": "s3://b/k", "media_type": "text/plain; charset=utf-8"}},
            {"document": {"format": "txt", "name": "document", "source": {"s3Location": {"uri": "s3://b/k"}}}},
            id="document-in-s3",
        ),
        pytest.param(
            {"file": {"data": DATA, "media_type": "video/3gpp"}},
            {"video": {"format": "three_gp", "source": {"bytes": DATA}}},
            id="video",
        ),
        pytest.param(
            {"file": {"data": DATA, "media_type": "image/gif"}},
            {"image": {"format": "gif", "source": {"bytes": DATA}}},
            id="image-as-file",
        ),
    ],
)
def test_media(part: dict[str, Any], block: dict[str, Any]) -> None:
    in_a_turn = body({"messages": [{"role": "ROLE_USER", "parts": [part]}]})
    assert in_a_turn["messages"] == [user(block)]
    in_a_result = body({"messages": [{"role": "ROLE_TOOL", "tool_call_id": "t", "parts": [part]}]})
    assert in_a_result["messages"] == [user({"toolResult": {"toolUseId": "t", "content": [block]}})]


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        pytest.param("", "document", id="none"),
        pytest.param("sample", "sample", id="bare"),
        pytest.param(".pdf", "-pdf", id="only-an-extension"),
        pytest.param("a [1] (2)-b.md", "a [1] (2)-b", id="as-allowed"),
        pytest.param("übung.pdf", "-bung", id="letters-without-accents"),
        pytest.param("x" * 300 + ".pdf", "x" * 200, id="long"),
    ],
)
def test_document_names(filename: str, name: str) -> None:
    assert document_name(filename) == name


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOL = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
SPEC = {"name": "f", "description": "d", "inputSchema": {"json": SCHEMA}, "strict": True}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({"tools": [TOOL]}, {"tools": [{"toolSpec": SPEC}]}, id="tool"),
        pytest.param(
            {"tools": [{"name": "g", "cache_point": {}}]},
            {
                "tools": [
                    {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
                    {"cachePoint": {"type": "default"}},
                ]
            },
            id="bare-tool-and-cache-point",
        ),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"mode": "auto"}},
            {"tools": [{"toolSpec": SPEC}], "toolChoice": {"auto": {}}},
            id="auto",
        ),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"mode": "required"}},
            {"tools": [{"toolSpec": SPEC}], "toolChoice": {"any": {}}},
            id="required",
        ),
        pytest.param(
            {"tools": [TOOL], "tool_choice": {"name": "f"}},
            {"tools": [{"toolSpec": SPEC}], "toolChoice": {"tool": {"name": "f"}}},
            id="this-one",
        ),
        pytest.param({"tools": [TOOL], "tool_choice": {"mode": "none"}}, None, id="none-of-them"),
    ],
)
def test_tools(asked: dict[str, Any], expected: dict[str, Any] | None) -> None:
    assert body({"prompt": "p", **asked}).get("toolConfig") == expected


@pytest.mark.parametrize(
    ("model", "asked", "expected"),
    [
        pytest.param(
            CLAUDE,
            {"max_tokens": 9, "temperature": 0, "top_p": 0.5, "stop": ["x"]},
            {"inferenceConfig": {"maxTokens": 9, "temperature": 0, "topP": 0.5, "stopSequences": ["x"]}},
            id="inference",
        ),
        pytest.param(CLAUDE, {"top_k": 5}, {"additionalModelRequestFields": {"top_k": 5}}, id="claude-top-k"),
        pytest.param(
            NOVA, {"top_k": 5}, {"additionalModelRequestFields": {"inferenceConfig": {"topK": 5}}}, id="nova-top-k"
        ),
        pytest.param(
            CLAUDE,
            {"reasoning_max_tokens": 2000},
            {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}}},
            id="thinking",
        ),
        pytest.param(
            CLAUDE,
            {"reasoning_max_tokens": 0},
            {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
            id="no-thinking",
        ),
        pytest.param(CLAUDE, {"reasoning_effort": "high"}, {"outputConfig": {"effort": "high"}}, id="effort"),
        pytest.param(
            CLAUDE,
            {"response_format": {"json_schema": {"name": "n", "description": "d", "schema": {"type": "object"}}}},
            {
                "outputConfig": {
                    "textFormat": {
                        "type": "json_schema",
                        "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "n", "description": "d"}},
                    }
                }
            },
            id="schema",
        ),
        pytest.param(CLAUDE, {"response_format": {"text": True}, "choice_count": 1}, {}, id="what-asks-for-nothing"),
        pytest.param(
            CLAUDE,
            {
                "top_k": 5,
                "max_tokens": 9,
                "provider_options": {
                    "bedrock": {
                        "additionalModelRequestFields": {"anthropic_beta": ["x"]},
                        "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
                    },
                    "openai": {"user": "u"},
                },
            },
            {
                "inferenceConfig": {"maxTokens": 9},
                "additionalModelRequestFields": {"top_k": 5, "anthropic_beta": ["x"]},
                "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
            },
            id="options-beside-our-fields",
        ),
    ],
)
def test_fields(model: str, asked: dict[str, Any], expected: dict[str, Any]) -> None:
    found = body({"prompt": "p", **asked}, model)
    del found["messages"]
    assert found == expected


def of_user(part: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "ROLE_USER", "parts": [part]}]}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"seed": 1}, id="seed"),
        pytest.param({"frequency_penalty": 0}, id="frequency-penalty"),
        pytest.param({"presence_penalty": 1}, id="presence-penalty"),
        pytest.param({"choice_count": 2}, id="choices"),
        pytest.param({"logprobs": True}, id="logprobs"),
        pytest.param({"logit_bias": {"1": 2}}, id="logit-bias"),
        pytest.param({"tools": [TOOL], "parallel_tool_calls": False}, id="one-call-at-a-time"),
        pytest.param({"response_format": {"json_object": True}}, id="any-json"),
        pytest.param({"reasoning_effort": "minimal"}, id="effort"),
        pytest.param({"top_k": 1}, id="top-k-of-llama"),
        pytest.param({"reasoning_max_tokens": 1}, id="budget-of-llama"),
        pytest.param({"messages": [{"role": "ROLE_USER", "text": "x", "name": "ann"}]}, id="participants"),
        pytest.param(of_user({"image": {"url": "https://x/y.png"}}), id="a-picture-from-the-web"),
        pytest.param(of_user({"image": {"data": DATA, "media_type": "image/tiff"}}), id="tiff"),
        pytest.param(of_user({"file": {"file_id": "f1"}}), id="file-id"),
        pytest.param(
            {"messages": [{"role": "ROLE_SYSTEM", "parts": [{"audio": {"data": DATA, "format": "wav"}}]}]},
            id="spoken-system-prompt",
        ),
        pytest.param(
            {
                "tools": [TOOL],
                "tool_choice": {"mode": "none"},
                "messages": [{"role": "ROLE_ASSISTANT", "tool_calls": [CALL]}, RESULT],
            },
            id="no-tools-after-calls",
        ),
        pytest.param(
            {"messages": [{"role": "ROLE_TOOL", "tool_call_id": "t", "parts": [{"text": "x", "cache_point": {}}]}]},
            id="cache-point-in-a-result",
        ),
    ],
)
def test_what_cannot_be_said_goes_to_the_next_target(asked: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        body({"prompt": "p", **asked}, LLAMA)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({"text": "x"}, id="no-role"),
        pytest.param({"role": "ROLE_ASSISTANT", "tool_calls": [{"name": "f", "arguments": "{"}]}, id="no-json"),
        pytest.param({"role": "ROLE_USER", "parts": [{"image": {}}]}, id="empty-image"),
        pytest.param({"role": "ROLE_USER", "parts": [{"image": {"data": DATA}}]}, id="no-media-type"),
        pytest.param({"role": "ROLE_USER", "parts": [{}]}, id="empty-part"),
        pytest.param({"role": "ROLE_USER", "parts": [{"image": {"url": "data:image/png,x"}}]}, id="no-base64"),
    ],
)
def test_what_makes_no_sense_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        body({"messages": [message]})
