"""What is sent to generateContent."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.faults import BadRequest, Unsupported
from tests.support.gemini import BUDGETS, LEVELS, OLD, USER, chat, config, encode
from tests.support.providers import sent

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
TOOL = {"name": "f", "description": "does", "parameters": SCHEMA}
PRO = "gemini-2.5-pro"
THINKS = {"includeThoughts": True}


def test_the_least() -> None:
    assert chat() == {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}


def test_a_prompt_is_a_users_message() -> None:
    assert chat(messages=[], prompt="hi") == chat()


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        pytest.param("temperature", 0, {"temperature": 0}, id="an explicit zero"),
        pytest.param("top_p", 0.5, {"topP": 0.5}, id="top_p"),
        pytest.param("top_k", 3, {"topK": 3}, id="top_k"),
        pytest.param("max_tokens", 9, {"maxOutputTokens": 9}, id="max_tokens"),
        pytest.param("seed", 4, {"seed": 4}, id="seed"),
        pytest.param("stop", ["x"], {"stopSequences": ["x"]}, id="stop"),
        pytest.param("frequency_penalty", 0.5, {"frequencyPenalty": 0.5}, id="frequency_penalty"),
        pytest.param("presence_penalty", 0.5, {"presencePenalty": 0.5}, id="presence_penalty"),
        pytest.param("choice_count", 2, {"candidateCount": 2}, id="choice_count"),
        pytest.param("logprobs", True, {"responseLogprobs": True}, id="logprobs"),
        pytest.param("top_logprobs", 2, {"logprobs": 2, "responseLogprobs": True}, id="top_logprobs"),
        pytest.param("response_format", {"text": True}, {}, id="text"),
        pytest.param("response_format", {"json_object": True}, {"responseMimeType": "application/json"}, id="json"),
        pytest.param(
            "response_format",
            {"json_schema": {"name": "n", "description": "d", "schema": SCHEMA}},
            {"responseMimeType": "application/json", "responseJsonSchema": {"description": "d", **SCHEMA}},
            id="schema",
        ),
    ],
)
def test_fields_of_the_generation_config(field: str, value: Any, expected: dict[str, Any]) -> None:
    assert config(**{field: value}) == expected


@pytest.mark.parametrize(
    ("model", "fields", "expected"),
    [
        pytest.param(BUDGETS, {}, None, id="nothing said"),
        pytest.param(BUDGETS, {"reasoning_max_tokens": 900}, {"thinkingBudget": 900, **THINKS}, id="a budget"),
        pytest.param(BUDGETS, {"reasoning_max_tokens": 0}, {"thinkingBudget": 0}, id="no budget"),
        pytest.param(BUDGETS, {"reasoning_effort": "none"}, {"thinkingBudget": 0}, id="no effort"),
        pytest.param(BUDGETS, {"reasoning_effort": "minimal"}, {"thinkingBudget": 1024, **THINKS}, id="minimal"),
        pytest.param(BUDGETS, {"reasoning_effort": "high"}, {"thinkingBudget": 24576, **THINKS}, id="high"),
        pytest.param(LEVELS, {"reasoning_effort": "medium"}, {"thinkingLevel": "medium", **THINKS}, id="a level"),
        pytest.param(LEVELS, {"reasoning_effort": "minimal"}, {"thinkingLevel": "minimal", **THINKS}, id="the least"),
        pytest.param(
            "gemini-3.1-pro-preview",
            {"reasoning_effort": "minimal"},
            {"thinkingLevel": "low", **THINKS},
            id="Pro's least",
        ),
        pytest.param(
            "gemini-flash-latest", {"reasoning_effort": "low"}, {"thinkingLevel": "low", **THINKS}, id="newest"
        ),
        pytest.param(LEVELS, {"reasoning_max_tokens": 500}, {"thinkingBudget": 500, **THINKS}, id="a budget still"),
        pytest.param(
            LEVELS,
            {"reasoning_max_tokens": 500, "reasoning_effort": "low"},
            {"thinkingBudget": 500, **THINKS},
            id="never both",
        ),
        pytest.param(OLD, {"reasoning_effort": "none"}, None, id="one that cannot"),
    ],
)
def test_how_much_it_thinks(model: str, fields: dict[str, Any], expected: Any) -> None:
    assert config(model, **fields).get("thinkingConfig") == expected


@pytest.mark.parametrize(
    ("model", "fields"),
    [
        pytest.param(BUDGETS, {"logit_bias": {"1": 1.0}}, id="logit_bias"),
        pytest.param(BUDGETS, {"tools": [TOOL], "parallel_tool_calls": False}, id="one call at a time"),
        pytest.param(PRO, {"reasoning_effort": "none"}, id="Pro always thinks"),
        pytest.param(LEVELS, {"reasoning_max_tokens": 0}, id="so does Gemini 3"),
        pytest.param(OLD, {"reasoning_effort": "low"}, id="Gemini 2.0 does not"),
        pytest.param(BUDGETS, {"reasoning_effort": "extreme"}, id="an effort that it does not have"),
    ],
)
def test_what_it_has_no_field_for_goes_to_the_next_target(model: str, fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encode(fields, model)


def test_tools_are_told_as_json_schema() -> None:
    tools = chat(tools=[TOOL, {"name": "g"}])["tools"]
    declared = {"name": "f", "description": "does", "parametersJsonSchema": SCHEMA}
    assert tools == [{"functionDeclarations": [declared, {"name": "g"}]}]


@pytest.mark.parametrize(
    ("choice", "strict", "expected"),
    [
        pytest.param(None, False, None, id="nothing said"),
        pytest.param({"mode": "auto"}, False, {"mode": "AUTO"}, id="auto"),
        pytest.param({"mode": "none"}, True, {"mode": "NONE"}, id="none"),
        pytest.param({"mode": "required"}, True, {"mode": "ANY"}, id="required"),
        pytest.param({"name": "f"}, False, {"mode": "ANY", "allowedFunctionNames": ["f"]}, id="by name"),
        pytest.param(None, True, {"mode": "VALIDATED"}, id="strict"),
        pytest.param({"mode": "auto"}, True, {"mode": "VALIDATED"}, id="auto and strict"),
    ],
)
def test_the_choice_of_a_tool(choice: Any, strict: bool, expected: Any) -> None:
    fields = {"tools": [{**TOOL, "strict": strict}], **({"tool_choice": choice} if choice else {})}
    assert chat(**fields).get("toolConfig", {}).get("functionCallingConfig") == expected


def test_an_unknown_choice_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        encode({"tool_choice": {"mode": "perhaps"}})


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        pytest.param(["low"], "MEDIA_RESOLUTION_LOW", id="low"),
        pytest.param(["low", "high"], "MEDIA_RESOLUTION_HIGH", id="the highest"),
        pytest.param(["auto"], None, id="auto"),
    ],
)
def test_details_of_images(details: list[str], expected: str | None) -> None:
    images = [{"image": {"url": "https://x.test/a.png", "detail": detail}} for detail in details]
    found = config(messages=[{"role": "ROLE_USER", "parts": images}])
    assert found.get("mediaResolution") == expected


def test_options_join_field_by_field_and_win() -> None:
    options = {
        "generationConfig": {"responseModalities": ["TEXT"], "temperature": 1},
        "safety_settings": [{"category": "c", "threshold": "t"}],
        "tools": [{"googleSearch": {}}],
        "cachedContent": "cachedContents/1",
    }
    body = chat(temperature=0.5, max_tokens=3, tools=[{"name": "g"}], provider_options={"gemini": options})
    assert body["generationConfig"] == {"temperature": 1, "maxOutputTokens": 3, "responseModalities": ["TEXT"]}
    assert body["tools"] == [{"functionDeclarations": [{"name": "g"}]}, {"googleSearch": {}}]
    assert (body["safetySettings"], body["cachedContent"]) == (options["safety_settings"], "cachedContents/1")


def test_options_for_gemini_are_for_vertex_too() -> None:
    options = {"gemini": {"labels": {"a": "1"}, "serviceTier": "x"}, "vertexai": {"labels": {"a": "2"}}}
    body = sent(encode({"provider_options": options, "messages": USER}, type_="vertexai"))
    assert (body["labels"], body["serviceTier"]) == ({"a": "2"}, "x")
