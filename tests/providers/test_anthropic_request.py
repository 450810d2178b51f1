"""What goes out on the Anthropic wire: each field of ours, and what a model is known to refuse."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.faults import Unsupported
from tests.support.anthropic import BOTH, NEW, OLD, STRICT, chat, encode
from tests.support.providers import sent

param = pytest.param
ASSISTANT_LAST = [{"role": "ROLE_USER", "text": "hi"}, {"role": "ROLE_ASSISTANT", "text": "The answer is"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer", "maximum": 3}}}


def test_a_plain_request() -> None:
    request = encode({"max_tokens": 9})
    assert (request.method, request.url) == ("POST", "https://api.test/v1/messages")
    assert sent(request) == {
        "model": OLD,
        "max_tokens": 9,
        "stream": False,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_its_headers() -> None:
    headers = encode({}, stream=True).headers
    assert headers["x-api-key"] == "sk-1"
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["accept"] == "text/event-stream"
    assert headers.keys().isdisjoint({"authorization", "anthropic-beta"})


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        param("https://api.test/", "https://api.test/v1/messages", id="a root"),
        param("https://api.test/v1", "https://api.test/v1/messages", id="with the version"),
        param("https://api.test/anthropic", "https://api.test/anthropic/v1/messages", id="another vendor's door"),
    ],
)
def test_the_address(base_url: str, url: str) -> None:
    assert encode({}, base_url=base_url).url == url


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        param({"temperature": 0}, {"temperature": 0}, id="zero-is-sent"),
        param({"top_p": 0.5, "top_k": 40}, {"top_p": 0.5, "top_k": 40}, id="top-p-and-top-k"),
        param({"stop": ["a", "b"]}, {"stop_sequences": ["a", "b"]}, id="stop"),
        param({"prompt": "more"}, {"messages": [{"role": "user", "content": [
            {"type": "text", "text": "hi"}, {"type": "text", "text": "more"}]}]}, id="prompt-is-a-user-message"),
        param(
            {"tools": [{"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}]},
            {"tools": [{"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True}]},
            id="tool",
        ),
        param(
            {"tools": [{"name": "f"}]},
            {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]},
            id="a-tool-without-arguments",
        ),
        param(
            {"tools": [{"name": "f", "cache_point": {"ttl": "1h"}}]},
            {"tools": [{"name": "f", "input_schema": {"type": "object", "properties": {}},
                        "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
            id="cache-point-after-a-tool",
        ),
        param({"tool_choice": {"mode": "auto"}}, {"tool_choice": {"type": "auto"}}, id="tools-auto"),
        param({"tool_choice": {"mode": "none"}}, {"tool_choice": {"type": "none"}}, id="tools-none"),
        param({"tool_choice": {"mode": "required"}}, {"tool_choice": {"type": "any"}}, id="tools-required"),
        param({"tool_choice": {"name": "f"}}, {"tool_choice": {"type": "tool", "name": "f"}}, id="this-tool"),
        param(
            {"response_format": {"json_schema": {"name": "n", "schema": SCHEMA}}},
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            id="json-schema",
        ),
        param(
            {"response_format": {"json_schema": {"name": "n", "description": "d", "schema": SCHEMA}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"description": "d", **SCHEMA}}}},
            id="a-schemas-description-goes-into-it",
        ),
        param({"response_format": {"text": True}}, {}, id="text-is-what-it-gives-anyway"),
        param({"choice_count": 1, "frequency_penalty": 0, "logprobs": False}, {}, id="what-means-nothing-is-left-out"),
    ],
)  # fmt: skip
def test_a_field_as_it_goes_out(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    plain = chat()
    assert {name: value for name, value in chat(**fields).items() if plain.get(name) != value} == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        param({}, {"type": "auto", "disable_parallel_tool_use": True}, id="nothing-chosen"),
        param({"tool_choice": {"mode": "required"}}, {"type": "any", "disable_parallel_tool_use": True}, id="required"),
        param({"tool_choice": {"mode": "none"}}, {"type": "none"}, id="none-has-nothing-to-disable"),
    ],
)
def test_one_tool_call_at_a_time(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert chat(tools=[{"name": "f"}], parallel_tool_calls=False, **fields)["tool_choice"] == expected


@pytest.mark.parametrize(
    "fields",
    [
        param({"parallel_tool_calls": True, "tools": [{"name": "f"}]}, id="many-are-the-default"),
        param({"parallel_tool_calls": False}, id="no-tools"),
    ],
)
def test_nothing_is_said_of_tools_needlessly(fields: dict[str, Any]) -> None:
    assert "tool_choice" not in chat(**fields)


@pytest.mark.parametrize(
    ("model", "fields", "why"),
    [
        param(OLD, {"seed": 0}, "anthropic does not take seed", id="seed"),
        param(OLD, {"logprobs": True, "top_logprobs": 2}, "logprobs, top_logprobs", id="logprobs"),
        param(OLD, {"frequency_penalty": 1, "presence_penalty": 1}, "frequency_penalty, presence_pen", id="penalties"),
        param(OLD, {"logit_bias": {"5": 1}}, "logit_bias", id="logit-bias"),
        param(OLD, {"choice_count": 2}, "choice_count", id="several-choices"),
        param(OLD, {"temperature": 1.5}, "no temperature above 1.0", id="too-hot"),
        param(OLD, {"response_format": {"json_object": True}}, "JSON by a schema only", id="json-without-a-schema"),
        param("claude-3-5-haiku-latest", {"response_format": {"json_schema": {"schema": SCHEMA}}},
              "does not take a JSON schema", id="a-schema-before-4.5"),
        param(NEW, {"temperature": 0.5, "top_k": 1}, f"{NEW} does not take temperature, top_k", id="sampling-from-4.7"),
        param(BOTH, {"messages": ASSISTANT_LAST}, "does not go on from an assistant message", id="prefill-from-4.6"),
        param(STRICT, {"tool_choice": {"mode": "required"}}, "cannot be made to call a tool", id="forced-tools-at-5.5"),
        param(STRICT, {"tool_choice": {"name": "f"}}, "cannot be made to call a tool", id="this-tool-at-5.5"),
        param(OLD, {"messages": [{"role": "ROLE_USER", "parts": [{"audio": {"data": "AAAA", "format": "wav"}}]}]},
              "does not take audio", id="audio"),
        param(OLD, {"messages": [{"role": "ROLE_USER", "parts": [
            {"file": {"data": "AAAA", "media_type": "application/zip"}}]}]}, "application/zip", id="a-strange-file"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_leads_to_the_next_target(model: str, fields: dict[str, Any], why: str) -> None:
    with pytest.raises(Unsupported, match=why):
        encode(fields, model)


def test_a_prefill_goes_to_models_that_take_it() -> None:
    assert chat(messages=ASSISTANT_LAST)["messages"][-1]["role"] == "assistant"


def test_the_default_of_a_refused_field_may_be_left_out() -> None:
    assert chat(NEW, temperature=1, top_p=1) == chat(NEW)


def test_options_are_put_in_last_and_untouched() -> None:
    body = chat(provider_options={"anthropic": {"metadata": {"user_id": "u"}, "max_tokens": 5}, "openai": {"x": 1}})
    assert (body["metadata"], body["max_tokens"], "x" in body) == ({"user_id": "u"}, 5, False)


def test_no_option_changes_what_metering_stands_on() -> None:
    body = chat(stream=True, provider_options={"anthropic": {"model": "other", "stream": False}})
    assert (body["model"], body["stream"]) == (OLD, True)


def test_betas_are_a_header() -> None:
    request = encode({"provider_options": {"anthropic": {"betas": ["a-1", "b-2"]}}})
    assert request.headers["anthropic-beta"] == "a-1,b-2"
    assert "betas" not in sent(request)


def test_betas_are_added_to_the_accounts_own() -> None:
    options = {"headers": {"anthropic-beta": "c-3"}}
    request = encode({"provider_options": {"anthropic": {"betas": ["a-1"]}}}, options=options)
    assert request.headers["anthropic-beta"] == "c-3,a-1"


@pytest.mark.parametrize(
    ("type_", "options", "reads"),
    [
        param("openai-compatible", {"options_as": "openai"}, True, id="a-server-of-no-vendors-own"),
        param("deepseek", {}, False, id="a-vendors"),
    ],
)
def test_whose_options_another_server_reads(type_: str, options: dict[str, Any], reads: bool) -> None:
    fields = {"provider_options": {"anthropic": {"service_tier": "auto"}}}
    assert ("service_tier" in sent(encode(fields, type_=type_, options=options))) is reads
