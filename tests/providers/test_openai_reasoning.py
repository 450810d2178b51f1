"""How many tokens to reason with, on the OpenAI wire: told where the server documents a way, never dropped."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Operation
from sidecar.core.faults import Unsupported
from sidecar.providers.registry import wire
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

DISABLED = {"thinking": {"type": "disabled"}}


def told(type_: str, model: str = "m", api: str = "openai", **fields: Any) -> dict[str, Any]:
    """What a request says beyond one without those fields."""
    encode = wire(api)[Operation.CHAT].encode
    at = account(type_, deployments=type_ == "azure")
    with_it, without = (
        sent(encode(pb.ChatRequest(prompt="hi", **given), model, False, at, "k")) for given in (fields, {})
    )
    return {name: value for name, value in with_it.items() if value != without.get(name)}


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        pytest.param("openrouter", {"reasoning": {"max_tokens": 500}}, id="openrouter"),
        pytest.param("alibaba", {"thinking_budget": 500}, id="alibaba"),
        pytest.param("vllm", {"thinking_token_budget": 500}, id="vllm"),
    ],
)
def test_a_number_goes_where_the_server_takes_one(type_: str, expected: dict[str, Any]) -> None:
    assert told(type_, reasoning_max_tokens=500) == expected


@pytest.mark.parametrize("type_", ["openai", "deepseek", "groq", "zhipu", "local", "openai-compatible"])
def test_elsewhere_the_next_target_is_tried(type_: str) -> None:
    with pytest.raises(Unsupported, match="reasoning_effort says how hard"):
        told(type_, reasoning_max_tokens=500)


@pytest.mark.parametrize("asked", [{"reasoning_max_tokens": 0}, {"reasoning_effort": "none"}], ids=["0", "none"])
@pytest.mark.parametrize(
    ("type_", "model", "expected"),
    [
        pytest.param("openai", "gpt-5.4", {"reasoning_effort": "none"}, id="openai"),
        pytest.param("openrouter", "m", {"reasoning": {"effort": "none"}}, id="openrouter"),
        pytest.param("alibaba", "m", {"enable_thinking": False}, id="alibaba"),
        pytest.param("deepseek", "m", DISABLED, id="deepseek"),
        pytest.param("zhipu", "m", DISABLED, id="zhipu"),
        pytest.param("moonshot", "m", DISABLED, id="moonshot"),
    ],
)
def test_none_at_all(type_: str, model: str, expected: dict[str, Any], asked: dict[str, Any]) -> None:
    assert told(type_, model, **asked) == expected


def test_of_a_model_that_never_reasons_nothing_is_said() -> None:
    assert told("openai", "gpt-4.1", reasoning_max_tokens=0) == {}


@pytest.mark.parametrize(
    ("type_", "model"),
    [
        pytest.param("groq", "qwen3", id="no way is documented"),
        pytest.param("azure", "my-deployment", id="a deployment's name says nothing of its model"),
        pytest.param("vllm", "qwen3", id="a limit, but no off"),
    ],
)
@pytest.mark.parametrize("api", ["openai", "openai-responses"])
def test_what_may_reason_all_the_same_is_left(type_: str, model: str, api: str) -> None:
    with pytest.raises(Unsupported, match="not known to be kept from reasoning"):
        told(type_, model, api, reasoning_max_tokens=0)


def test_by_responses_it_is_the_effort_none() -> None:
    assert told("deepseek", "m", "openai-responses", reasoning_max_tokens=0) == {"reasoning": {"effort": "none"}}
