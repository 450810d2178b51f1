"""What Ollama answers as a whole, and its errors."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import (
    BadRequest,
    ContextTooLong,
    Fault,
    Garbled,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
    StreamCut,
    Unsupported,
)
from sidecar.providers.registry import wire
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import Reply
from tests.support.providers import answer

END = {
    "done": True,
    "done_reason": "stop",
    "prompt_eval_count": 7,
    "eval_count": 5,
    "load_duration": 12,
    "total_duration": 90,
}


def said(message: Any, **more: Any) -> dict[str, Any]:
    return {"model": "m:latest", "created_at": "2026-01-01T00:00:00Z", "message": message, **END, **more}


def decoded(body: Any, operation: Operation = Operation.CHAT) -> Reply:
    reply = wire("ollama")[operation].decode(answer(body))
    assert isinstance(reply, Reply)
    return reply


def test_an_answer_as_documented() -> None:
    reply = decoded(said({"role": "assistant", "content": "hi"}))
    (choice,) = reply.payload.choices
    assert (choice.message.text, choice.finish_reason, reply.finish_reasons) == ("hi", "stop", ("stop",))
    assert (reply.model, reply.usage) == ("m:latest", Usage(input=7, output=5))


def test_durations_stand_in_the_metadata() -> None:
    metadata = to_plain(decoded(said({"content": "hi"})).payload.provider_metadata)
    assert metadata == {"load_duration": 12, "total_duration": 90}


def test_thinking_is_reasoning() -> None:
    message = decoded(said({"content": "yes", "thinking": "hm"})).payload.choices[0].message
    assert (message.text, message.reasoning) == ("yes", "hm")


def test_arguments_of_tool_calls_become_json_text() -> None:
    calls = [
        {"id": "c1", "function": {"name": "look", "arguments": {"n": 1}}},
        {"function": {"name": "now", "arguments": {}}},
    ]
    message = decoded(said({"content": "", "tool_calls": calls})).payload.choices[0].message
    found = [(call.id, call.name, call.arguments) for call in message.tool_calls]
    assert found == [("c1", "look", '{"n":1}'), ("", "now", "{}")]


def test_a_completion() -> None:
    body = {"model": "m", "response": "text", "context": [1, 2], **END}
    reply = decoded(body, Operation.COMPLETION)
    assert (reply.payload.choices[0].text, reply.finish_reasons, reply.usage) == (
        "text",
        ("stop",),
        Usage(input=7, output=5),
    )
    assert to_plain(reply.payload.provider_metadata)["context"] == [1, 2]


def test_vectors() -> None:
    body = {"model": "m", "embeddings": [[0.5, -1], [2, 0]], "prompt_eval_count": 4, "load_duration": 12}
    reply = decoded(body, Operation.EMBEDDING)
    assert [list(each.values) for each in reply.payload.embeddings] == [[0.5, -1.0], [2.0, 0.0]]
    assert (reply.model, reply.usage) == ("m", Usage(input=4))
    assert to_plain(reply.payload.provider_metadata) == {"load_duration": 12}


def test_logprobs_pass_through() -> None:
    choice = decoded(said({"content": "x"}, logprobs=[{"token": "x", "logprob": -0.5}])).payload.choices[0]
    assert to_plain(choice.logprobs) == {"content": [{"token": "x", "logprob": -0.5}]}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param({"prompt_eval_count": 7}, Usage(input=7), id="nothing-written-is-left-out"),
        pytest.param({"eval_count": 5}, Usage(output=5), id="a-prompt-from-the-cache-is-not-counted"),
        pytest.param({"prompt_eval_count": 0, "eval_count": 0}, Usage(input=0, output=0), id="zeros"),
        pytest.param({}, None, id="none"),
    ],
)
def test_usage(counts: dict[str, int], expected: Usage | None) -> None:
    body = {"model": "m", "message": {"content": "x"}, "done": True, **counts}
    assert decoded(body).usage == expected


@pytest.mark.parametrize(
    ("operation", "body", "kind"),
    [
        pytest.param(Operation.CHAT, b"<html>", Garbled, id="html"),
        pytest.param(Operation.CHAT, b"[]", Garbled, id="list"),
        pytest.param(Operation.CHAT, {"done": True}, Garbled, id="no-message"),
        pytest.param(Operation.CHAT, said({"content": "half"}, done=False), StreamCut, id="not-done"),
        pytest.param(Operation.CHAT, {"error": "it broke"}, ServerError, id="error-under-200"),
        pytest.param(Operation.COMPLETION, {"done": True}, Garbled, id="no-response"),
        pytest.param(Operation.EMBEDDING, {"model": "m"}, Garbled, id="no-vectors"),
        pytest.param(Operation.EMBEDDING, {"embeddings": [["x"]]}, Garbled, id="no-numbers"),
    ],
)
def test_what_is_no_answer(operation: Operation, body: Any, kind: type[Fault]) -> None:
    with pytest.raises(kind):
        decoded(body, operation)


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        pytest.param(400, "invalid options", BadRequest, id="bad"),
        pytest.param(400, '"small" does not support tools', Unsupported, id="a-model-without-tools"),
        pytest.param(400, "the input length exceeds the context length", ContextTooLong, id="context"),
        pytest.param(
            500, "the input length exceeds maximum context length", ContextTooLong, id="context-of-older-servers"
        ),
        pytest.param(401, "unauthorized", KeyRejected, id="key"),
        pytest.param(403, "forbidden", KeyRejected, id="forbidden"),
        pytest.param(404, "model 'x' not found", ModelNotFound, id="model"),
        pytest.param(404, 'model "x" not found, try pulling it first', ModelNotFound, id="model-of-older-servers"),
        pytest.param(429, "too many", RateLimited, id="rate"),
        pytest.param(500, "model requires more system memory", ServerError, id="server"),
        pytest.param(503, "server busy, please try again", ServerError, id="busy"),
    ],
)
def test_an_error_means(status: int, error: str, kind: type[Fault]) -> None:
    fault = wire("ollama")[Operation.CHAT].fault(answer({"error": error}, status))
    assert type(fault) is kind
    assert (fault.message, fault.http_status) == (error, status)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(b"<html>", "HTTP 502", id="html"),
        pytest.param({"error": {"message": "gone"}}, "gone", id="an-object"),
        pytest.param({}, "HTTP 502", id="nothing"),
    ],
)
def test_an_error_in_other_words(body: Any, words: str) -> None:
    assert wire("ollama")[Operation.CHAT].fault(answer(body, 502)).message == words
