"""The Azure OpenAI wire: how OpenAI's requests, answers and errors differ there."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from sidecar.core.call import Operation, Usage
from sidecar.core.faults import (
    BadRequest,
    ContentFiltered,
    ContextTooLong,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
)
from sidecar.providers.http import served_model
from sidecar.providers.registry import wire
from sidecar.providers.structs import to_plain
from sidecar.providers.wire import HttpRequest, Reply
from taximeter.v1 import invocation_pb2
from taximeter.v1 import payload_pb2 as pb
from tests.support.providers import account, answer, chunk, ended, events, read, sent
from tests.support.responses import message, response

HOST = "https://r.openai.azure.com"
TOKEN = "eyJ0eXAi.eyJhdWQi.c2lnbmF0dXJl"
SAFE = {"hate": {"filtered": False, "severity": "safe"}}
HIGH = {"violence": {"filtered": True, "severity": "high"}}


def chat(
    *,
    base_url: str = HOST,
    version: str = "",
    secret: str = "k-1",
    stream: bool = False,
    name: str = "azure",
    **fields: Any,
) -> HttpRequest:
    target = account("azure", base_url=base_url)
    options = {"auth": "api-key", **target.options, **({"api_version": version} if version else {})}
    target = account("azure", base_url=base_url, options=options)
    request = json_format.ParseDict({"prompt": "hi", **fields}, pb.ChatRequest())
    return wire(name)[Operation.CHAT].encode(request, "our-deployment", stream, target, secret)


def test_a_key_goes_as_api_key() -> None:
    headers = chat().headers
    assert headers["api-key"] == "k-1"
    assert "authorization" not in headers


@pytest.mark.parametrize("name", ["azure", "azure-responses"])
def test_a_token_of_entra_id_goes_as_bearer(name: str) -> None:
    headers = chat(secret=TOKEN, name=name).headers
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert "api-key" not in headers


def test_the_body_is_openais() -> None:
    request = chat(max_tokens=9, temperature=0, version="2024-10-21")
    assert request.url == f"{HOST}/openai/deployments/our-deployment/chat/completions?api-version=2024-10-21"
    assert sent(request) == {
        "messages": [{"role": "user", "content": "hi"}],
        "temperature": 0,
        "max_tokens": 9,
        "model": "our-deployment",
    }


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        pytest.param("", {"include_usage": True}, id="v1 is asked for its usage"),
        pytest.param("2024-02-01", None, id="an old version would refuse to be asked"),
    ],
)
def test_a_streams_usage(version: str, expected: Any) -> None:
    assert sent(chat(stream=True, version=version)).get("stream_options") == expected


def test_options_are_read_under_azure() -> None:
    assert sent(chat(provider_options={"azure": {"user": "u"}, "openai": {"user": "x"}}))["user"] == "u"


@pytest.mark.parametrize(
    ("operation", "request_", "path"),
    [
        pytest.param(Operation.EMBEDDING, pb.EmbeddingRequest(inputs=["a"]), "embeddings", id="embedding"),
        pytest.param(Operation.COMPLETION, pb.CompletionRequest(prompt="a"), "completions", id="completion"),
    ],
)
def test_other_operations_have_their_path(operation: Operation, request_: Any, path: str) -> None:
    target = account("azure", base_url=HOST)
    found = wire("azure")[operation].encode(request_, "d", False, target, "k")
    assert found.url == f"{HOST}/openai/v1/{path}"


def test_responses_name_the_deployment_as_model() -> None:
    by_call = chat(name="azure-responses")
    by_url = chat(name="azure-responses", base_url=f"{HOST}/openai/deployments/theirs")
    assert (by_call.url, by_url.url) == (f"{HOST}/openai/v1/responses",) * 2
    assert (sent(by_call)["model"], sent(by_url)["model"]) == ("our-deployment", "theirs")


def test_a_response_comes_as_from_openai_with_its_filters() -> None:
    filters = [{"blocked": False, "source_type": "prompt", "content_filter_results": SAFE}]
    found = wire("azure-responses")[Operation.CHAT].decode(answer(response(message("hi"), content_filters=filters)))
    assert isinstance(found, Reply)
    assert to_plain(found.payload.provider_metadata) == {"content_filters": filters}


def test_what_the_filters_found_is_metadata() -> None:
    prompt = [{"prompt_index": 0, "content_filter_results": SAFE}]
    choice = {"index": 0, "message": {"content": "hi"}, "finish_reason": "stop", "content_filter_results": SAFE}
    body = {"id": "c", "model": "gpt-4o-2024-08-06", "choices": [choice], "prompt_filter_results": prompt}
    found = wire("azure")[Operation.CHAT].decode(answer(body))
    assert isinstance(found, Reply)
    assert found.model == "gpt-4o-2024-08-06", "not the deployment's name"
    assert to_plain(found.payload.provider_metadata) == {
        "prompt_filter_results": prompt,
        "choices": [{"content_filter_results": SAFE}],
    }


def test_a_streams_first_chunk_has_only_what_the_filter_found_of_the_prompt() -> None:
    make = wire("azure")[Operation.CHAT].reader
    assert make is not None
    each = make()
    prompt = [{"prompt_index": 0, "content_filter_results": SAFE}]
    first = {"choices": [], "id": "", "model": "", "object": "", "prompt_filter_results": prompt}
    usage = {"choices": [], "id": "c-1", "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    parts = read(each, events(first, chunk("hi"), chunk(finish="stop"), usage))
    assert parts == [invocation_pb2.Delta(text="hi")]
    reply = ended(each)
    assert (reply.model, reply.response_id, reply.usage) == ("m-1", "c-1", Usage(input=3, output=1))
    assert reply.provider_metadata is not None
    assert to_plain(reply.provider_metadata) == {"prompt_filter_results": prompt}


def test_what_the_filters_found_of_a_stream_is_told_at_its_end() -> None:
    make = wire("azure")[Operation.CHAT].reader
    assert make is not None
    each = make()
    found = [{"index": 1, "delta": {}, "content_filter_results": results} for results in (SAFE, {}, HIGH)]
    chunks = ({"id": "c-1", "model": "m-1", "choices": [choice]} for choice in found)
    read(each, events(chunk("a"), chunk("b", index=1), *chunks, chunk(finish="stop"), chunk(finish="stop", index=1)))
    reply = ended(each)
    assert reply.provider_metadata is not None
    assert to_plain(reply.provider_metadata) == {"choices": [{}, {"content_filter_results": {**SAFE, **HIGH}}]}


def test_a_stream_that_the_filter_stopped_before_a_word_is_filtered() -> None:
    make = wire("azure")[Operation.CHAT].reader
    assert make is not None
    each = make()
    read(each, events({"choices": [], "prompt_filter_results": []}, chunk(finish="content_filter")))
    with pytest.raises(ContentFiltered):
        each.finish()


POLICY = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
INNER = {"code": "ResponsibleAIPolicyViolation"}


@pytest.mark.parametrize(
    ("status", "error", "fault"),
    [
        pytest.param(
            400,
            {
                "message": POLICY,
                "code": "content_filter",
                "status": 400,
                "innererror": {**INNER, "content_filter_result": HIGH},
            },
            ContentFiltered,
            id="a prompt that the filter stopped",
        ),
        pytest.param(
            400,
            {"code": None, "message": "", "innererror": INNER},
            ContentFiltered,
            id="told by the inner error alone",
        ),
        pytest.param(
            400,
            {"code": "x", "message": "m", "inner_error": INNER},
            ContentFiltered,
            id="as the specification spells it",
        ),
        pytest.param(400, {"code": "contentFilter", "message": "m"}, ContentFiltered, id="as images have it"),
        pytest.param(400, {"code": "BadRequest", "message": "m", "innererror": None}, BadRequest, id="another 400"),
        pytest.param(400, {"code": "context_length_exceeded", "message": "m"}, ContextTooLong, id="context"),
        pytest.param(401, {"code": "401", "message": "Access denied"}, KeyRejected, id="key"),
        pytest.param(404, {"code": "DeploymentNotFound", "message": "m"}, ModelNotFound, id="deployment"),
        pytest.param(429, {"code": "429", "message": "m"}, RateLimited, id="rate"),
        pytest.param(500, {"message": "m", "innererror": INNER}, ServerError, id="500"),
    ],
)
@pytest.mark.parametrize("name", ["azure", "azure-responses"])
def test_an_error(name: str, status: int, error: Any, fault: type[Fault]) -> None:
    found = wire(name)[Operation.CHAT].fault(answer({"error": error}, status, apim_request_id="a-1"))
    assert (type(found), found.http_status, found.provider_request_id) == (fault, status, "a-1")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error": "no"}', b"<html>"])
def test_an_error_without_an_object_is_still_one(body: bytes) -> None:
    assert isinstance(wire("azure")[Operation.CHAT].fault(answer(body, 400)), BadRequest)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        pytest.param({"retry_after_ms": "1500", "retry_after": "2"}, 1.5, id="milliseconds first"),
        pytest.param({"retry_after": "7"}, 7.0, id="seconds"),
        pytest.param({"x_ratelimit_remaining_tokens": "0", "x_ratelimit_reset_tokens": "12"}, 12.0, id="reset"),
        pytest.param(
            {"x_ratelimit_remaining_requests": "249", "x_ratelimit_reset_requests": "60"}, None, id="not used up"
        ),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], wait_s: float | None) -> None:
    found = wire("azure")[Operation.CHAT].fault(answer({"error": {"code": "429", "message": "m"}}, 429, **headers))
    assert found.retry_after_s == wait_s


def test_the_model_behind_a_deployment_stands_in_a_header() -> None:
    assert served_model({"x-ms-served-model": "gpt-5-nano-2025-08-07"}) == "gpt-5-nano-2025-08-07"
    assert served_model({}) == ""
