"""What we send to Replicate."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Operation, Timeouts
from sidecar.core.faults import BadRequest, Unsupported
from sidecar.providers.registry import wire
from sidecar.providers.wire import HttpRequest
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, sent

LLAMA = "meta/meta-llama-3-8b-instruct"
GPT = "openai/gpt-5"


def encoded(request: dict[str, Any], model: str = LLAMA, stream: bool = False, **changes: Any) -> HttpRequest:
    message = json_format.ParseDict(request, pb.ChatRequest())
    target = account("replicate", base_url="https://api.test/v1/", **changes)
    return wire("replicate")[Operation.CHAT].encode(message, model, stream, target, "r8_secret")


@pytest.mark.parametrize(
    ("model", "path", "version"),
    [
        pytest.param(LLAMA, f"/models/{LLAMA}/predictions", None, id="official"),
        pytest.param("owner/name:5c7d", "/predictions", "5c7d", id="version"),
        pytest.param("5c7d5dc6", "/predictions", "5c7d5dc6", id="bare-version"),
        pytest.param("deployments/me/mine", "/deployments/me/mine/predictions", None, id="deployment"),
        pytest.param("a b/c?d", "/models/a%20b/c%3Fd/predictions", None, id="escaped"),
    ],
)
def test_where_a_model_is_asked(model: str, path: str, version: str | None) -> None:
    request = encoded({"prompt": "hi"}, model)
    assert request.method == "POST"
    assert request.url == f"https://api.test/v1{path}"
    assert sent(request).get("version") == version


def test_a_whole_answer_is_waited_for_and_a_stream_is_asked_for() -> None:
    whole, streamed = encoded({"prompt": "hi"}), encoded({"prompt": "hi"}, stream=True)
    assert (whole.headers["prefer"], sent(whole)) == ("wait", {"input": {"prompt": "hi"}})
    assert "prefer" not in streamed.headers
    assert sent(streamed) == {"input": {"prompt": "hi"}, "stream": True}
    assert streamed.headers["accept"] == whole.headers["accept"] == "application/json"
    assert whole.headers["authorization"] == "Bearer r8_secret"


@pytest.mark.parametrize(
    ("timeouts", "expected"),
    [
        pytest.param(Timeouts(), "180s", id="default-deadline"),
        pytest.param(Timeouts(response_s=90.5), "91s", id="as-configured"),
        pytest.param(Timeouts(response_s=0.1), "5s", id="no-shorter-than-allowed"),
    ],
)
def test_a_prediction_that_nobody_waits_for_ends_by_itself(timeouts: Timeouts, expected: str) -> None:
    assert encoded({"prompt": "hi"}, timeouts=timeouts).headers["cancel-after"] == expected


def test_the_operator_can_set_another_cancel_after() -> None:
    assert encoded({"prompt": "hi"}, options={"headers": {"Cancel-After": "10m"}}).headers["cancel-after"] == "10m"


TURNS = [
    {"role": "ROLE_SYSTEM", "text": "be brief"},
    {"role": "ROLE_USER", "text": "one"},
    {"role": "ROLE_ASSISTANT", "text": "two"},
    {"role": "ROLE_USER", "parts": [{"text": "thr"}, {"text": "ee"}]},
]


@pytest.mark.parametrize(
    ("model", "request_", "expected"),
    [
        pytest.param(
            LLAMA,
            {"messages": [TURNS[0], {"role": "ROLE_DEVELOPER", "text": "and kind"}, TURNS[1]]},
            {"system_prompt": "be brief\n\nand kind", "prompt": "one"},
            id="one-turn",
        ),
        pytest.param(
            GPT, {"messages": TURNS[:2]}, {"system_prompt": "be brief", "prompt": "one"}, id="openai-one-turn"
        ),
        pytest.param(
            LLAMA,
            {"messages": TURNS},
            {"system_prompt": "be brief", "prompt": "User: one\n\nAssistant: two\n\nUser: three\n\nAssistant:"},
            id="several-turns-in-one-prompt",
        ),
        pytest.param(
            LLAMA, {"messages": TURNS[1:3]}, {"prompt": "User: one\n\nAssistant: two"}, id="a-prefilled-answer"
        ),
        pytest.param(
            GPT,
            {"messages": TURNS},
            {
                "messages": [
                    {"role": "system", "content": "be brief"},
                    {"role": "user", "content": "one"},
                    {"role": "assistant", "content": "two"},
                    {"role": "user", "content": "three"},
                ]
            },
            id="several-turns-as-messages",
        ),
        pytest.param(
            LLAMA,
            {
                "prompt": "p",
                "temperature": 0,
                "top_p": 0.5,
                "top_k": 3,
                "seed": 7,
                "max_tokens": 9,
                "stop": ["a", "b"],
                "presence_penalty": 1,
                "frequency_penalty": 0.5,
            },
            {
                "prompt": "p",
                "temperature": 0,
                "top_p": 0.5,
                "top_k": 3,
                "seed": 7,
                "max_tokens": 9,
                "stop_sequences": "a,b",
                "presence_penalty": 1,
                "frequency_penalty": 0.5,
            },
            id="parameters",
        ),
        pytest.param(
            GPT,
            {"prompt": "p", "max_tokens": 9, "reasoning_effort": "low"},
            {"prompt": "p", "max_completion_tokens": 9, "reasoning_effort": "low"},
            id="openai-parameters",
        ),
        pytest.param(
            LLAMA,
            {
                "prompt": "p",
                "provider_options": {"replicate": {"prompt_template": "{prompt}", "top_k": 1}, "x": {"a": 1}},
            },
            {"prompt": "p", "prompt_template": "{prompt}", "top_k": 1},
            id="options-go-into-the-input",
        ),
        pytest.param(
            LLAMA,
            {"prompt": "p", "response_format": {"text": True}, "tool_choice": {"mode": "auto"}, "choice_count": 1},
            {"prompt": "p"},
            id="what-asks-for-nothing",
        ),
    ],
)
def test_the_input_of_a_model(model: str, request_: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sent(encoded(request_, model))["input"] == expected


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"tools": [{"name": "f"}]}, id="tools"),
        pytest.param({"tool_choice": {"name": "f"}}, id="tool-choice"),
        pytest.param({"response_format": {"json_object": True}}, id="json"),
        pytest.param({"choice_count": 2}, id="choices"),
        pytest.param({"logprobs": True}, id="logprobs"),
        pytest.param({"logit_bias": {"1": 2}}, id="logit-bias"),
        pytest.param({"reasoning_effort": "low"}, id="reasoning-effort"),
        pytest.param({"reasoning_max_tokens": 0}, id="reasoning-budget"),
        pytest.param({"stop": ["a,b"]}, id="a-comma-in-a-stop"),
        pytest.param({"messages": [{"role": "ROLE_TOOL", "text": "x", "tool_call_id": "1"}]}, id="tool-result"),
        pytest.param({"messages": [{"role": "ROLE_ASSISTANT", "tool_calls": [{"name": "f"}]}]}, id="tool-call"),
        pytest.param(
            {"messages": [{"role": "ROLE_USER", "parts": [{"image": {"url": "https://x/y.png"}}]}]}, id="image"
        ),
    ],
)
def test_what_cannot_be_said_goes_to_the_next_target(request_: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encoded({"prompt": "p"} | request_)


def test_a_message_without_a_role_is_refused() -> None:
    with pytest.raises(BadRequest):
        encoded({"messages": [{"text": "x"}, {"text": "y"}]})
