"""What goes out on the Responses wire: each field of ours, and what the API has no field for."""

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
ENCRYPTED = "reasoning.encrypted_content"


def encode(type_: str = "openai", stream: bool = False, model: str = "m-1", **fields: Any) -> HttpRequest:
    request = json_format.ParseDict({"messages": USER, **fields}, pb.ChatRequest())
    return wire("openai-responses")[Operation.CHAT].encode(request, model, stream, account(type_), "sk-1")


def body(type_: str = "openai", model: str = "m-1", **fields: Any) -> dict[str, Any]:
    return sent(encode(type_, model=model, **fields))


def items(type_: str = "openai", **message: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = body(type_, messages=[message])["input"]
    return found


def test_it_goes_to_responses_with_the_accounts_key() -> None:
    request = encode()
    assert (request.method, request.url) == ("POST", "https://api.test/v1/responses")
    assert request.headers["authorization"] == "Bearer sk-1"


def test_a_plain_call_says_no_more_than_it_must() -> None:
    assert body() == {"input": [{"role": "user", "content": "hi"}], "store": False, "model": "m-1"}


def test_a_prompt_is_one_user_message() -> None:
    assert body(messages=[], prompt="hi")["input"] == [{"role": "user", "content": "hi"}]


def test_a_stream_is_asked_for() -> None:
    request = encode(stream=True)
    assert (sent(request)["stream"], request.headers["accept"]) == (True, "text/event-stream")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"temperature": 0}, {"temperature": 0}, id="zero-is-sent"),
        pytest.param({"top_p": 0.5}, {"top_p": 0.5}, id="top-p"),
        pytest.param({"max_tokens": 9}, {"max_output_tokens": 9}, id="max-output-tokens"),
        pytest.param({"parallel_tool_calls": False}, {"parallel_tool_calls": False}, id="false-is-sent"),
        pytest.param(
            {"logprobs": True, "top_logprobs": 2},
            {"top_logprobs": 2, "include": ["message.output_text.logprobs"]},
            id="logprobs",
        ),
        pytest.param({"choice_count": 1}, {}, id="one-choice-is-what-it-gives"),
        pytest.param(
            {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}, "include": [ENCRYPTED]}, id="effort"
        ),
        pytest.param({"reasoning_effort": "none"}, {"reasoning": {"effort": "none"}}, id="no-effort-no-reasoning"),
        pytest.param({"response_format": {"text": True}}, {"text": {"format": {"type": "text"}}}, id="text"),
        pytest.param(
            {"response_format": {"json_object": True}}, {"text": {"format": {"type": "json_object"}}}, id="json"
        ),
        pytest.param(
            {"response_format": {"json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}},
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}}},
            id="json-schema-is-flat",
        ),
        pytest.param({"tool_choice": {"mode": "required"}}, {"tool_choice": "required"}, id="tool-choice-mode"),
        pytest.param(
            {"tool_choice": {"name": "f"}}, {"tool_choice": {"type": "function", "name": "f"}}, id="tool-choice-name"
        ),
    ],
)
def test_a_field_has_its_place(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = body(**fields)
    assert {name: value for name, value in found.items() if name not in ("input", "store", "model")} == expected


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        pytest.param(
            {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True},
            id="flat",
        ),
        pytest.param(
            {"name": "f"},
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False},
            id="not strict unless it says so, as in chat completions",
        ),
    ],
)
def test_a_function(tool: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(tools=[tool])["tools"] == [expected]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"top_k": 1}, id="top_k"),
        pytest.param({"seed": 0}, id="seed"),
        pytest.param({"frequency_penalty": 0}, id="frequency_penalty"),
        pytest.param({"presence_penalty": 1}, id="presence_penalty"),
        pytest.param({"stop": ["x"]}, id="stop"),
        pytest.param({"logit_bias": {"1": 1}}, id="logit_bias"),
        pytest.param({"choice_count": 2}, id="choice_count"),
        pytest.param({"reasoning_max_tokens": 1}, id="reasoning_max_tokens"),
    ],
)
def test_what_the_api_has_no_field_for_goes_to_the_next_target(fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match=f"the Responses API of openai does not take {next(iter(fields))}"):
        body(**fields)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param({"role": "ROLE_SYSTEM", "text": "s"}, {"role": "system", "content": "s"}, id="system"),
        pytest.param({"role": "ROLE_DEVELOPER", "text": "s"}, {"role": "developer", "content": "s"}, id="developer"),
        pytest.param({"role": "ROLE_ASSISTANT", "text": "a"}, {"role": "assistant", "content": "a"}, id="assistant"),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "refusal": "no"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            id="refusal",
        ),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": t} for t in "ab"]},
            id="assistant in parts",
        ),
        pytest.param(
            {"role": "ROLE_TOOL", "tool_call_id": "c", "text": "42"},
            {"type": "function_call_output", "call_id": "c", "output": "42"},
            id="tool",
        ),
        pytest.param(
            {"role": "ROLE_TOOL", "tool_call_id": "c", "parts": [{"image": {"url": "https://i"}}]},
            {
                "type": "function_call_output",
                "call_id": "c",
                "output": [{"type": "input_image", "image_url": "https://i"}],
            },
            id="tool with an image",
        ),
    ],
)
def test_a_message(message: dict[str, Any], expected: dict[str, Any]) -> None:
    assert items(**message) == [expected]


def test_a_developer_is_a_system_where_the_role_is_not_known() -> None:
    assert items("xai", role="ROLE_DEVELOPER", text="s") == [{"role": "system", "content": "s"}]


def test_an_assistant_reasons_then_speaks_then_calls() -> None:
    found = items(
        role="ROLE_ASSISTANT",
        text="let me look",
        tool_calls=[{"id": "c", "name": "f", "arguments": "{}"}],
        reasoning_blocks=[{"id": "rs", "text": "hm", "signature": "gAAA"}],
    )
    assert found == [
        {
            "type": "reasoning",
            "id": "rs",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA",
        },
        {"role": "assistant", "content": "let me look"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]


def test_a_call_without_words_is_only_the_call() -> None:
    found = items(role="ROLE_ASSISTANT", tool_calls=[{"id": "c", "name": "f", "arguments": "{}"}])
    assert [item["type"] for item in found] == ["function_call"]


PLAIN = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}


@pytest.mark.parametrize(
    ("type_", "message", "expected"),
    [
        pytest.param("openai", {"reasoning_blocks": [{"id": "rs", "text": "hm"}]}, [], id="openai: nothing was stored"),
        pytest.param("xai", {"reasoning": "hm"}, [], id="xai encrypts too"),
        pytest.param("deepseek", {"reasoning": "hm"}, [PLAIN], id="deepseek reads plain reasoning"),
        pytest.param(
            "deepseek",
            {"reasoning": "hm", "reasoning_blocks": [{"id": "rs", "text": "hm"}]},
            [{**PLAIN, "id": "rs"}],
            id="blocks before text",
        ),
    ],
)
def test_unencrypted_reasoning_goes_where_it_is_read(
    type_: str, message: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    assert items(type_, role="ROLE_ASSISTANT", text="a", **message)[:-1] == expected


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        pytest.param({"text": "t"}, {"type": "input_text", "text": "t"}, id="text"),
        pytest.param(
            {"image": {"url": "https://i", "detail": "low"}},
            {"type": "input_image", "image_url": "https://i", "detail": "low"},
            id="image by url",
        ),
        pytest.param(
            {"image": {"data": PNG, "media_type": "image/png"}},
            {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"},
            id="image by data",
        ),
        pytest.param({"file": {"file_id": "f"}}, {"type": "input_file", "file_id": "f"}, id="file by id"),
        pytest.param({"file": {"url": "https://f"}}, {"type": "input_file", "file_url": "https://f"}, id="file by url"),
        pytest.param(
            {"file": {"data": PNG, "media_type": "application/pdf", "filename": "a.pdf"}},
            {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PNG}"},
            id="file by data",
        ),
    ],
)
def test_a_part(part: dict[str, Any], expected: dict[str, Any]) -> None:
    (item,) = items(role="ROLE_USER", text="look", parts=[part])
    assert item["content"] == [{"type": "input_text", "text": "look"}, expected]


@pytest.mark.parametrize(
    ("message", "fault", "words"),
    [
        pytest.param({"role": "ROLE_USER", "parts": [{"audio": {"data": PNG}}]}, Unsupported, "audio", id="audio"),
        pytest.param({"role": "ROLE_USER", "text": "a", "name": "Ann"}, Unsupported, "names", id="participant's name"),
        pytest.param(
            {"role": "ROLE_ASSISTANT", "parts": [{"image": {"url": "https://i"}}]},
            Unsupported,
            "only text",
            id="assistant's image",
        ),
        pytest.param({"text": "a"}, BadRequest, "no role", id="no role"),
        pytest.param({"role": "ROLE_USER", "parts": [{}]}, BadRequest, "part is empty", id="empty part"),
        pytest.param({"role": "ROLE_USER", "parts": [{"image": {}}]}, BadRequest, "neither", id="empty image"),
    ],
)
def test_what_no_item_can_say(message: dict[str, Any], fault: type[Fault], words: str) -> None:
    with pytest.raises(fault, match=words):
        items(**message)


@pytest.mark.parametrize(
    ("type_", "model", "asked"),
    [
        pytest.param("openai", "gpt-5.4-mini", True, id="gpt-5.4-mini"),
        pytest.param("openai", "o3", True, id="o3"),
        pytest.param("openai", "ft/o4-mini", True, id="what stands before a slash does not count"),
        pytest.param("openai", "gpt-4o", False, id="gpt-4o refuses to be asked"),
        pytest.param("openai", "gpt-5-chat-latest", False, id="gpt-5-chat refuses to be asked"),
        pytest.param("xai", "grok-4.3", True, id="grok"),
        pytest.param("xai", "grok-4-1-fast-non-reasoning", False, id="grok that does not reason"),
        pytest.param("openai-compatible", "gpt-5", False, id="a server that we know nothing of"),
    ],
)
def test_encrypted_reasoning_is_asked_for_where_it_can_be_had(type_: str, model: str, asked: bool) -> None:
    assert (body(type_, model=model).get("include") == [ENCRYPTED]) is asked


@pytest.mark.parametrize(
    ("model", "reasoning"),
    [
        pytest.param("gpt-5.4", {"effort": "none"}, id="a model that reasons is told not to"),
        pytest.param("gpt-4o", None, id="another would refuse to be told"),
    ],
)
def test_no_tokens_to_reason_with_is_no_effort(model: str, reasoning: Any) -> None:
    assert body(model=model, reasoning_max_tokens=0).get("reasoning") == reasoning


def test_who_gives_encrypted_reasoning_back_wants_more_of_it() -> None:
    message = {"role": "ROLE_ASSISTANT", "text": "a", "reasoning_blocks": [{"signature": "gAAA"}]}
    assert body("openai-compatible", messages=[message])["include"] == [ENCRYPTED]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"store": True}, {"store": True}, id="store"),
        pytest.param({"background": True}, {"background": True, "store": None}, id="in the background it is kept"),
        pytest.param({"include": []}, {"include": []}, id="include is the caller's"),
        pytest.param(
            {"reasoning": {"summary": "auto"}},
            {"reasoning": {"effort": "low", "summary": "auto"}},
            id="joins reasoning",
        ),
        pytest.param(
            {"text": {"verbosity": "low"}}, {"text": {"format": {"type": "text"}, "verbosity": "low"}}, id="joins text"
        ),
        pytest.param(
            {"tools": [{"type": "web_search"}]},
            {
                "tools": [
                    {
                        "type": "function",
                        "name": "f",
                        "parameters": {"type": "object", "properties": {}},
                        "strict": False,
                    },
                    {"type": "web_search"},
                ]
            },
            id="the provider's own tools join the functions",
        ),
        pytest.param({"input": "raw"}, {"input": "raw"}, id="anything else as it stands"),
        pytest.param(
            {"model": "other", "stream": True}, {"model": "m-1", "stream": None}, id="not what metering needs"
        ),
    ],
)
def test_options(options: dict[str, Any], expected: dict[str, Any]) -> None:
    found = body(
        tools=[{"name": "f"}],
        reasoning_effort="low",
        response_format={"text": True},
        provider_options={"openai": options},
    )
    assert {name: found.get(name) for name in expected} == expected
