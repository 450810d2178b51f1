"""What a call can bring at most is what its provider is asked for, in whatever words."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct

from sidecar.core.call import Operation
from sidecar.core.parameters import parameters_of
from sidecar.invoker.lengths import Lengths, lengths_of
from sidecar.invoker.payloads import with_max_tokens
from taximeter.v1 import payload_pb2
from tests.support.routes import call

param = pytest.param


def options(**told: Any) -> Struct:
    made = Struct()
    made.update(told)
    return made


def chat(told: dict[str, Any] | None = None, **values: Any) -> payload_pb2.ChatRequest:
    return payload_pb2.ChatRequest(prompt="hi", provider_options=options(**told) if told else None, **values)


def completion(**values: Any) -> payload_pb2.CompletionRequest:
    return payload_pb2.CompletionRequest(prompt="hi", **values)


@pytest.mark.parametrize(
    ("payload", "longest", "choices"),
    [
        param(chat(), 500, 1, id="the model's own limit"),
        param(chat(max_tokens=100), 100, 1, id="the caller's"),
        param(chat(max_tokens=900), 900, 1, id="the caller's, above the model's"),
        param(chat(max_tokens=100, choice_count=3), 100, 3, id="choices"),
        param(completion(max_tokens=100, choice_count=2, best_of=5), 100, 5, id="all of which the best are given"),
        param(completion(max_tokens=100, more_prompts=["a", "b"], choice_count=2), 100, 6, id="of each prompt"),
        param(chat({"openai": {"max_completion_tokens": 4000}}, max_tokens=100), 4000, 1, id="options"),
        param(chat({"openai": {"max_tokens": 50}}, max_tokens=100), 100, 1, id="smaller, of one provider"),
        param(chat({"openai": {"max_tokens": 50}}), 500, 1, id="and others go by the model"),
        param(chat({"gemini": {"generationConfig": {"maxOutputTokens": 4000, "candidateCount": 8}}}), 4000, 8,
              id="one deeper"),
        param(chat({"ollama": {"options": {"num_predict": -1}}}, max_tokens=100), 500, 1, id="none"),
        param(chat({"openai": {"n": 1e300}}, max_tokens=100), 100, 1024, id="beyond reason"),
        param(chat({"openai": {"max_tokens": "4000", "user": 7, "metadata": {"max": 9}}}, max_tokens=100), 100, 1,
              id="nothing of it"),
    ],
)  # fmt: skip
def test_the_longest_answer(payload: Any, longest: int, choices: int) -> None:
    operation = Operation.CHAT if isinstance(payload, payload_pb2.ChatRequest) else Operation.COMPLETION
    lengths = lengths_of(call(payload=payload, operation=operation, parameters=parameters_of(payload)))
    assert (lengths.longest(500), lengths.choices) == (longest, choices)


@pytest.mark.parametrize("granted", [None, 60, 100, 200])
def test_what_is_granted_is_the_most(granted: int | None) -> None:
    assert Lengths(100).longest(500, granted) == min(granted or 100, 100)


def test_an_embedding_has_no_answer() -> None:
    lengths = lengths_of(call(operation=Operation.EMBEDDING, payload=payload_pb2.EmbeddingRequest(inputs=["a"])))
    assert lengths.longest(500) == 0


def test_what_is_granted_holds_against_options_too() -> None:
    told = {"openai": {"max_tokens": 4000, "user": "u"}, "gemini": {"generationConfig": {"maxOutputTokens": 9, "a": 1}}}
    asked = chat(told, max_tokens=100)
    less = with_max_tokens(asked, 60)
    assert (less.max_tokens, less.provider_options) == (
        60,
        options(openai={"user": "u"}, gemini={"generationConfig": {"a": 1}}),
    )
    assert asked.provider_options == options(**told)
