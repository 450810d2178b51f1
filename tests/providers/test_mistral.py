"""What is Mistral's own on the OpenAI wire: documents, prefixes, fill-in-the-middle, judged conversations."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import Unsupported
from sidecar.providers.registry import wire
from sidecar.providers.wire import HttpRequest, Reply
from taximeter.v1 import invocation_pb2
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, answer, ended, events, read, sent

REQUESTS: dict[Operation, Any] = {
    Operation.CHAT: pb.ChatRequest,
    Operation.COMPLETION: pb.CompletionRequest,
    Operation.EMBEDDING: pb.EmbeddingRequest,
    Operation.MODERATION: pb.ModerationRequest,
}
USAGE = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}


def encoded(operation: Operation, fields: dict[str, Any], type_: str = "mistral") -> HttpRequest:
    request = json_format.ParseDict(fields, REQUESTS[operation]())
    return wire("openai")[operation].encode(request, "m", False, account(type_), "k")


def chat(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = sent(encoded(Operation.CHAT, {"messages": list(messages)}))["messages"]
    return found


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        pytest.param(
            {"url": "https://x.test/a.pdf", "filename": "a.pdf"},
            {"type": "document_url", "document_url": "https://x.test/a.pdf", "document_name": "a.pdf"},
            id="url",
        ),
        pytest.param(
            {"data": "aQ==", "media_type": "application/pdf"},
            {"type": "document_url", "document_url": "data:application/pdf;base64,aQ=="},
            id="data",
        ),
        pytest.param({"file_id": "f-1"}, {"type": "file", "file_id": "f-1"}, id="uploaded"),
    ],
)
def test_a_file_is_a_document(file: dict[str, str], expected: dict[str, str]) -> None:
    assert chat({"role": "ROLE_USER", "parts": [{"file": file}]})[0]["content"] == [expected]


def test_elsewhere_a_file_by_url_goes_to_the_next_target() -> None:
    with pytest.raises(Unsupported):
        encoded(
            Operation.CHAT,
            {"messages": [{"role": "ROLE_USER", "parts": [{"file": {"url": "https://x.test/a.pdf"}}]}]},
            "openai",
        )


def test_an_answer_that_was_begun_is_marked_as_prefix() -> None:
    user, begun = {"role": "ROLE_USER", "text": "go on"}, {"role": "ROLE_ASSISTANT", "text": "One, "}
    assert chat(user, begun)[-1] == {"role": "assistant", "content": "One, ", "prefix": True}
    assert "prefix" not in chat(user, begun, user)[1]


def test_a_call_of_tools_is_no_prefix() -> None:
    call = {"role": "ROLE_ASSISTANT", "tool_calls": [{"id": "c", "name": "n", "arguments": "{}"}]}
    assert "prefix" not in chat({"role": "ROLE_USER", "text": "?"}, call)[-1]


def test_dimensions_by_its_name() -> None:
    assert sent(encoded(Operation.EMBEDDING, {"inputs": ["a"], "dimensions": 64}))["output_dimension"] == 64


def test_a_completion_fills_in_the_middle() -> None:
    request = encoded(Operation.COMPLETION, {"prompt": "def f(", "suffix": "return a", "seed": 3})
    assert request.url == "https://api.test/v1/fim/completions"
    assert sent(request) == {"model": "m", "prompt": "def f(", "suffix": "return a", "random_seed": 3}


@pytest.mark.parametrize(
    "fields",
    [{"more_prompts": ["b"]}, {"echo": True}, {"best_of": 2}, {"logprobs": 1}],
    ids=["more-prompts", "echo", "best-of", "logprobs"],
)
def test_what_fim_does_not_take_goes_to_the_next_target(fields: dict[str, Any]) -> None:
    with pytest.raises(Unsupported):
        encoded(Operation.COMPLETION, {"prompt": "a"} | fields)


def test_a_completion_is_answered_in_a_message() -> None:
    body = {"id": "1", "model": "m", "choices": [{"index": 0, "message": {"role": "assistant", "content": "a):"},
            "finish_reason": "stop"}], "usage": USAGE}  # fmt: skip
    reply = wire("openai")[Operation.COMPLETION].decode(answer(body))
    assert isinstance(reply, Reply)
    assert (reply.payload.choices[0].text, reply.usage) == ("a):", Usage(input=4, output=2))


def test_a_streamed_completion_is_answered_in_deltas() -> None:
    make = wire("openai")[Operation.COMPLETION].reader
    assert make is not None
    reader = make()
    chunks = [
        {"id": "1", "model": "m", "choices": [{"index": 0, "delta": {"content": "a):"}, "finish_reason": None}]},
        {"id": "1", "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}], "usage": USAGE},
    ]
    assert read(reader, events(*chunks)) == [invocation_pb2.Delta(text="a):")]
    assert ended(reader).usage == Usage(input=4, output=2)


CONVERSATION = {"messages": [{"role": "ROLE_USER", "text": "how?"}, {"role": "ROLE_ASSISTANT", "text": "so"}]}


def test_a_conversation_is_judged_by_its_last_message() -> None:
    request = encoded(Operation.MODERATION, CONVERSATION)
    assert request.url == "https://api.test/v1/chat/moderations"
    judged = [{"role": "user", "content": "how?"}, {"role": "assistant", "content": "so"}]
    assert sent(request) == {"model": "m", "input": judged}


def test_texts_are_judged_as_before() -> None:
    assert encoded(Operation.MODERATION, {"inputs": ["a"]}).url == "https://api.test/v1/moderations"


def test_elsewhere_a_conversation_goes_to_the_next_target() -> None:
    with pytest.raises(Unsupported):
        encoded(Operation.MODERATION, CONVERSATION, "openai")
