"""What Cohere answers as a whole, and its errors."""

from __future__ import annotations

import base64
from array import array
from typing import Any

import pytest

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    Garbled,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
    Unsupported,
)
from sidecar.providers.cohere_usage import chat_usage, embedding_usage
from sidecar.providers.registry import wire
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import Reply
from tests.support.cohere import USAGE, said, text, thinking
from tests.support.providers import answer


def decoded(body: Any, operation: Operation = Operation.CHAT) -> Reply:
    reply = wire("cohere")[operation].decode(answer(body))
    assert isinstance(reply, Reply)
    return reply


def test_an_answer_as_documented() -> None:
    reply = decoded(said(text("one "), text("two")))
    (choice,) = reply.payload.choices
    assert (choice.message.text, choice.finish_reason, reply.finish_reasons) == ("one two", "COMPLETE", ("COMPLETE",))
    assert (reply.response_id, reply.model) == ("r-1", "")
    assert reply.usage == Usage(input=7, output=5)


def test_the_whole_usage_stands_in_the_metadata() -> None:
    assert to_plain(decoded(said(text("x"))).payload.provider_metadata)["usage"] == USAGE


def test_citations_stand_in_the_metadata() -> None:
    cited = [{"start": 0, "end": 1, "text": "x", "sources": [{"type": "document", "id": "d"}]}]
    metadata = to_plain(decoded(said(text("x"), citations=cited)).payload.provider_metadata)
    assert metadata["choices"] == [{"citations": cited}]


def test_tool_calls_come_with_their_plan() -> None:
    calls = [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}]
    message = decoded(said(finish="TOOL_CALL", tool_plan="I look", tool_calls=calls)).payload.choices[0].message
    assert [(call.id, call.name, call.arguments) for call in message.tool_calls] == [("c1", "look", "{}")]
    assert message.reasoning == "I look"
    assert [(block.text, block.id) for block in message.reasoning_blocks] == [("I look", "tool_plan")]


def test_thinking_is_reasoning() -> None:
    message = decoded(said(thinking("hm"), text("yes"))).payload.choices[0].message
    assert (message.text, message.reasoning, message.reasoning_blocks[0].text) == ("yes", "hm", "hm")


def test_logprobs_pass_through() -> None:
    body = said(text("x")) | {"logprobs": [{"token_ids": [1], "logprobs": [-0.5]}]}
    assert to_plain(decoded(body).payload.choices[0].logprobs)["content"][0]["logprobs"] == [-0.5]


@pytest.mark.parametrize(
    ("finish", "fault"),
    [
        pytest.param("ERROR", ServerError, id="error"),
        pytest.param("TIMEOUT", ServerError, id="timeout"),
        pytest.param("ERROR_LIMIT", ContextTooLong, id="limit"),
    ],
)
def test_an_answer_that_broke_off_is_none(finish: str, fault: type[Fault]) -> None:
    with pytest.raises(fault) as raised:
        decoded(said(text("half an ans"), finish=finish))
    assert raised.value.usage == Usage(input=7, output=5)


def test_nothing_but_a_filter_is_filtered() -> None:
    with pytest.raises(ContentFiltered) as raised:
        decoded(said(finish="ERROR_TOXIC"))
    assert raised.value.usage == Usage(input=7, output=5)


@pytest.mark.parametrize("finish", ["MAX_TOKENS", "STOP_SEQUENCE", "TOOL_CALL", "ERROR_TOXIC"])
def test_other_reasons_stay_as_written(finish: str) -> None:
    assert decoded(said(text("x"), finish=finish)).finish_reasons == (finish,)


@pytest.mark.parametrize("body", [b"<html>", b"[]", {"id": "x"}, {"message": "text"}])
def test_what_is_no_answer_is_garbled(body: Any) -> None:
    with pytest.raises(Garbled):
        decoded(body)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(USAGE, Usage(input=7, output=5), id="billed-units"),
        pytest.param(USAGE | {"cached_tokens": 64}, Usage(input=7, output=5, cache_read=64), id="cached-beyond-billed"),
        pytest.param({"billed_units": {"input_tokens": 0, "output_tokens": 0.0}}, Usage(input=0, output=0), id="zeros"),
        pytest.param({"tokens": {"input_tokens": 70}}, None, id="nothing-billed-is-told"),
        pytest.param({}, None, id="empty"),
        pytest.param(None, None, id="none"),
    ],
)
def test_usage_of_a_chat(raw: Any, expected: Usage | None) -> None:
    assert chat_usage(raw) == expected


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        pytest.param({"input_tokens": 3}, Usage(input=3, output=0), id="texts"),
        pytest.param({"input_tokens": 3, "image_tokens": 0}, Usage(input=3, output=0), id="no-images"),
        pytest.param({"image_tokens": 400, "images": 1}, Usage(input=400, output=0, images=1), id="image"),
        pytest.param({"images": 1}, Usage(output=0, images=1), id="image-uncounted"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_usage_of_an_embedding(units: Any, expected: Usage | None) -> None:
    assert embedding_usage({"billed_units": units}) == expected


def test_vectors() -> None:
    body = {"id": "e-1", "embeddings": {"float": [[0.5, -1], [2, 0]]}, "texts": ["a", "b"],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}}}  # fmt: skip
    reply = decoded(body, Operation.EMBEDDING)
    assert [list(each.values) for each in reply.payload.embeddings] == [[0.5, -1.0], [2.0, 0.0]]
    assert [each.index for each in reply.payload.embeddings] == [0, 1]
    assert (reply.usage, reply.response_id) == (Usage(input=2, output=0), "e-1")
    assert "texts" not in to_plain(reply.payload.provider_metadata)


def test_other_types_of_vectors_are_kept_beside_the_floats() -> None:
    body = {"embeddings": {"int8": [[1, -2]], "float": [[0.5]]}}
    reply = decoded(body, Operation.EMBEDDING)
    assert list(reply.payload.embeddings[0].values) == [0.5]
    assert to_plain(reply.payload.provider_metadata)["embeddings"] == {"int8": [[1, -2]]}


@pytest.mark.parametrize(
    ("embeddings", "expected"),
    [
        pytest.param({"base64": [base64.b64encode(array("f", [1.5]).tobytes()).decode()]}, [1.5], id="base64"),
        pytest.param({"ubinary": [[3, 250]]}, [3.0, 250.0], id="whatever-there-is"),
    ],
)
def test_vectors_without_floats(embeddings: Any, expected: list[float]) -> None:
    reply = decoded({"embeddings": embeddings}, Operation.EMBEDDING)
    assert list(reply.payload.embeddings[0].values) == expected


@pytest.mark.parametrize("embeddings", [None, {}, {"float": 3}, {"float": [["x"]]}, {"base64": ["?"]}])
def test_what_is_no_vector_is_garbled(embeddings: Any) -> None:
    with pytest.raises(Garbled):
        decoded({"embeddings": embeddings}, Operation.EMBEDDING)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        pytest.param(400, "invalid request: tools", BadRequest, id="bad"),
        pytest.param(422, "message must not be empty", BadRequest, id="unprocessable"),
        pytest.param(400, "too many tokens: size limit exceeded by 9 tokens", ContextTooLong, id="context"),
        pytest.param(401, "invalid api token", KeyRejected, id="key"),
        pytest.param(403, "no access", KeyRejected, id="forbidden"),
        pytest.param(402, "billing limit", RateLimited, id="billing"),
        pytest.param(404, "model 'x' not found", ModelNotFound, id="model"),
        pytest.param(429, "too many requests", RateLimited, id="rate"),
        pytest.param(498, "deny-listed token", ContentFiltered, id="deny-listed"),
        pytest.param(501, "not implemented", Unsupported, id="not-implemented"),
        pytest.param(500, "oops", ServerError, id="server"),
        pytest.param(503, "", ServerError, id="overloaded"),
        pytest.param(418, "teapot", BadRequest, id="other-4xx"),
    ],
)
def test_an_error_means(status: int, message: str, kind: type[Fault]) -> None:
    codec = wire("cohere")[Operation.CHAT]
    fault = codec.fault(answer({"id": "x", "message": message}, status, x_debug_trace_id="t-1", retry_after="3"))
    assert type(fault) is kind
    assert (fault.message, fault.http_status) == (message or f"HTTP {status}", status)
    assert (fault.retry_after_s, fault.provider_request_id) == (3.0, "t-1")


def test_an_error_that_is_no_json_has_its_status() -> None:
    assert wire("cohere")[Operation.CHAT].fault(answer(b"<html>", 502)).message == "HTTP 502"
