"""What Google's errors mean."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.core.faults import (
    BadRequest,
    ContextTooLong,
    Fault,
    KeyRejected,
    ModelNotFound,
    RateLimited,
    ServerError,
)
from tests.support.gemini import codec
from tests.support.providers import answer

RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22.5s"}


def fault(body: Any, status: int, **headers: str) -> Fault:
    return codec().fault(answer(body, status, **headers))


def error(status: int, code: str, message: str = "m", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": status, "message": message, "status": code, "details": list(details)}}


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        pytest.param(400, "INVALID_ARGUMENT", "bad field", BadRequest, id="bad-request"),
        pytest.param(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
            ContextTooLong,
            id="context",
        ),
        pytest.param(400, "INVALID_ARGUMENT", "API key not valid. Please pass one.", KeyRejected, id="wrong-key"),
        pytest.param(400, "FAILED_PRECONDITION", "User location is not supported", KeyRejected, id="country"),
        pytest.param(401, "UNAUTHENTICATED", "m", KeyRejected, id="token"),
        pytest.param(403, "PERMISSION_DENIED", "m", KeyRejected, id="forbidden"),
        pytest.param(404, "NOT_FOUND", "models/x is not found", ModelNotFound, id="model"),
        pytest.param(429, "RESOURCE_EXHAUSTED", "quota", RateLimited, id="quota"),
        pytest.param(500, "INTERNAL", "m", ServerError, id="internal"),
        pytest.param(503, "UNAVAILABLE", "overloaded", ServerError, id="overloaded"),
        pytest.param(504, "DEADLINE_EXCEEDED", "m", ServerError, id="deadline"),
        pytest.param(499, "CANCELLED", "m", ServerError, id="cancelled"),
        pytest.param(418, "", "m", BadRequest, id="unheard-of"),
    ],
)
def test_errors(status: int, code: str, message: str, kind: type[Fault]) -> None:
    found = fault(error(status, code, message), status)
    assert (type(found), found.http_status, found.message) == (kind, status, message)


def test_a_reason_is_better_than_a_code() -> None:
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    found = fault(error(400, "INVALID_ARGUMENT", "m", info), 400)
    assert (type(found), found.provider_code) == (KeyRejected, "API_KEY_INVALID")


@pytest.mark.parametrize(
    ("details", "headers", "wait_s"),
    [
        pytest.param([RETRY], {}, 22.5, id="details"),
        pytest.param([], {"retry_after": "3"}, 3.0, id="header"),
        pytest.param([], {}, None, id="nothing"),
        pytest.param([{"retryDelay": "soon"}], {}, None, id="nonsense"),
    ],
)
def test_how_long_to_wait(details: list[dict[str, Any]], headers: dict[str, str], wait_s: float | None) -> None:
    assert fault(error(429, "RESOURCE_EXHAUSTED", "m", *details), 429, **headers).retry_after_s == wait_s


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param([error(429, "RESOURCE_EXHAUSTED", "quota")], "quota", id="list of one"),
        pytest.param(b"upstream gone", "upstream gone", id="text"),
        pytest.param([], "HTTP 429", id="empty list"),
        pytest.param({"error": "no"}, "no", id="words"),
    ],
)
def test_other_shapes(body: Any, message: str) -> None:
    found = fault(body, 429)
    assert (type(found), found.message) == (RateLimited, message)


def test_a_page_for_browsers_is_not_passed_on() -> None:
    assert fault(b"<html>", 502, content_type="text/html").message == "HTTP 502"
