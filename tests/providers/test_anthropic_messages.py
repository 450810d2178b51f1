"""Conversations, images and documents on the Anthropic wire."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.faults import BadRequest
from tests.support.anthropic import NEW, OLD, chat, turns

param = pytest.param
PNG, PDF = "iVBORw==", "JVBERi0xLjQ="
USER = {"role": "ROLE_USER", "text": "u"}
ASSISTANT = {"role": "ROLE_ASSISTANT", "text": "a"}
SYSTEM = {"role": "ROLE_SYSTEM", "text": "s"}
CALLS = {"role": "ROLE_ASSISTANT", "tool_calls": [{"id": "c1", "name": "f", "arguments": '{"x": 1}'}]}
RESULT = {"role": "ROLE_TOOL", "tool_call_id": "c1", "text": "42"}


def texts(*said: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": each} for each in said]


def content(**fields: Any) -> Any:
    """Of one message: what its turn holds."""
    return turns({"role": "ROLE_USER", **fields})[0]["content"]


def part(**fields: Any) -> Any:
    return content(parts=[fields])[0]


# --- turns ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        param([USER, ASSISTANT, USER], ["user", "assistant", "user"], id="in-turn"),
        param([USER, USER, ASSISTANT, ASSISTANT, USER], ["user", "assistant", "user"], id="those-of-one-role-merge"),
        param([USER, CALLS, RESULT, USER], ["user", "assistant", "user"], id="results-and-words-are-one-turn"),
        param([USER, {"role": "ROLE_ASSISTANT"}, USER], ["user"], id="who-said-nothing-has-no-turn"),
        param([USER, ASSISTANT, SYSTEM, USER], ["user", "assistant", "user"], id="the-system-stands-beside"),
        param([USER, SYSTEM, USER], ["user"], id="what-the-system-parted-is-one-turn-again"),
    ],
)
def test_the_turns(messages: list[dict[str, Any]], expected: list[str]) -> None:
    assert [turn["role"] for turn in turns(*messages)] == expected


def test_the_systems_words_in_their_order() -> None:
    developer = {"role": "ROLE_DEVELOPER", "text": "d"}
    assert chat(messages=[SYSTEM, USER, ASSISTANT, developer, USER])["system"] == texts("s", "d")


@pytest.mark.parametrize(
    ("messages", "roles", "system"),
    [
        param([USER, SYSTEM], ["user", "system"], None, id="last-after-the-user"),
        param(
            [USER, SYSTEM, ASSISTANT, USER], ["user", "system", "assistant", "user"], None, id="before-the-assistant"
        ),
        param([SYSTEM, USER], ["user"], texts("s"), id="first"),
        param([USER, ASSISTANT, SYSTEM, USER], ["user", "assistant", "user"], texts("s"), id="after-the-assistant"),
        param([USER, SYSTEM, USER], ["user"], texts("s"), id="between-two-of-the-users"),
    ],
)
def test_where_a_model_takes_the_system_in_mid_conversation(
    messages: list[dict[str, Any]], roles: list[str], system: Any
) -> None:
    body = chat(NEW, messages=messages)
    assert ([turn["role"] for turn in body["messages"]], body.get("system")) == (roles, system)


def test_a_message_without_a_role_is_refused() -> None:
    with pytest.raises(BadRequest, match="no role"):
        turns({"text": "hi"})


# --- what an assistant said ---------------------------------------------------------


def test_an_assistants_reasoning_words_and_calls_in_that_order() -> None:
    said = {
        **CALLS,
        "text": "Let me see.",
        "reasoning": "hm",
        "reasoning_blocks": [{"text": "hm", "signature": "sig"}, {"redacted": "opaque"}],
    }
    assert turns(USER, said)[1]["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
    ]


@pytest.mark.parametrize(
    "block",
    [
        param({"text": "hm"}, id="unsigned"),
        param({"text": "hm", "signature": "s", "id": "rs_1"}, id="another-providers"),
    ],
)
def test_reasoning_that_it_did_not_sign_is_not_given_back(block: dict[str, Any]) -> None:
    said = {**ASSISTANT, "reasoning": "hm", "reasoning_blocks": [block]}
    assert turns(USER, said, USER)[1]["content"] == texts("a")


def test_an_assistants_refusal_is_what_it_said() -> None:
    assert turns(USER, {"role": "ROLE_ASSISTANT", "refusal": "No."}, USER)[1]["content"] == texts("No.")


@pytest.mark.parametrize("arguments", [param("", id="empty"), param("{}", id="an-empty-object")])
def test_a_call_without_arguments(arguments: str) -> None:
    call = {"role": "ROLE_ASSISTANT", "tool_calls": [{"id": "c1", "name": "f", "arguments": arguments}]}
    assert turns(USER, call)[1]["content"][0]["input"] == {}


@pytest.mark.parametrize("arguments", [param('{"x": ', id="cut"), param("[1]", id="not-an-object")])
def test_a_call_whose_arguments_are_no_object_is_refused(arguments: str) -> None:
    with pytest.raises(BadRequest, match="the arguments of the tool call c1"):
        turns(USER, {"role": "ROLE_ASSISTANT", "tool_calls": [{"id": "c1", "name": "f", "arguments": arguments}]})


def test_ids_of_other_providers_are_made_to_fit() -> None:
    call = {"role": "ROLE_ASSISTANT", "tool_calls": [{"id": "functions.f:0", "name": "f"}]}
    found = turns(USER, call, {**RESULT, "tool_call_id": "functions.f:0"})
    assert found[1]["content"][0]["id"] == found[2]["content"][0]["tool_use_id"] == "functions_f_0"


# --- results of tools ----------------------------------------------------------------


def test_results_stand_first_in_their_turn() -> None:
    second = {**RESULT, "tool_call_id": "c2"}
    found = turns(USER, CALLS, RESULT, USER, second)[2]["content"]
    assert [block.get("tool_use_id", "-") for block in found] == ["c1", "c2", "-"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        param({"text": "42"}, {"content": texts("42")}, id="text"),
        param({"text": "no", "tool_failed": True}, {"content": texts("no"), "is_error": True}, id="failed"),
        param({}, {"content": []}, id="nothing"),
        param(
            {"parts": [{"text": "see"}, {"image": {"data": PNG, "media_type": "image/png"}}]},
            {"content": [*texts("see"), {"type": "image", "source": {
                "type": "base64", "media_type": "image/png", "data": PNG}}]},
            id="with-an-image",
        ),
        param(
            {"parts": [{"text": "see", "cache_point": {}}]},
            {"content": texts("see"), "cache_control": {"type": "ephemeral"}},
            id="a-cache-point-within-stands-on-it",
        ),
    ],
)  # fmt: skip
def test_a_result(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = turns(USER, CALLS, {"role": "ROLE_TOOL", "tool_call_id": "c1", **fields})[2]["content"]
    assert found == [{"type": "tool_result", "tool_use_id": "c1", **expected}]


# --- content --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        param({"text": "t"}, {"type": "text", "text": "t"}, id="text"),
        param(
            {"image": {"url": "https://x/i.png", "detail": "low"}},
            {"type": "image", "source": {"type": "url", "url": "https://x/i.png"}},
            id="image-url",
        ),
        param(
            {"image": {"url": f"data:image/png;base64,{PNG}"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            id="image-data-url",
        ),
        param(
            {"image": {"data": PNG, "media_type": "image/png"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            id="image-bytes",
        ),
        param(
            {"file": {"file_id": "file_1"}}, {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
            id="uploaded-document",
        ),
        param(
            {"file": {"file_id": "file_1", "media_type": "image/png"}},
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
            id="uploaded-image",
        ),
        param(
            {"file": {"url": "https://x/d.pdf", "filename": "d.pdf"}},
            {"type": "document", "source": {"type": "url", "url": "https://x/d.pdf"}, "title": "d.pdf"},
            id="document-url-and-its-name",
        ),
        param(
            {"file": {"data": PDF}},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
            id="a-pdf-is-known-by-its-beginning",
        ),
        param(
            {"file": {"data": "aGVsbG8=", "media_type": "text/markdown"}},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hello"}},
            id="plain-text",
        ),
        param(
            {"text": "t", "cache_point": {}}, {"type": "text", "text": "t", "cache_control": {"type": "ephemeral"}},
            id="cache-point",
        ),
        param(
            {"text": "t", "cache_point": {"ttl": "1h"}},
            {"type": "text", "text": "t", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            id="cache-point-for-an-hour",
        ),
    ],
)  # fmt: skip
def test_a_part(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert part(**given) == expected


def test_blank_text_is_left_out() -> None:
    assert content(text="", parts=[{"text": " \n"}, {"text": "t"}]) == texts("t")


def test_text_stands_before_the_parts() -> None:
    assert content(text="t", parts=[{"text": "p"}]) == texts("t", "p")


def test_a_cache_point_after_the_systems_words() -> None:
    system = {"role": "ROLE_SYSTEM", "parts": [{"text": "s", "cache_point": {"ttl": "5m"}}]}
    assert chat(messages=[system, USER])["system"][0]["cache_control"] == {"type": "ephemeral", "ttl": "5m"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        param({}, "a content part is empty", id="empty"),
        param({"image": {}}, "neither url nor data", id="image-without-a-source"),
        param({"image": {"url": "data:image/svg+xml,%3Csvg%3E"}}, "not in base64", id="data-url-without-base64"),
        param({"file": {"data": "//8=", "media_type": "text/plain"}}, "not in UTF-8", id="text-in-another-encoding"),
    ],
)
def test_a_part_that_says_nothing_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        part(**given)


def test_no_message_at_all_is_the_providers_to_refuse() -> None:
    assert chat(OLD, messages=[])["messages"] == []
