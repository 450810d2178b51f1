"""Defaults of an alias: they fill what the caller left open, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from sidecar.workspaces.parameters import with_defaults
from taximeter.v1 import payload_pb2 as pb

param = pytest.param
CHAT, COMPLETION, EMBEDDING = pb.ChatRequest, pb.CompletionRequest, pb.EmbeddingRequest


def of(kind: type[Message], values: dict[str, Any]) -> Message:
    return ParseDict(values, kind())


@pytest.mark.parametrize(
    ("kind", "asked", "parameters", "cap", "sent"),
    [
        param(CHAT, {}, {"temperature": 0.2}, None, {"temperature": 0.2}, id="left-open"),
        param(CHAT, {"temperature": 0}, {"temperature": 0.2}, None, {"temperature": 0}, id="an-explicit-zero-stands"),
        param(CHAT, {}, {"max_tokens": 500.0}, None, {"max_tokens": 500}, id="a-number-of-a-struct"),
        param(CHAT, {}, {"max_tokens": 500}, 100, {"max_tokens": 100}, id="the-cap-holds-for-defaults"),
        param(CHAT, {"max_tokens": 50}, {}, 100, {"max_tokens": 50}, id="less-than-the-cap"),
        param(CHAT, {"max_tokens": 500}, {}, 100, {"max_tokens": 100}, id="more-than-the-cap"),
        param(CHAT, {}, {}, 100, {"max_tokens": 100}, id="who-does-not-say-gets-the-cap"),
        param(CHAT, {"stop": ["a"]}, {"stop": ["b", "c"]}, None, {"stop": ["a"]}, id="a-list-is-not-mixed"),
        param(CHAT, {"logit_bias": {"1": 1}}, {"logit_bias": {"2": 2}}, None, {"logit_bias": {"1": 1}}, id="nor-a-map"),
        param(CHAT, {"response_format": {"text": True}}, {"response_format": {"json_object": True}}, None,
              {"response_format": {"text": True}}, id="nor-a-message"),
        param(CHAT, {"provider_options": {"a": {"x": 1}}}, {"provider_options": {"a": {"y": 2}, "b": {"z": 3}}}, None,
              {"provider_options": {"a": {"x": 1}, "b": {"z": 3}}}, id="options-provider-by-provider"),
        param(COMPLETION, {}, {"logprobs": True, "top_p": 0.5}, None, {"top_p": 0.5}, id="what-means-nothing-there"),
        param(EMBEDDING, {}, {"dimensions": 8}, 100, {"dimensions": 8}, id="an-embedding-has-no-output"),
        param(CHAT, {}, {"prompt": "x", "messages": []}, None, {}, id="never-content"),
        param(CHAT, {}, {"reasoning_effort": "low"}, None, {"reasoning_effort": "low"}, id="a-word"),
    ],
)  # fmt: skip
def test_defaults(
    kind: type[Message], asked: dict[str, Any], parameters: dict[str, Any], cap: int | None, sent: dict[str, Any]
) -> None:
    payload = of(kind, asked)
    assert with_defaults(payload, parameters, cap) == of(kind, sent)
    assert payload == of(kind, asked), "the caller's own stays as it is"


def test_without_defaults_nothing_is_copied() -> None:
    payload = CHAT(prompt="x")
    assert with_defaults(payload, {}, None) is payload


SET = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "max_tokens": st.integers(1, 5000),
        "seed": st.integers(0, 2**31),
        "stop": st.lists(st.text(max_size=3), min_size=1, max_size=3),
        "parallel_tool_calls": st.booleans(),
    },
)


@given(asked=SET, parameters=SET)
def test_what_the_caller_says_stands_and_the_rest_is_the_aliass(
    asked: dict[str, Any], parameters: dict[str, Any]
) -> None:
    made = with_defaults(of(CHAT, asked), parameters, None)
    assert MessageToDict(made) == MessageToDict(of(CHAT, {**parameters, **asked}))
