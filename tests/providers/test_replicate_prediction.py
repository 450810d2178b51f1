"""What we make of Replicate's predictions and errors."""

from __future__ import annotations

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
    ResponseTimeout,
    ServerError,
)
from sidecar.providers.registry import wire
from sidecar.providers.wire import Pending, Reply
from tests.support.providers import answer

CODEC = wire("replicate")[Operation.CHAT]


def prediction(status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {"id": "p1", "model": "meta/llama", "status": status, "error": None, "input": {}, "logs": "", **more}


@pytest.mark.parametrize("status", ["starting", "processing"])
def test_a_prediction_under_way_is_asked_for_again_at_our_own_address(status: str) -> None:
    urls = {"get": "https://elsewhere.test/v1/predictions/p1"}
    pending = CODEC.decode(answer(prediction(status, output=["half"], urls=urls), 201))
    assert isinstance(pending, Pending)
    assert (pending.request.method, pending.request.url, pending.request.body) == ("GET", "/predictions/p1", b"")
    assert pending.after_s > 0


def test_an_id_cannot_lead_elsewhere() -> None:
    pending = CODEC.decode(answer(prediction("starting", id="../account?x=/")))
    assert isinstance(pending, Pending)
    assert pending.request.url == "/predictions/..%2Faccount%3Fx%3D%2F"


def done(**more: Any) -> Reply:
    reply = CODEC.decode(answer(prediction(**more)))
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize(
    ("output", "text"),
    [
        pytest.param(["Hel", "", "lo"], "Hello", id="pieces"),
        pytest.param("Hello", "Hello", id="text"),
        pytest.param(None, "", id="nothing"),
        pytest.param({"a": [1]}, '{"a":[1]}', id="object"),
        pytest.param([{"a": 1}], '[{"a":1}]', id="objects"),
    ],
)
def test_the_output_as_text(output: Any, text: str) -> None:
    (choice,) = done(output=output).payload.choices
    assert choice.message.text == text


def test_a_prediction_that_is_done() -> None:
    metrics = {"input_token_count": 5, "output_token_count": 0, "predict_time": 1.5, "total_time": 9.0}
    reply = done(output="x", metrics=metrics, version="v", data_removed=False)
    assert reply.usage == Usage(input=5, output=0, seconds=1.5)
    assert (reply.model, reply.finish_reasons, reply.response_id) == ("meta/llama", ("succeeded",), "p1")
    assert (reply.payload.id, reply.payload.choices[0].finish_reason) == ("p1", "succeeded")
    assert dict(reply.payload.provider_metadata.items()) == {"version": "v", "data_removed": False}


@pytest.mark.parametrize(
    ("metrics", "usage"),
    [
        pytest.param({"predict_time": 0.0}, Usage(seconds=0.0), id="time-only"),
        pytest.param({"input_token_count": 0, "output_token_count": 2}, Usage(input=0, output=2), id="tokens-only"),
        pytest.param({}, None, id="empty"),
        pytest.param(None, None, id="absent"),
        pytest.param({"input_token_count": "5", "predict_time": -1, "output_token_count": True}, None, id="nonsense"),
    ],
)
def test_usage(metrics: Any, usage: Usage | None) -> None:
    assert done(output="x", metrics=metrics).usage == usage


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        pytest.param(prediction("failed", error="CUDA out of memory"), ServerError, id="failed"),
        pytest.param(prediction("failed"), ServerError, id="failed-without-words"),
        pytest.param(prediction("failed", error="flagged as sensitive (E005)"), ContentFiltered, id="filtered"),
        pytest.param(prediction("failed", error="Prompt is too long"), ContextTooLong, id="too-long"),
        pytest.param(prediction("canceled"), ResponseTimeout, id="canceled"),
        pytest.param(prediction("aborted"), ServerError, id="aborted"),
        pytest.param(prediction("invented"), ServerError, id="unknown-status"),
        pytest.param({"status": "succeeded"}, Garbled, id="no-id"),
        pytest.param({"id": "p1"}, Garbled, id="no-status"),
        pytest.param([], Garbled, id="no-object"),
        pytest.param(b"<html>", Garbled, id="no-json"),
    ],
)
def test_a_prediction_that_came_to_nothing(said: Any, kind: type[Fault]) -> None:
    with pytest.raises(Fault) as caught:
        CODEC.decode(answer(said))
    assert type(caught.value) is kind


def test_a_failed_prediction_is_billed_for_what_it_reports() -> None:
    with pytest.raises(ServerError, match="broke") as caught:
        CODEC.decode(answer(prediction("failed", error="broke", metrics={"predict_time": 2.0})))
    assert caught.value.usage == Usage(seconds=2.0)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        pytest.param(401, {"title": "Unauthenticated", "detail": "no token"}, KeyRejected, id="401"),
        pytest.param(402, {"title": "Insufficient credit", "detail": "buy"}, RateLimited, id="402"),
        pytest.param(404, {"detail": "not found"}, ModelNotFound, id="404"),
        pytest.param(422, {"title": "Input validation failed", "detail": "- input: x"}, BadRequest, id="422"),
        pytest.param(422, {"title": "Invalid version or not permitted", "detail": "?"}, ModelNotFound, id="version"),
        pytest.param(400, b"", BadRequest, id="no-words"),
        pytest.param(500, {"detail": "input validation failed"}, ServerError, id="500"),
        pytest.param(503, b"<html>", ServerError, id="503"),
    ],
)
def test_errors(status: int, body: Any, kind: type[Fault]) -> None:
    fault = CODEC.fault(answer(body, status))
    assert (type(fault), fault.http_status) == (kind, status)
    assert fault.message


@pytest.mark.parametrize(
    ("headers", "body", "wait_s"),
    [
        pytest.param({"retry_after": "3"}, {"retry_after": 5}, 3.0, id="header"),
        pytest.param({}, {"detail": "throttled", "retry_after": 5}, 5.0, id="body"),
        pytest.param({"ratelimit_remaining": "0", "ratelimit_reset": "7"}, {}, 7.0, id="limit-used-up"),
        pytest.param({"ratelimit_remaining": "5", "ratelimit_reset": "7"}, {}, None, id="limit-left"),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], body: Any, wait_s: float | None) -> None:
    fault = CODEC.fault(answer(body, 429, **headers))
    assert isinstance(fault, RateLimited)
    assert fault.retry_after_s == wait_s
